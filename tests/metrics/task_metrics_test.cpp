#include "plait/metrics/task_metrics.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "plait/core/random.hpp"
#include "plait/core/tensor.hpp"
#include "support/catch.hpp"
#include "support/every_kind.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Message;
using Catch::Matchers::WithinAbs;
using plait::Head;
using plait::HeadKind;
using plait::Index;
using plait::Targets;
using plait::TaskMetrics;
using plait::Tensor;

namespace {

const std::vector<Head> heads = {{.pos_weight = 3, .weight = 0.5, .name = "click"},
                                 {.kind = HeadKind::regression},
                                 {.kind = HeadKind::multiclass, .classes = 3, .name = "topic"}};

template <class Scalar>
struct Batch {
  Tensor<Scalar> logits, labels, mask, weights;

  explicit Batch(Index rows)
      : logits(rows, 1, 5), labels(rows, 1, 3), mask(rows, 1, 3), weights(rows, 1, 1) {
    plait::Random random(3);
    for (Index b = 0; b < rows; ++b) {
      for (Index c = 0; c < 5; ++c) logits.view()(b, 0, c) = Scalar(random.normal());
      labels.view()(b, 0, 0) = Scalar(random.below(2));
      labels.view()(b, 0, 1) = Scalar(random.normal());
      labels.view()(b, 0, 2) = Scalar(random.below(3));
      for (Index t = 0; t < 3; ++t) mask.view()(b, 0, t) = random.uniform() < 0.7 ? 1 : 0;
      weights.view()(b, 0, 0) = Scalar(random.uniform() < 0.2 ? 0 : random.uniform());
    }
  }
  Targets<Scalar> targets() const { return {labels, mask, weights}; }
};

void check_equal(const TaskMetrics& a, const TaskMetrics& b, double tolerance) {
  const auto x = a.values(), y = b.values();
  REQUIRE(x.size() == y.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    CAPTURE(x[i].task, x[i].name);
    CHECK_THAT(x[i].value, WithinAbs(y[i].value, tolerance * std::max(1.0, std::abs(y[i].value))));
  }
}

}  // namespace

TEMPLATE_TEST_CASE("every task has the metrics of its head", "", float, double) {
  const Batch<TestType> batch(200);
  TaskMetrics metrics(heads);
  metrics.add(batch.logits.view(), batch.targets());
  const auto values = metrics.values();

  // The same from the definitions, over the labels that count.
  plait::AUC auc;
  plait::LogLoss log_loss;
  plait::Calibration calibration;
  plait::MeanSquaredError mse;
  double class_loss = 0, right = 0, class_weight = 0;
  for (Index b = 0; b < 200; ++b) {
    const double w = double(batch.weights.view()(b, 0, 0));
    const TestType* z = batch.logits.view().row(b);
    const TestType* y = batch.labels.view().row(b);
    const TestType* m = batch.mask.view().row(b);
    if (m[0] == 1) {
      const double p = 1 / (1 + std::exp(-double(z[0])));
      auc.add(p, double(y[0]), w);
      log_loss.add_probability(p, double(y[0]), w);
      calibration.add(p, double(y[0]), w);
    }
    if (m[1] == 1) mse.add(double(z[1]), double(y[1]), w);
    if (m[2] == 1) {
      double sum = 0;
      bool largest = true;
      const auto label = static_cast<Index>(y[2]);
      for (Index k = 0; k < 3; ++k) {
        sum += std::exp(double(z[2 + k]));
        largest = largest && z[2 + k] <= z[2 + label];
      }
      class_loss += w * (std::log(sum) - double(z[2 + label]));
      right += largest ? w : 0;
      class_weight += w;
    }
  }
  const struct {
    const char* task;
    const char* name;
    double value;
    plait::Better better;
  } expected[] = {
      {"click", "auc", auc.value(), plait::Better::higher},
      {"click", "normalized_entropy", log_loss.normalized_entropy(), plait::Better::lower},
      {"click", "log_loss", log_loss.value(), plait::Better::lower},
      {"click", "calibration", calibration.value(), plait::Better::closer_to_one},
      {"task1", "mse", mse.value(), plait::Better::lower},
      {"topic", "log_loss", class_loss / class_weight, plait::Better::lower},
      {"topic", "accuracy", right / class_weight, plait::Better::higher}};
  REQUIRE(values.size() == std::size(expected));
  for (std::size_t i = 0; i < values.size(); ++i) {
    CAPTURE(i);
    CHECK(values[i].task == expected[i].task);
    CHECK(values[i].name == expected[i].name);
    CHECK(values[i].better == expected[i].better);
    CHECK_THAT(values[i].value, WithinAbs(expected[i].value, sizeof(TestType) == 4 ? 1e-6 : 1e-12));
  }
}

TEST_CASE("batches and merged accumulators add up to the whole") {
  const Batch<float> batch(100);
  TaskMetrics whole(heads), batches(heads), other(heads);
  whole.add(batch.logits.view(), batch.targets());
  batches.add(batch.logits.view().rows(0, 30), batch.targets().rows(0, 30));
  batches.add(batch.logits.view().rows(30, 25), batch.targets().rows(30, 25));
  other.add(batch.logits.view().rows(55, 45), batch.targets().rows(55, 45));
  batches.merge(other);
  check_equal(batches, whole, 1e-13);
}

TEST_CASE("labels that are masked out have no influence, not even as NaN") {
  Batch<float> batch(50);
  TaskMetrics clean(heads), poisoned(heads);
  clean.add(batch.logits.view(), batch.targets());
  const auto offsets = plait::head_offsets(heads);
  for (Index b = 0; b < 50; ++b)
    for (Index t = 0; t < 3; ++t)
      if (batch.mask.view()(b, 0, t) == 0) {
        batch.labels.view()(b, 0, t) = std::numeric_limits<float>::quiet_NaN();
        batch.logits.view()(b, 0, offsets[static_cast<std::size_t>(t)]) =
            std::numeric_limits<float>::quiet_NaN();
      }
  poisoned.add(batch.logits.view(), batch.targets());
  check_equal(poisoned, clean, 0);
}

TEST_CASE("metrics without a label that counts are NaN") {
  const TaskMetrics metrics(heads);
  const auto values = metrics.values();
  REQUIRE(values.size() == 7);
  for (const auto& metric : values) CHECK(std::isnan(metric.value));
}

TEST_CASE("metrics refuse what does not fit the heads, before anything is added") {
  Batch<float> batch(4);
  TaskMetrics metrics(heads);
  CHECK_THROWS_MATCHES(metrics.add(batch.labels.view(), batch.targets()), plait::ShapeError,
                       Message("plait::TaskMetrics: logits: got [4, 1, 3], expected [4, 1, 5]"));
  batch.mask.view()(3, 0, 1) = 2;
  CHECK_THROWS_MATCHES(metrics.add(batch.logits.view(), batch.targets()), plait::ValueError,
                       Message("plait::TaskMetrics: mask of row 3, task1: got 2, expected 0 or 1"));
  for (const auto& metric : metrics.values()) CHECK(std::isnan(metric.value));
  CHECK_THROWS_MATCHES(TaskMetrics({}), plait::ConfigError,
                       Message("plait::TaskMetrics: heads: got none, expected at least one"));
  CHECK_THROWS_MATCHES(metrics.merge(TaskMetrics({{}, {}, {}})), plait::ConfigError,
                       Message("plait::TaskMetrics: merge: got metrics of other tasks, expected "
                               "the same tasks"));
}

TEMPLATE_TEST_CASE("every kind has its metrics over the labels that count, by brute force", "",
                   float, double) {
  constexpr Index rows = 120;
  every_kind::Batch<TestType> batch(rows);
  const auto& all = batch.loss.heads();
  // What does not count must have no influence, not even as NaN.
  for (Index b = 0; b < rows; ++b)
    for (Index k = 0; k < batch.columns; ++k)
      if (batch.mask.view()(b, 0, k) == 0 || batch.space.view()(b, 0, k) == 0)
        batch.labels.view()(b, 0, k) = std::numeric_limits<TestType>::quiet_NaN();
  TaskMetrics metrics(all);
  metrics.add(batch.logits.view(), Targets<TestType>{batch.labels, batch.mask, batch.weights,
                                                     batch.space, batch.groups});

  const auto counts = [&](Index b, Index t) {
    const Index k = plait::label_column(all, t);
    return double(batch.mask.view()(b, 0, k) * batch.space.view()(b, 0, k) *
                  batch.weights.view()(b, 0, 0));
  };
  const auto label = [&](Index b, Index t) {
    return double(batch.labels.view()(b, 0, plait::label_column(all, t)));
  };
  const auto logit = [&](Index b, Index t, Index c = 0) {
    return double(batch.logits.view()(b, 0, batch.loss.offset(t) + c));
  };
  const auto mean = [&](Index t, const auto& number) {
    double sum = 0, weight = 0;
    for (Index b = 0; b < rows; ++b)
      if (counts(b, t) > 0) {
        sum += counts(b, t) * number(b);
        weight += counts(b, t);
      }
    return sum / weight;
  };
  const auto probability = [](double z) { return 1 / (1 + std::exp(-z)); };
  // Share of the pairs (positive, negative) in the right order, in all rows or within groups.
  const auto ordered = [&](Index t, const auto& score, const auto& positive, bool in_group) {
    double right = 0, pairs = 0;
    for (Index i = 0; i < rows; ++i)
      for (Index j = 0; j < rows; ++j) {
        const bool together = batch.groups[std::size_t(i)] == batch.groups[std::size_t(j)];
        const double weight = counts(i, t) * counts(j, t);
        if (weight == 0 || (in_group && !together) || !positive(i, j)) continue;
        right += weight * (score(i) > score(j) ? 1 : score(i) == score(j) ? 0.5 : 0);
        pairs += weight;
      }
    return right / pairs;
  };

  struct Expected {
    const char* task;
    const char* name;
    double value;
  };
  std::vector<Expected> expected;
  const auto event = [&](const char* task, Index t, const auto& p) {
    plait::GAUC gauc;
    for (Index b = 0; b < rows; ++b)
      if (counts(b, t) > 0) gauc.add(batch.groups[std::size_t(b)], p(b), label(b, t), counts(b, t));
    const auto above = [&](Index i, Index j) { return label(i, t) == 1 && label(j, t) == 0; };
    const double rate = mean(t, [&](Index b) { return label(b, t); });
    const double loss =
        mean(t, [&](Index b) { return -(label(b, t) == 1 ? std::log(p(b)) : std::log1p(-p(b))); });
    const double entropy = -rate * std::log(rate) - (1 - rate) * std::log(1 - rate);
    expected.insert(expected.end(), {{task, "auc", ordered(t, p, above, false)},
                                     {task, "gauc", gauc.value()},
                                     {task, "normalized_entropy", loss / entropy},
                                     {task, "log_loss", loss},
                                     {task, "calibration", mean(t, p) / rate}});
  };
  const auto of_click = [&](Index b) { return probability(logit(b, 0)); };
  const auto of_like = [&](Index b) { return of_click(b) * probability(logit(b, 1)); };
  const auto of_share = [&](Index b) { return of_like(b) * probability(logit(b, 2)); };
  event("click", 0, of_click);
  event("like", 1, of_like);
  event("share", 2, of_share);
  event("focal", 3, [&](Index b) { return probability(logit(b, 3)); });
  for (const Index t : {4, 5})
    expected.push_back({t == 4 ? "watch" : "huber", "mse",
                        mean(t, [&](Index b) { return std::pow(logit(b, t) - label(b, t), 2); })});
  const auto spend = [&](Index b) {
    const double s = std::max(std::log1p(std::exp(logit(b, 6, 2))), std::sqrt(1e-7));
    return probability(logit(b, 6)) * std::exp(logit(b, 6, 1) + s * s / 2);
  };
  const auto spends = [&](Index i, Index j) { return label(i, 6) > 0 && label(j, 6) == 0; };
  expected.push_back({"spend", "auc",
                      ordered(
                          6, [&](Index b) { return logit(b, 6); }, spends, false)});
  expected.push_back({"spend", "log_loss", mean(6, [&](Index b) {
                        const double y = label(b, 6), p = probability(logit(b, 6));
                        if (y == 0) return -std::log1p(-p);
                        const double s =
                            std::max(std::log1p(std::exp(logit(b, 6, 2))), std::sqrt(1e-7));
                        const double u = (std::log(y) - logit(b, 6, 1)) / s;
                        return -std::log(p) + std::log(y * s * std::sqrt(2 * M_PI)) + u * u / 2;
                      })});
  expected.push_back(
      {"spend", "calibration", mean(6, spend) / mean(6, [&](Index b) { return label(b, 6); })});
  expected.push_back({"topic", "log_loss", mean(7, [&](Index b) {
                        double sum = 0;
                        for (Index c = 0; c < 3; ++c) sum += std::exp(logit(b, 7, c));
                        return std::log(sum) - logit(b, 7, Index(label(b, 7)));
                      })});
  expected.push_back({"topic", "accuracy", mean(7, [&](Index b) {
                        const double of_label = logit(b, 7, Index(label(b, 7)));
                        for (Index c = 0; c < 3; ++c)
                          if (logit(b, 7, c) > of_label) return 0.0;
                        return 1.0;
                      })});
  const auto stars = [&](Index b) {
    return double(logit(b, 8, 0) > 0) + double(logit(b, 8, 1) > 0) + double(logit(b, 8, 2) > 0);
  };
  expected.push_back({"stars", "log_loss", mean(8, [&](Index b) {
                        double sum = 0;
                        for (Index c = 0; c < 3; ++c)
                          sum += std::log1p(
                              std::exp(label(b, 8) > double(c) ? -logit(b, 8, c) : logit(b, 8, c)));
                        return sum;
                      })});
  expected.push_back(
      {"stars", "accuracy", mean(8, [&](Index b) { return double(stars(b) == label(b, 8)); })});
  expected.push_back(
      {"stars", "mae", mean(8, [&](Index b) { return std::abs(stars(b) - label(b, 8)); })});
  for (const Index t : {9, 10})
    expected.push_back({t == 9 ? "pairs" : "list", "pair_accuracy",
                        ordered(
                            t, [&](Index b) { return logit(b, t); },
                            [&](Index i, Index j) { return label(i, t) > label(j, t); }, true)});
  event("jrc", 11, [&](Index b) { return probability(logit(b, 11, 1) - logit(b, 11, 0)); });

  const auto values = metrics.values();
  REQUIRE(values.size() == expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    CAPTURE(i, expected[i].task, expected[i].name);
    CHECK(values[i].task == expected[i].task);
    CHECK(values[i].name == expected[i].name);
    CHECK_THAT(values[i].value,
               Catch::Matchers::WithinRel(expected[i].value, sizeof(TestType) == 4 ? 1e-5 : 1e-12));
  }
}

TEST_CASE("of every kind, merged accumulators of whole groups add up to the whole") {
  const every_kind::Batch<double> batch(60);
  const auto& all = batch.loss.heads();
  TaskMetrics whole(all), merged(all), other(all);
  whole.add(batch.logits.view(), batch.targets());
  Index cut = 20;
  while (batch.groups[std::size_t(cut)] == batch.groups[std::size_t(cut - 1)]) ++cut;
  merged.add(batch.logits.view().rows(0, cut), batch.targets().rows(0, cut));
  other.add(batch.logits.view().rows(cut, 60 - cut), batch.targets().rows(cut, 60 - cut));
  merged.merge(other);
  check_equal(merged, whole, 1e-12);
}

TEST_CASE("gauc is told where there are groups, in any order") {
  const std::vector<Head> binary{{}};
  plait::Matrix<double> logits(4, 1), labels(4, 1);
  logits << 0.1, 0.9, 0.5, 0.4;
  labels << 1, 0, 0, 1;
  const std::vector<std::int64_t> groups{7, 2, 7, 2};
  TaskMetrics without(binary), with(binary);
  without.add<double>(logits, Targets<double>{labels});
  with.add<double>(logits, Targets<double>{labels, {}, {}, {}, groups});
  REQUIRE(without.values().size() == 4);
  REQUIRE(with.values().size() == 5);
  CHECK(with.values()[1].name == "gauc");
  CHECK(with.values()[1].value == 0);
  CHECK(with.values()[0].value == 0);
}

TEST_CASE("groups in some batches only are refused: their gauc would be that of some rows") {
  plait::Matrix<double> logits(4, 1), labels(4, 1);
  logits << 0.1, 0.9, 0.5, 0.4;
  labels << 1, 0, 0, 1;
  const std::vector<std::int64_t> groups{7, 2, 7, 2};
  const Targets<double> bare{labels}, grouped{labels, {}, {}, {}, groups};
  for (const Head& head : {Head{}, Head{.kind = HeadKind::focal}}) {
    TaskMetrics first({head}), second({head});
    first.add<double>(logits, bare);
    const double auc = first.values()[0].value;
    CHECK_THROWS_MATCHES(first.add<double>(logits, grouped), plait::ShapeError,
                         Message("plait::TaskMetrics: groups: got one per row, expected none, as "
                                 "in the batches before"));
    second.add<double>(logits, grouped);
    second.add<double>(logits, grouped);
    const double gauc = second.values()[1].value;
    CHECK_THROWS_MATCHES(second.add<double>(logits, bare), plait::ShapeError,
                         Message("plait::TaskMetrics: groups: got none, expected one per row, as "
                                 "in the batches before"));
    CHECK_THROWS_MATCHES(first.merge(second), plait::ConfigError,
                         Message("plait::TaskMetrics: merge: got batches with groups and batches "
                                 "without, expected groups in all batches or in none"));
    CHECK_THROWS_AS(second.merge(first), plait::ConfigError);
    CHECK(first.values().size() == 4);
    CHECK(first.values()[0].value == auc);
    CHECK(second.values()[1].value == gauc);

    // Without rows there is nothing to tell groups of.
    const plait::Matrix<double> no_rows(0, 1);
    second.add<double>(no_rows, Targets<double>{no_rows});
    second.merge(TaskMetrics({head}));
    TaskMetrics later({head});
    later.add<double>(no_rows, Targets<double>{no_rows});
    later.merge(second);
    CHECK(later.values()[1].value == gauc);
    CHECK_THROWS_AS(later.add<double>(logits, bare), plait::ShapeError);
  }
  TaskMetrics numbers({{.kind = HeadKind::regression}});  // has no gauc
  numbers.add<double>(logits, bare);
  numbers.add<double>(logits, grouped);
  CHECK(numbers.values().size() == 1);
}

TEST_CASE("a logit of NaN makes every metric of its task NaN, and no other task's") {
  const every_kind::Batch<double> clean(60);
  const auto& all = clean.loss.heads();
  TaskMetrics expected(all);
  expected.add(clean.logits.view(), clean.targets());
  const auto before = expected.values();
  for (Index column = 0; column < clean.loss.width(); ++column) {
    every_kind::Batch<double> batch(60);
    Index task = 0;
    while (batch.loss.offset(task) + all[std::size_t(task)].width() <= column) ++task;
    if (all[std::size_t(task)].kind == HeadKind::ziln) continue;  // its auc reads one logit
    for (Index b = 0; b < 60; ++b)
      batch.logits.view()(b, 0, column) = std::numeric_limits<double>::quiet_NaN();
    TaskMetrics metrics(all);
    metrics.add(batch.logits.view(), batch.targets());
    const auto after = metrics.values();
    REQUIRE(after.size() == before.size());
    for (std::size_t i = 0; i < after.size(); ++i) {
      CAPTURE(column, after[i].task, after[i].name);
      const bool conditional = column <= 1 && (after[i].task == "like" || after[i].task == "share");
      const bool of_task = after[i].task == all[std::size_t(task)].name || conditional;
      if (of_task)
        CHECK(std::isnan(after[i].value));
      else
        CHECK(after[i].value == before[i].value);
    }
  }
}

TEST_CASE("a batch with pairs whose weight is none is refused before any task has taken it") {
  plait::Matrix<double> logits(4, 3), labels(4, 3), weights(4, 1);
  logits << 0.1, 0.9, 0.5, 0.4, 0.2, 0.1, 0.3, 0.8, 0.6, 0.7, 0.5, 0.9;
  labels << 1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1, 1;
  const std::vector<std::int64_t> groups{1, 1, 2, 2};
  const auto same = [](const TaskMetrics& a, const TaskMetrics& b) {
    return std::ranges::equal(a.values(), b.values(), [](const auto& x, const auto& y) {
      return x.name == y.name &&
             (x.value == y.value || (std::isnan(x.value) && std::isnan(y.value)));
    });
  };
  // After a click, between two tasks with pairs, and of groups of which the first is fine.
  const Head click, pairs{.kind = HeadKind::pairwise}, list{.kind = HeadKind::listwise};
  for (const std::vector<Head>& heads :
       {std::vector{click, click, pairs}, std::vector{pairs, click, list},
        std::vector{list, pairs, click}}) {
    weights << 1, 2, 1e200, 1e200;
    const Targets<double> refused{labels, {}, weights, {}, groups};
    TaskMetrics metrics(heads);
    CHECK_THROWS_AS(metrics.add<double>(logits, refused), plait::ValueError);
    CHECK(same(metrics, TaskMetrics(heads)));
    plait::Matrix<double> light(4, 1);
    light << 1, 2, 3, 4;
    metrics.add<double>(logits, Targets<double>{labels, {}, light, {}, groups});
    const TaskMetrics before = metrics;
    CHECK_THROWS_WITH(metrics.add<double>(logits, refused),
                      ContainsSubstring("weight: got inf, expected a finite number of at least 0"));
    CHECK(same(metrics, before));
  }
  // Rows that make no pair may weigh as much.
  weights << 1e200, 1e200, 1, 1;
  labels << 1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1;
  TaskMetrics metrics({click, click, pairs});
  metrics.add<double>(logits, Targets<double>{labels, {}, weights, {}, groups});
  CHECK(metrics.values().back().value == 1);
}
