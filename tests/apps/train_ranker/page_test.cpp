#include "page.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "format.hpp"
#include "support/catch.hpp"
#include "xml.hpp"

namespace {

using ranker::Epoch;
using ranker::PageContent;
using ranker::Result;
using ranker::Run;

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

const std::vector<plait::Head> three_heads{{.name = "click"},
                                           {.kind = plait::HeadKind::regression, .name = "dwell"},
                                           {.name = "buy <&> \"sell\""}};

ranker::TaskScore score(bool binary, double value) {
  ranker::TaskScore result;
  (binary ? result.auc : result.mse) = value;
  (binary ? result.ne : result.r2) = 1 - value / 2;
  return result;
}

// Numbers that differ from each other, by model, seed, epoch and task.
Run run(int model, int seed, int epochs) {
  const auto scores = [&](double shift) {
    std::vector<ranker::TaskScore> result;
    for (int t = 0; t < 3; ++t)
      result.push_back(score(t != 1, 0.6 + 0.05 * model + 0.003 * seed * seed + 0.01 * t + shift));
    return result;
  };
  Run result;
  result.seed = static_cast<std::uint64_t>(seed);
  for (int e = 1; e <= epochs; ++e) {
    Epoch epoch;
    epoch.number = e;
    epoch.loss = 3.0 / e + model + 0.1 * seed;
    epoch.validation = scores(0.001 * e);
    result.curve.push_back(epoch);
  }
  result.best_epoch = epochs;
  result.epochs = epochs;
  result.test = scores(0.02 * model * (seed % 2));
  result.seconds_per_epoch = 1;
  result.rows_per_second = 1000;
  return result;
}

std::vector<Result> three_results() {
  std::vector<Result> results;
  const char* names[] = {"single-task", "mmoe", "ada<tt> & \"co\""};
  for (int m = 0; m < 3; ++m)
    results.push_back({names[m], 1000 + m, {run(m, 1, 3), run(m, 2, 3), run(m, 3, 3)}});
  ranker::LevelMap map;
  map.level = 1;
  map.units = {"click", "dwell"};
  map.experts = {"click", "a < b"};
  map.gates.resize(2, 2);
  map.gates << 0.75, 0.25, 0.4, 0.6;
  results[1].experts = {map};
  map.level = 2;
  map.statics.resize(2, 2);
  map.statics << -0.31, 0, 0, 0.92;
  results[2].experts = {map};
  return results;
}

PageContent content(const std::vector<Result>& results) {
  return {.description = "rows of \"x\" & <y>",
          .settings = "--batch=1",
          .heads = three_heads,
          .results = results,
          .baseline = "single-task"};
}

bool any_has(const std::vector<std::string>& texts, std::string_view what) {
  return std::any_of(texts.begin(), texts.end(),
                     [&](const std::string& text) { return text.find(what) != std::string::npos; });
}

std::size_t count_with(const std::vector<std::string>& texts, std::string_view what) {
  return static_cast<std::size_t>(
      std::count_if(texts.begin(), texts.end(),
                    [&](const std::string& text) { return text.find(what) != std::string::npos; }));
}

std::vector<std::string> labels_of_pictures(const xml::Element& page) {
  std::vector<std::string> labels;
  page.visit([&](const xml::Element& e) {
    if (e.name == "svg" && e.attributes.count("aria-label") == 1)
      labels.push_back(e.attributes.at("aria-label"));
  });
  return labels;
}

}  // namespace

TEST_CASE("page: well formed, whatever the names") {
  const auto results = three_results();
  const auto page = xml::parse(ranker::to_html(content(results)));
  CHECK(page.name == "html");
  CHECK(page.texts("title").front() == "train_ranker: rows of \"x\" & <y>");
  CHECK(any_has(page.texts("td"), "ada<tt> & \"co\""));
  CHECK(any_has(page.texts("th"), "buy <&> \"sell\" AUC"));
  CHECK(page.texts("code").front() == "--batch=1");
}

TEST_CASE("page: refers to nothing outside of it") {
  const auto results = three_results();
  const std::string html = ranker::to_html(content(results));
  for (const char* outside :
       {"http:", "https:", "//", "url(", "@import", "<script", "<img", "<iframe", "src="}) {
    INFO(outside);
    CHECK(html.find(outside) == std::string::npos);
  }
  xml::parse(html).visit([](const xml::Element& e) {
    const auto link = e.attributes.find("href");
    if (link != e.attributes.end()) CHECK(link->second == "data:,");
  });
}

TEST_CASE("page: the table is the one that is printed") {
  const auto results = three_results();
  const auto page = xml::parse(ranker::to_html(content(results)));
  const auto table = ranker::result_table(three_heads, results, "single-task");
  std::vector<std::string> cells;
  for (const auto& row : table.rows) cells.insert(cells.end(), row.begin(), row.end());
  const auto shown = page.texts("td");
  REQUIRE(shown.size() > cells.size());
  CHECK(std::vector<std::string>(shown.begin(), shown.begin() + std::ssize(cells)) == cells);
  const auto header = page.texts("th");
  CHECK(std::vector<std::string>(header.begin(), header.begin() + std::ssize(table.header)) ==
        table.header);
}

TEST_CASE("page: curves of the loss and of every task's metrics, a line per model and seed") {
  const auto results = three_results();
  const auto page = xml::parse(ranker::to_html(content(results)));
  const auto pictures = labels_of_pictures(page);
  for (const char* title :
       {"Training loss", "click: validation NE", "click: validation AUC", "dwell: validation MSE",
        "dwell: validation R2", "buy <&> \"sell\": validation AUC"})
    CHECK(std::count(pictures.begin(), pictures.end(), title) == 1);
  const auto titles = page.texts("title");
  for (const Result& result : results) {
    for (const Run& each : result.runs) {
      const std::string whose = result.model + ", seed " + std::to_string(each.seed);
      for (const Epoch& epoch : each.curve) {
        const std::string at = whose + ", epoch " + std::to_string(epoch.number) + ": ";
        CHECK(count_with(titles, at) == 7);  // charts
        CHECK(any_has(titles, at + ranker::fixed(epoch.loss, 4)));
        for (std::size_t t = 0; t < 3; ++t)
          CHECK(any_has(titles,
                        at + ranker::fixed(epoch.validation[t].value(three_heads[t].kind), 4)));
      }
      CHECK(count_with(titles, whose + ", epoch 3: ") ==
            count_with(titles, "(the epoch that is tested)") / 9);
    }
    const double mean = (result.runs[0].curve[1].loss + result.runs[1].curve[1].loss +
                         result.runs[2].curve[1].loss) /
                        3;
    CHECK(any_has(titles, result.model + ", mean of 3 seeds, epoch 2: " + ranker::fixed(mean, 4)));
  }
}

TEST_CASE("page: a run that stopped early ends its line, and the mean's") {
  auto results = three_results();
  results[1].runs[2].curve.pop_back();
  const auto titles = xml::parse(ranker::to_html(content(results))).texts("title");
  CHECK_FALSE(any_has(titles, "mmoe, seed 3, epoch 3"));
  CHECK(any_has(titles, "mmoe, seed 2, epoch 3"));
  CHECK(any_has(titles, "mmoe, mean of 3 seeds, epoch 2"));
  CHECK(count_with(titles, "mmoe, mean of 3 seeds, epoch ") == 2 * 7);  // epochs, charts
  CHECK_FALSE(any_has(titles, "mmoe, mean of 2 seeds"));
}

TEST_CASE("page: task against task, with what the table has and the gain over the baseline") {
  const auto results = three_results();
  const auto page = xml::parse(ranker::to_html(content(results)));
  const auto pictures = labels_of_pictures(page);
  for (const char* title :
       {"dwell against click", "buy <&> \"sell\" against click", "buy <&> \"sell\" against dwell"})
    CHECK(std::count(pictures.begin(), pictures.end(), title) == 1);
  const auto titles = page.texts("title");
  const auto table = ranker::result_table(three_heads, results, "single-task");
  const auto gains = ranker::seesaws(three_heads, results, "single-task");
  REQUIRE(gains.size() == 2);
  for (std::size_t m = 1; m < 3; ++m) {
    const auto& all = gains[m - 1].report.gains;
    const auto part = [&](std::size_t task, const std::string& metric, std::size_t column) {
      return "\n" + three_heads[task].name + " " + metric + " " + table.rows[m][column] +
             ", gain " + ranker::signed_fixed(all[task].gain, 4);
    };
    const std::string mean = results[m].model + ", mean of 3 seeds";
    CHECK(any_has(titles, mean + part(0, "AUC", 2) + part(1, "MSE", 4)));
    CHECK(any_has(titles, mean + part(0, "AUC", 2) + part(2, "AUC", 5)));
    CHECK(any_has(titles, mean + part(1, "MSE", 4) + part(2, "AUC", 5)));
    CHECK(count_with(titles, results[m].model + ", seed 2\nclick AUC ") == 2);
  }
  // In the plots of gains the baseline is where the lines cross.
  CHECK_FALSE(any_has(titles, "single-task, mean of 3 seeds\nclick"));
}

TEST_CASE("page: without the baseline the metrics themselves are plotted") {
  const auto all = three_results();
  const std::vector<Result> results(all.begin() + 1, all.end());
  const auto page = xml::parse(ranker::to_html(content(results)));
  const auto titles = page.texts("title");
  const auto table = ranker::result_table(three_heads, results, "single-task");
  CHECK(any_has(titles, "mmoe, mean of 3 seeds\nclick AUC " + table.rows[0][2] + "\ndwell MSE " +
                            table.rows[0][4]));
  CHECK_FALSE(any_has(titles, ", gain "));
  CHECK(any_has(page.texts("text"), "dwell MSE, lower is better"));
}

TEST_CASE("page: every level's gate and static weights, by the names of units and experts") {
  const auto results = three_results();
  const auto page = xml::parse(ranker::to_html(content(results)));
  const auto pictures = labels_of_pictures(page);
  CHECK(std::count(pictures.begin(), pictures.end(), "Level 1, mean gate weights") == 1);
  CHECK(std::count(pictures.begin(), pictures.end(), "Level 2, mean gate weights") == 1);
  CHECK(std::count(pictures.begin(), pictures.end(), "Level 2, static weights") == 1);
  const auto titles = page.texts("title");
  CHECK(any_has(titles, "level 1, mean gate weights\ndwell, expert 2 (a < b): 0.6000"));
  CHECK(any_has(titles, "level 2, static weights\nclick, expert 1 (click): -0.3100"));
  CHECK(page.texts("h3") == std::vector<std::string>{"mmoe, seed 1", "ada<tt> & \"co\", seed 1"});
}

TEST_CASE("page: the probabilities of what is drawn, by level and by block") {
  auto results = three_results();
  ranker::LevelMap map = results[1].experts[0];
  map.gates.resize(0, 0);
  map.drawn.resize(2, 2);
  map.drawn << 0.9, 0.1, 0.35, 0.65;
  results[1].experts = {map};
  map.level = 0;
  map.experts = {"block 1", "block 2"};
  results[2].experts = {map};
  const std::string html = ranker::to_html(content(results));
  const auto page = xml::parse(html);
  const auto pictures = labels_of_pictures(page);
  CHECK(html.find("fill-opacity=\"0.35\"") != std::string::npos);  // of 1, not of the largest
  CHECK(std::count(pictures.begin(), pictures.end(), "Level 1, probabilities") == 1);
  CHECK(std::count(pictures.begin(), pictures.end(), "Blocks, probabilities") == 1);
  const auto titles = page.texts("title");
  CHECK(any_has(titles, "level 1, probabilities\nclick, expert 2 (a < b): 0.1000"));
  CHECK(any_has(titles, "blocks, probabilities\ndwell, block 1 (block 1): 0.3500"));
  CHECK(any_has(page.texts("p"), "Probability"));
  CHECK_FALSE(any_has(page.texts("p"), "Gate"));
}

TEST_CASE("page: what bf16 costs, where it was measured") {
  auto results = three_results();
  CHECK(ranker::to_html(content(results)).find("bf16") == std::string::npos);
  const ranker::TaskCost cost{.loss = 0.5, .loss_change = 0.0123};
  results[2].runs[0].precision = {cost, cost, cost};
  results[2].weights = {{"a<b>.weight", {cost, cost, cost}}};
  results[2].keep = ranker::KeepList{.bound = 0.01, .names = {"a<b>.weight"}};
  const auto page = xml::parse(ranker::to_html(content(results)));
  CHECK(any_has(page.texts("h3"), "ada<tt> & \"co\" in bf16"));
  CHECK(any_has(page.texts("td"), "dwell, 1"));
  CHECK(any_has(page.texts("td"), "a<b>.weight"));
  CHECK(any_has(page.texts("td"), "+0.0123"));
  CHECK(any_has(page.texts("code"), ".keep = {\"a<b>.weight\"}"));
}

TEST_CASE("page: a metric that is undefined is a dash in the table and a gap in the plots") {
  auto results = three_results();
  results[1].runs[1].curve[1].validation[0].auc = undefined;
  for (Result& result : results)
    for (Run& each : result.runs) each.test[2].auc = undefined;
  const std::string html = ranker::to_html(content(results));
  const auto page = xml::parse(html);
  CHECK(html.find("nan") == std::string::npos);
  CHECK(html.find("inf\"") == std::string::npos);
  const auto titles = page.texts("title");
  CHECK(count_with(titles, "mmoe, seed 2, epoch 2: ") == 6);
  CHECK(count_with(titles, "mmoe, mean of 3 seeds, epoch 2: ") == 6);
  CHECK(count_with(titles, "mmoe, seed 1, epoch 2: ") == 7);
  CHECK(count_with(titles, "mmoe, seed 1\nclick AUC ") == 1);  // against dwell, not against buy
  CHECK(count_with(page.texts("text"), "no value is defined") == 2);
  const auto cells = page.texts("td");
  CHECK(std::count(cells.begin(), cells.end(), "-") == 3);
}

TEST_CASE("page: one seed, one task, no result at all") {
  auto results = three_results();
  for (Result& result : results) result.runs.resize(1);
  const auto one_seed = xml::parse(ranker::to_html(content(results)));
  CHECK(any_has(one_seed.texts("p"), "3 models, 3 tasks, 1 seed."));
  CHECK_FALSE(any_has(one_seed.texts("title"), "mean of"));
  CHECK(any_has(one_seed.texts("td"), "unclear"));

  auto one_task = content(results);
  one_task.heads.resize(1);
  CHECK(labels_of_pictures(xml::parse(ranker::to_html(one_task))).front() == "Training loss");

  auto nothing = content({});
  nothing.interrupted = true;
  const auto empty = xml::parse(ranker::to_html(nothing));
  CHECK(any_has(empty.texts("p"), "Interrupted"));
  CHECK(labels_of_pictures(empty).empty());
}

TEST_CASE("page: runs that failed are told") {
  const auto results = three_results();
  auto of = content(results);
  of.failures = {"mmoe, seed 4, epoch 3: 1 < 2", "ple, seed 1, epoch 1: none"};
  const auto paragraphs = xml::parse(ranker::to_html(of)).texts("p");
  for (const auto& failure : of.failures) CHECK(any_has(paragraphs, "Failed: " + failure));
}

TEST_CASE("page: the same results give the same bytes") {
  const auto results = three_results();
  CHECK(ranker::to_html(content(results)) == ranker::to_html(content(three_results())));
}
