// Files, tables and errors under a locale that groups digits and has a comma for a point.
#include <array>
#include <clocale>
#include <locale>
#include <sstream>
#include <string>
#include <vector>

#include "checkpoint_run.hpp"
#include "plait/inspect/expert_report.hpp"
#include "plait/io/model_file.hpp"
#include "plait/io/reports.hpp"
#include "plait/metrics/seesaw.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using checkpoints::check_equal;
using checkpoints::Run;
using plait::Checkpoints;

class German : public std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
  std::string do_truename() const override { return "wahr"; }
};
class Grouping : public std::numpunct<char> {
  char do_thousands_sep() const override { return ','; }
  std::string do_grouping() const override { return "\1\2"; }
};

// The program's locale while it lives.
class Locale {
 public:
  template <class Facet>
  explicit Locale(Facet* facet) : before_(std::locale::global({std::locale::classic(), facet})) {}
  Locale(const Locale&) = delete;
  Locale& operator=(const Locale&) = delete;
  ~Locale() { std::locale::global(before_); }

 private:
  std::locale before_;
};

// The C library's numbers, as those of the first such locale that is installed, while it lives.
class CLocale {
 public:
  CLocale() : before_(std::setlocale(LC_ALL, nullptr)) {
    for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8", "ru_RU.UTF-8"})
      if (std::setlocale(LC_ALL, name) != nullptr && *std::localeconv()->decimal_point == ',')
        return;
    std::setlocale(LC_ALL, before_.c_str());
  }
  CLocale(const CLocale&) = delete;
  CLocale& operator=(const CLocale&) = delete;
  ~CLocale() { std::setlocale(LC_ALL, before_.c_str()); }

  bool is_installed() const { return *std::localeconv()->decimal_point == ','; }

 private:
  std::string before_;
};

// As any stream writes it under the global locale.
template <class Number>
std::string streamed(Number number) {
  std::ostringstream stream;
  stream << number;
  return stream.str();
}

// What a long run carries.
void be_late(Run& run) {
  run.progress.epoch = 1234567;
  run.progress.notes = {{"rows", "1000"}};
  auto& optimizer = run.trainer.optimizer();
  optimizer.restore(1000000, optimizer.moments());
}

}  // namespace

TEST_CASE("locale: those of these tests group digits and have a comma for a point") {
  {
    const Locale locale(new German);
    CHECK(streamed(1234567) == "1.234.567");
    CHECK(streamed(0.5) == "0,5");
  }
  const Locale locale(new Grouping);
  CHECK(streamed(1234567) == "12,34,56,7");
}

TEST_CASE("locale: a checkpoint is the same bytes, and goes on, under any") {
  Run run;
  run.step();
  be_late(run);
  const files::Directory plain;
  Checkpoints of_plain(plain.path());
  const std::string expected = files::contents(run.save(of_plain));
  CHECK_THAT(expected, ContainsSubstring("\"plait.optimizer_steps\":\"1000000\""));
  const auto same_under = [&](auto* facet) {
    const Locale locale(facet);
    const files::Directory directory;
    Checkpoints checkpoints(directory.path());
    CHECK(files::contents(run.save(checkpoints)) == expected);
    Run other;
    REQUIRE(other.resume(checkpoints));
    check_equal(other, run);
    CHECK(other.progress.epoch == 1234567);
    Run of_other_rate(plait::Adam{.learning_rate = 1234.5});
    CHECK_THROWS_WITH(of_other_rate.resume(checkpoints),
                      ContainsSubstring("learning_rate: got 0.05, expected 1234.5 as in this run"));
  };
  same_under(new German);
  same_under(new Grouping);
}

TEST_CASE("locale: model files and reports are the same under any") {
  const Run run;
  const std::vector<plait::Head> heads{{.pos_weight = 1234.5}, {.weight = 0.25}};
  const files::Directory directory;
  plait::save(run.model, directory / "plain", {.heads = heads});
  const std::string json = plait::to_json(plait::ExpertReport{.rows = 1234567, .levels = {}});
  const Locale locale(new German);
  plait::save(run.model, directory / "german", {.heads = heads});
  CHECK(files::contents(directory / "plain") == files::contents(directory / "german"));
  CHECK(plait::load<float>(directory / "german").heads[0].pos_weight == 1234.5);
  CHECK(plait::to_json(plait::ExpertReport{.rows = 1234567, .levels = {}}) == json);
}

TEST_CASE("locale: tables and errors are the same under any") {
  const std::vector<std::vector<plait::MetricValue>> single{
      {{"click", "auc", 0.5, plait::Better::higher},
       {"watch", "mse", 12345.5, plait::Better::lower}}};
  const std::vector<std::vector<plait::MetricValue>> multi{
      {{"click", "auc", 0.75, plait::Better::higher},
       {"watch", "mse", 1234567.25, plait::Better::lower}}};
  const auto report = plait::seesaw_report(multi, single);
  const std::string plain = report.text();
  CHECK_THAT(plain, ContainsSubstring(" 0.5000 ") && ContainsSubstring(" +0.2500 ") &&
                        ContainsSubstring(" 12345.5000 ") && ContainsSubstring(" -1222221.7500 "));
  for (int facet = 0; facet < 2; ++facet) {
    const Locale locale = facet == 0 ? Locale(new German) : Locale(new Grouping);
    CHECK(report.text() == plain);
    CHECK(plait::text(1234567, ' ', 1234.5, ' ', true, ' ', -1e-7) == "1234567 1234.5 1 -1e-07");
    CHECK_THROWS_WITH(plait::Schedule::step_decay(-1000000),
                      "plait::Schedule: every: got -1000000, expected at least 1");
    CHECK(plait::csv_number(12345.5) == "12345.5");
    CHECK(plait::fixed_number(-12345.678, 2) == "-12345.68");
  }
}

TEST_CASE("locale: files and numbers are the same under the C library's") {
  const Run run;
  const std::vector<plait::Head> heads{{.pos_weight = 1234.5}, {.weight = 0.25}};
  const files::Directory directory;
  plait::save(run.model, directory / "plain", {.heads = heads});
  const CLocale locale;
  if (!locale.is_installed()) {
    WARN("skipped: no locale with a comma for a point is installed");
    return;
  }
  plait::save(run.model, directory / "other", {.heads = heads});
  CHECK(files::contents(directory / "plain") == files::contents(directory / "other"));
  CHECK(plait::load<float>(directory / "other").heads[0].pos_weight == 1234.5);
  CHECK(plait::text(1234567, ' ', 1234.5) == "1234567 1234.5");
  CHECK(plait::csv_number(12345.5) == "12345.5");
  CHECK(plait::fixed_number(-12345.678, 2) == "-12345.68");
}
