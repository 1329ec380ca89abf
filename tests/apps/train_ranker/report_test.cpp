#include "report.hpp"

#include <cmath>
#include <sstream>

#include "format.hpp"
#include "support/catch.hpp"

namespace {

using ranker::Result;
using ranker::Run;

const std::vector<plait::Head> heads{{.name = "click"},
                                     {.kind = plait::HeadKind::regression, .name = "dwell"}};

Run run(double auc, double mse) {
  Run result;
  result.test.resize(2);
  result.test[0].auc = auc;
  result.test[0].ne = 0.5;
  result.test[1].mse = mse;
  result.seconds_per_epoch = 2;
  result.rows_per_second = 10000;
  return result;
}

const std::vector<Result> results{{"single-task", 1200, {run(0.80, 0.50)}},
                                  {"mmoe", 3400, {run(0.88, 0.40)}}};

}  // namespace

TEST_CASE("report: spread is the mean and the sample standard deviation") {
  const auto three = ranker::spread(std::vector<double>{1, 2, 6});
  CHECK(three.mean == Approx(3));
  CHECK(three.deviation == Approx(std::sqrt(7.0)));
  CHECK(std::isnan(ranker::spread(std::vector<double>{1}).deviation));
}

TEST_CASE("report: the gain counts a higher AUC and a lower MSE as better") {
  // AUC +10 %, MSE -20 %.
  CHECK(ranker::gain(heads, results[1], results[0]) == Approx(15));
  CHECK(ranker::gain(heads, results[0], results[0]) == Approx(0).margin(1e-12));
  const Result worse{"worse", 1, {run(0.72, 0.60)}};
  CHECK(ranker::gain(heads, worse, results[0]) == Approx(-15));
}

TEST_CASE("report: a task without a metric is left out of the gain") {
  Result unknown = results[1];
  unknown.runs[0].test[0].auc = std::nan("");
  CHECK(ranker::gain(heads, unknown, results[0]) == Approx(20));
}

TEST_CASE("report: the table for people") {
  const auto table = ranker::result_table(heads, results, "single-task");
  CHECK(table.header == std::vector<std::string>{"model", "parameters", "click AUC", "click NE",
                                                 "dwell MSE", "gain %", "s/epoch", "rows/s"});
  REQUIRE(table.rows.size() == 2);
  CHECK(table.rows[1] == std::vector<std::string>{"mmoe", "3,400", "0.8800", "0.5000", "0.4000",
                                                  "+15.00", "2.00", "10,000"});
  CHECK(ranker::result_table(heads, results, "not trained").rows[1][5] == "-");
}

TEST_CASE("report: who gained over the baseline and who lost, of results with as many seeds") {
  const std::vector<Result> pair{{"single-task", 1200, {run(0.80, 0.50), run(0.80, 0.52)}},
                                 {"mmoe", 3400, {run(0.90, 0.60), run(0.91, 0.61)}},
                                 {"ple", 3400, {run(0.90, 0.60)}}};  // interrupted
  const std::string report = ranker::seesaw_text(heads, pair, "single-task", 80);
  CHECK(report.starts_with("\nmmoe against single-task:\ntask "));
  CHECK(report.find("click  auc") != std::string::npos);
  CHECK(report.find("gained 1, lost 1, unclear 0: a seesaw") != std::string::npos);
  CHECK(report.find("ple") == std::string::npos);
  CHECK(ranker::seesaw_text(heads, pair, "not trained", 80).empty());
  CHECK(ranker::seesaw_text(heads, std::span(pair).first(1), "single-task", 80).empty());
}

TEST_CASE("report: lines for people fit 80 and 60 columns, with several seeds and with one") {
  std::vector<plait::Head> long_heads = heads;
  long_heads[0].name = "never married";
  const auto lines_fit = [&](std::span<const Result> of, int width) {
    const auto table = ranker::result_table(long_heads, of, "single-task");
    std::istringstream text(ranker::to_text(table, width) +
                            ranker::seesaw_text(long_heads, of, "single-task", width));
    std::string line;
    while (std::getline(text, line)) {
      INFO(line);
      CHECK(ranker::width_of(line) <= static_cast<std::size_t>(width));
      CHECK(line.find("nan") == std::string::npos);
    }
  };
  const std::vector<Result> three{
      {"single-task", 1200000, {run(0.80, 0.50), run(0.81, 0.52), run(0.8, 0.51)}},
      {"shared-bottom nash-mtl", 3400000, {run(0.90, 0.60), run(0.91, 0.61), run(0.9, 1e15)}}};
  for (const int width : {60, 80, 200}) {
    lines_fit(results, width);
    lines_fit(three, width);
  }
}

TEST_CASE("report: the spread of one seed is none") {
  const std::string one = ranker::seesaw_text(heads, results, "single-task", 80);
  CHECK(one.find("unclear 2; relative gain +15.0000 %, 1 seed\n") != std::string::npos);
  CHECK(one.find("spread  verdict") != std::string::npos);
  CHECK(one.find("-  unclear") != std::string::npos);
  CHECK(one.find("nan") == std::string::npos);
}

TEST_CASE("report: runs are compared by their seeds") {
  std::vector<Result> pair{{"single-task", 1200, {run(0.80, 0.50), run(0.80, 0.52)}},
                           {"mmoe", 3400, {run(0.90, 0.60), run(0.91, 0.61)}}};
  for (Result& result : pair)
    for (std::size_t i = 0; i < 2; ++i) result.runs[i].seed = 1 + i;
  CHECK(ranker::seesaws(heads, pair, "single-task").size() == 1);
  pair[1].runs[0].seed = 3;  // seed 1 failed
  CHECK(ranker::seesaws(heads, pair, "single-task").empty());
}

TEST_CASE("report: ASCII where the terminal has no more") {
  const std::vector<Result> pair{{"mmoe", 3400, {run(0.87, 0.40), run(0.89, 0.40)}}};
  CHECK(ranker::result_table(heads, pair, "single-task", "+-").rows[0][2] == "0.8800 +- 0.0141");
}

TEST_CASE("report: several seeds show their deviation") {
  const std::vector<Result> pair{{"mmoe", 3400, {run(0.87, 0.40), run(0.89, 0.40)}}};
  const auto table = ranker::result_table(heads, pair, "single-task");
  CHECK(table.rows[0][2] == "0.8800 ± 0.0141");
  const auto csv = ranker::result_csv(heads, pair, "single-task");
  CHECK(csv.header[3] == "click AUC");
  CHECK(csv.rows[0][2] == "2");
  CHECK(std::stod(csv.rows[0][4]) == Approx(std::sqrt(2e-4)));
  CHECK(csv.rows[0][9] == "nan");  // gain without its baseline
}
