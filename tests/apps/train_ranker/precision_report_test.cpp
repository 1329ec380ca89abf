#include "precision_report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "format.hpp"
#include "support/catch.hpp"

namespace {

using ranker::Result;
using ranker::Run;
using ranker::TaskCost;

const std::vector<plait::Head> heads{{.name = "click"},
                                     {.kind = plait::HeadKind::regression, .name = "dwell"}};

Run run(std::uint64_t seed, double change) {
  Run result;
  result.seed = seed;
  result.test.resize(2);
  result.precision = {{.loss = 0.5,
                       .loss_change = change,
                       .auc = 0.8,
                       .auc_change = change / 1000,
                       .calibration = 1.25,
                       .calibration_change = 2 * change},
                      {.loss = 2, .loss_change = -change}};
  return result;
}

TaskCost change(double percent) { return {.loss = 1, .loss_change = percent}; }

Result result(std::vector<Run> runs) {
  Result of{"mmoe", 3400, std::move(runs)};
  of.weights = {{"a.weight", {change(0.02), change(-0.03)}}, {"b.weight", {change(0.01), {}}}};
  of.keep = ranker::KeepList{
      .bound = 0.01, .names = {"a.weight"}, .tasks = {change(0.005), change(-0.008)}};
  return of;
}

}  // namespace

TEST_CASE("precision report: a row per task and seed, and the means of several seeds") {
  const auto one = ranker::precision_table(heads, result({run(4, 0.01)}));
  CHECK(one.rows ==
        std::vector<std::vector<std::string>>{
            {"click, 4", "NE 0.5000", "+0.0100", "0.8000", "+0.000010", "1.2500", "+0.0200"},
            {"dwell, 4", "MSE 2.0000", "-0.0100", "-", "-", "-", "-"}});
  for (const auto& row : one.rows) CHECK(row.size() == one.header.size());

  const auto two = ranker::precision_table(heads, result({run(4, 0.01), run(5, -0.03)}));
  REQUIRE(two.rows.size() == 6);
  CHECK(two.rows[1][2] == "-0.0300");
  CHECK(two.rows[2] == std::vector<std::string>{"click, all", "NE 0.5000", "0.0200", "0.8000",
                                                "0.000020", "1.2500", "0.0400"});
  CHECK(two.rows[5][0] == "dwell, all");
}

TEST_CASE("precision report: a row per weight") {
  const auto table = ranker::weight_table(heads, result({run(1, 0.01)}));
  CHECK(table.header == std::vector<std::string>{"weight", "click", "dwell"});
  CHECK(table.rows == std::vector<std::vector<std::string>>{{"a.weight", "+0.0200", "-0.0300"},
                                                            {"b.weight", "+0.0100", "-"}});
}

TEST_CASE("precision report: the weights to keep, as code") {
  Result of = result({run(1, 0.01)});
  CHECK(ranker::keep_summary(of) ==
        "Every loss is within 0.01 % (largest 0.0080 %) when 1 of 2 weights stay in full "
        "precision:");
  CHECK(ranker::keep_code(*of.keep) == ".keep = {\"a.weight\"}");
  of.keep->names.push_back("b.weight");
  CHECK(ranker::keep_code(*of.keep) == ".keep = {\"a.weight\", \"b.weight\"}");
  of.keep->names.clear();
  CHECK(ranker::keep_code(*of.keep).empty());
  CHECK(ranker::keep_summary(of) ==
        "Every loss is within 0.01 % (largest 0.0080 %) with nothing kept.");
}

TEST_CASE("precision report: of results that were measured, in lines that fit") {
  Run failed;  // while it was measured
  failed.seed = 7;
  std::vector<Result> results{result({failed, run(8, 0.01)}), {"ple", 1, {failed}}};
  CHECK(ranker::has_precision(results));
  CHECK(ranker::weights_seed(results[0]) == 8);
  for (const int width : {60, 80}) {
    const std::string text = ranker::precision_text(heads, results, width);
    CHECK(text.find("mmoe, seed 8, one weight") != std::string::npos);
    CHECK(text.find("click, 7") == std::string::npos);
    CHECK(text.find("\n.keep = {\"a.weight\"}\n") != std::string::npos);
    CHECK(text.find("ple") == std::string::npos);
    CHECK(text.find("nan") == std::string::npos);
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
      CHECK(ranker::width_of(line) <= static_cast<std::size_t>(width));
  }
  results.erase(results.begin());
  CHECK_FALSE(ranker::has_precision(results));
  CHECK(ranker::precision_text(heads, results, 80).empty());
}

TEST_CASE("precision report: the file for programs has the changes where they were measured") {
  const std::vector<Result> results{result({run(1, 0.01), run(2, -0.03)}), {"ple", 1, {run(1, 0)}}};
  const auto plain = ranker::result_csv(heads, std::vector<Result>{{"ple", 1, {run(1, 0)}}}, "");
  const auto csv = ranker::result_csv(heads, results, "");
  CHECK(csv.header.size() == plain.header.size() + 10);
  const auto column = [&](const std::string& name) {
    const auto at = std::find(csv.header.begin(), csv.header.end(), name);
    REQUIRE(at != csv.header.end());
    return std::strtod(csv.rows[0][static_cast<std::size_t>(at - csv.header.begin())].c_str(),
                       nullptr);
  };
  CHECK(column("click bf16 NE change percent") == Approx(-0.01));
  CHECK(column("click bf16 AUC change") == Approx(-1e-5));
  CHECK(column("click calibration") == Approx(1.25));
  CHECK(column("click bf16 calibration change percent deviation") == Approx(0.04 * std::sqrt(2.0)));
  CHECK(column("dwell bf16 MSE change percent") == Approx(0.01));
}
