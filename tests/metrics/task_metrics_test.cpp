#include "plait/metrics/task_metrics.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "plait/core/random.hpp"
#include "plait/core/tensor.hpp"
#include "support/catch.hpp"

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
    CHECK_THAT(x[i].value, WithinAbs(y[i].value, tolerance));
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
