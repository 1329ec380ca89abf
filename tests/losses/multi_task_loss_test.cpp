#include "plait/losses/multi_task_loss.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "plait/core/random.hpp"
#include "plait/core/tensor.hpp"
#include "plait/testing/gradcheck.hpp"
#include "support/catch.hpp"
#include "support/every_kind.hpp"
#include "support/fixtures.hpp"
#include "support/tolerance.hpp"

using Catch::Matchers::Message;
using Catch::Matchers::WithinAbs;
using plait::Head;
using plait::HeadKind;
using plait::Index;
using plait::MultiTaskLoss;
using plait::Targets;
using plait::Tensor;

namespace {

// Random logits, labels, masks and weights of a binary, a regression and a three-class task.
template <class Scalar>
struct Batch {
  MultiTaskLoss<Scalar> loss{{{.pos_weight = 2.5, .weight = 0.7},
                              {.kind = HeadKind::regression, .weight = 1.3},
                              {.kind = HeadKind::multiclass, .classes = 3}}};
  Tensor<Scalar> logits, labels, mask, weights;

  explicit Batch(Index rows)
      : logits(rows, 1, 5), labels(rows, 1, 3), mask(rows, 1, 3), weights(rows, 1, 1) {
    plait::Random random(11);
    for (Index b = 0; b < rows; ++b) {
      for (Index c = 0; c < 5; ++c) logits.view()(b, 0, c) = Scalar(2 * random.normal());
      labels.view()(b, 0, 0) = Scalar(random.below(2));
      labels.view()(b, 0, 1) = Scalar(random.normal());
      labels.view()(b, 0, 2) = Scalar(random.below(3));
      for (Index t = 0; t < 3; ++t) mask.view()(b, 0, t) = random.uniform() < 0.7 ? 1 : 0;
      weights.view()(b, 0, 0) = Scalar(random.uniform());
    }
  }
  Targets<Scalar> targets() const { return {labels, mask, weights}; }
};

template <class Scalar>
bool all_zero(const Tensor<Scalar>& tensor) {
  return (tensor.view().of_slot(0).array() == Scalar(0)).all();
}

}  // namespace

TEMPLATE_TEST_CASE("the joint loss of PLE has the worked values", "", float, double) {
  const auto json = fixtures::load("C_losses").at("ple_masked_joint_loss");
  const double tolerance = fixtures::tolerance<TestType>;
  const MultiTaskLoss<TestType> loss({{.weight = json.at("omega_t").at(0).get<double>()},
                                      {.weight = json.at("omega_t").at(1).get<double>()}});
  const auto logits = fixtures::tensor<TestType>(json.at("logits[sample][task]"));
  const auto labels = fixtures::tensor<TestType>(json.at("labels"));
  const auto mask = fixtures::tensor<TestType>(json.at("delta(in sample space)"));
  const auto expected = fixtures::tensor<double>(json.at("grad_logits"));
  const Targets<TestType> targets{labels, mask};
  Tensor<TestType> dlogits(3, 1, 2);

  CHECK_THAT(loss.evaluate_batch(logits, targets, dlogits),
             WithinAbs(json.at("total").get<double>(), tolerance));
  for (Index b = 0; b < 3; ++b)
    for (Index t = 0; t < 2; ++t)
      CHECK_THAT(double(dlogits.view()(b, 0, t)), WithinAbs(expected.view()(b, 0, t), tolerance));

  std::vector<double> normaliser, losses(2, 0.0);
  loss.normaliser(targets, normaliser);
  CHECK(normaliser == std::vector<double>{1.0 / 3, 1.0 / 2});
  loss.evaluate(logits, targets, normaliser, {}, losses);
  for (std::size_t t = 0; t < 2; ++t)
    CHECK_THAT(losses[t], WithinAbs(json.at("L_k").at(t).get<double>(), tolerance));
}

TEST_CASE("the gradient of the total is its finite difference") {
  Batch<double> batch(7);
  Tensor<double> dlogits(7, 1, 5);
  batch.loss.evaluate_batch(batch.logits, batch.targets(), dlogits);
  constexpr double h = 1e-5;
  for (Index b = 0; b < 7; ++b)
    for (Index c = 0; c < 5; ++c) {
      CAPTURE(b, c);
      double& z = batch.logits.view()(b, 0, c);
      const double saved = z;
      z = saved + h;
      const double up = batch.loss.evaluate_batch(batch.logits, batch.targets());
      z = saved - h;
      const double down = batch.loss.evaluate_batch(batch.logits, batch.targets());
      z = saved;
      CHECK_THAT(dlogits.view()(b, 0, c), WithinAbs((up - down) / (2 * h), 1e-9));
    }
  CHECK_FALSE(all_zero(dlogits));
}

TEST_CASE("sample weights divide by the weights of the valid labels") {
  const MultiTaskLoss<double> loss({{.kind = HeadKind::regression}});
  Tensor<double> logits(3, 1, 1), labels(3, 1, 1), mask(3, 1, 1), weights(3, 1, 1);
  const double z[] = {1, 2, 100}, w[] = {1, 3, 5}, m[] = {1, 1, 0};
  for (Index b = 0; b < 3; ++b) {
    logits.view()(b, 0, 0) = z[b];
    weights.view()(b, 0, 0) = w[b];
    mask.view()(b, 0, 0) = m[b];
  }
  Tensor<double> dlogits(3, 1, 1);
  // (1 * 1² + 3 * 2²) / (1 + 3)
  CHECK(loss.evaluate_batch(logits, {labels, mask, weights}, dlogits) == 3.25);
  CHECK(dlogits.view()(0, 0, 0) == 0.5);
  CHECK(dlogits.view()(1, 0, 0) == 3);
  CHECK(dlogits.view()(2, 0, 0) == 0);
}

TEMPLATE_TEST_CASE("tiles give the losses and gradients of the whole batch, bit for bit", "", float,
                   double) {
  const Batch<TestType> batch(37);
  Tensor<TestType> whole(37, 1, 5), tiled(37, 1, 5);
  std::vector<double> normaliser, whole_losses(3, 0.0), tiled_losses(3, 0.0);
  const auto targets = batch.targets();
  batch.loss.check(targets, 37);
  batch.loss.normaliser(targets, normaliser);
  batch.loss.evaluate(batch.logits, targets, normaliser, whole, whole_losses);
  for (Index first = 0; first < 37; first += 8) {
    const Index count = std::min<Index>(8, 37 - first);
    batch.loss.evaluate(batch.logits.view().rows(first, count), targets.rows(first, count),
                        normaliser, tiled.view().rows(first, count), tiled_losses);
  }
  CHECK(tiled_losses == whole_losses);
  CHECK((tiled.view().of_slot(0).array() == whole.view().of_slot(0).array()).all());
  CHECK(batch.loss.evaluate_batch(batch.logits, targets) == batch.loss.total(whole_losses));
  CHECK(whole_losses[0] > 0);
}

TEST_CASE("a task without a valid label contributes nothing") {
  Batch<float> batch(6);
  Tensor<float> dlogits(6, 1, 5);
  std::vector<double> normaliser, losses(3, 0.0);
  SECTION("masked out") { batch.mask.view().of_slot(0).col(0).setZero(); }
  SECTION("of weight 0 wherever valid") {
    batch.mask.view().of_slot(0).col(0).setZero();
    batch.mask.view()(2, 0, 0) = 1;
    batch.weights.view()(2, 0, 0) = 0;
  }
  batch.loss.normaliser(batch.targets(), normaliser);
  batch.loss.evaluate(batch.logits, batch.targets(), normaliser, dlogits, losses);
  CHECK(normaliser[0] == 0);
  CHECK(losses[0] == 0);
  CHECK((dlogits.view().of_slot(0).col(0).array() == 0).all());
  CHECK(losses[1] > 0);
  CHECK(losses[2] > 0);
  CHECK(dlogits.view().of_slot(0).allFinite());
}

TEST_CASE("a batch without any valid label, or without rows, has no loss and no gradient") {
  Batch<float> batch(6);
  batch.mask.view().of_slot(0).setZero();
  Tensor<float> dlogits(6, 1, 5);
  dlogits.view().of_slot(0).setConstant(9);
  CHECK(batch.loss.evaluate_batch(batch.logits, batch.targets(), dlogits) == 0);
  CHECK(all_zero(dlogits));

  const Batch<float> empty(0);
  CHECK(empty.loss.evaluate_batch(empty.logits, empty.targets()) == 0);
}

TEST_CASE("what does not count has no influence, not even as NaN") {
  Batch<float> batch(6), poisoned(6);
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  batch.mask.view()(0, 0, 0) = 0;  // so that every case below has a place
  poisoned.mask.view()(0, 0, 0) = 0;
  const auto offset = plait::head_offsets(batch.loss.heads());
  for (Index b = 0; b < 6; ++b)
    for (Index t = 0; t < 3; ++t)
      if (poisoned.mask.view()(b, 0, t) == 0) {
        poisoned.labels.view()(b, 0, t) = nan;
        const auto task = static_cast<std::size_t>(t);
        for (Index c = offset[task]; c < offset[task + 1]; ++c)
          poisoned.logits.view()(b, 0, c) = c % 2 ? nan : std::numeric_limits<float>::infinity();
      }
  Tensor<float> clean_gradient(6, 1, 5), gradient(6, 1, 5);
  const double clean = batch.loss.evaluate_batch(batch.logits, batch.targets(), clean_gradient);
  CHECK(poisoned.loss.evaluate_batch(poisoned.logits, poisoned.targets(), gradient) == clean);
  CHECK((gradient.view().of_slot(0).array() == clean_gradient.view().of_slot(0).array()).all());
  CHECK(gradient.view()(0, 0, 0) == 0);
  CHECK(std::isfinite(clean));
}

TEST_CASE("a logit that is not finite and counts shows in the loss") {
  Batch<float> batch(2);
  batch.mask.view().of_slot(0).setOnes();
  for (Index c : {Index{0}, Index{1}, Index{3}}) {
    CAPTURE(c);
    const float saved = batch.logits.view()(1, 0, c);
    batch.logits.view()(1, 0, c) = std::numeric_limits<float>::quiet_NaN();
    CHECK(std::isnan(batch.loss.evaluate_batch(batch.logits, batch.targets())));
    batch.logits.view()(1, 0, c) = saved;
  }
  CHECK(std::isfinite(batch.loss.evaluate_batch(batch.logits, batch.targets())));
}

TEST_CASE("a loss refuses what does not fit its heads, before it writes anything") {
  Batch<float> batch(4);
  Tensor<float> narrow(4, 1, 4), dlogits(4, 1, 5);
  dlogits.view().of_slot(0).setConstant(9);
  CHECK_THROWS_MATCHES(batch.loss.evaluate_batch(narrow, batch.targets(), dlogits),
                       plait::ShapeError,
                       Message("plait::MultiTaskLoss: logits: got [4, 1, 4], expected [4, 1, 5]"));
  CHECK_THROWS_MATCHES(batch.loss.evaluate_batch(batch.logits, batch.targets(), narrow),
                       plait::ShapeError,
                       Message("plait::MultiTaskLoss: dlogits: got [4, 1, 4], expected [4, 1, 5]"));
  CHECK_THROWS_MATCHES(batch.loss.evaluate_batch(batch.logits, batch.targets().rows(0, 3), dlogits),
                       plait::ShapeError,
                       Message("plait::MultiTaskLoss: labels: got [3, 1, 3], expected [4, 1, 3]"));
  batch.mask.view().of_slot(0).setOnes();
  batch.labels.view()(3, 0, 2) = 3;
  CHECK_THROWS_MATCHES(
      batch.loss.evaluate_batch(batch.logits, batch.targets(), dlogits), plait::ValueError,
      Message("plait::MultiTaskLoss: label of row 3, task2: got 3, expected the index of a class "
              "below 3"));
  CHECK((dlogits.view().of_slot(0).array() == 9).all());
  CHECK_THROWS_MATCHES(MultiTaskLoss<float>({}), plait::ConfigError,
                       Message("plait::MultiTaskLoss: heads: got none, expected at least one"));
}

// From here on: a head of every kind.

TEST_CASE("every kind's gradient is its finite difference") {
  every_kind::Batch<double> batch(24);
  Tensor<double> dlogits(24, 1, batch.loss.width());
  batch.loss.evaluate_batch(batch.logits, batch.targets(), dlogits);
  plait::testing::GradientCheck check;
  check.compare("logits", plait::testing::flat(batch.logits), plait::testing::flat(dlogits),
                [&] { return batch.loss.evaluate_batch(batch.logits, batch.targets()); });
  const auto report = check.report();
  INFO(report.text());
  CHECK(report.passed());
  // Every column has a gradient.
  for (Index c = 0; c < batch.loss.width(); ++c) {
    CAPTURE(c);
    CHECK((dlogits.view().of_slot(0).col(c).array() != 0).any());
  }
}

TEMPLATE_TEST_CASE("tiles of whole groups give what the whole batch gives, bit for bit", "", float,
                   double) {
  const every_kind::Batch<TestType> batch(40);
  const auto targets = batch.targets();
  Tensor<TestType> whole(40, 1, batch.loss.width()), tiled(40, 1, batch.loss.width());
  std::vector<double> normaliser, whole_losses(12, 0.0), tiled_losses(12, 0.0);
  batch.loss.normaliser(targets, normaliser);
  batch.loss.evaluate(batch.logits, targets, normaliser, whole, whole_losses);
  plait::for_each_group(batch.groups, [&](Index first, Index count) {
    batch.loss.evaluate(batch.logits.view().rows(first, count), targets.rows(first, count),
                        normaliser, tiled.view().rows(first, count), tiled_losses);
  });
  CHECK(tiled_losses == whole_losses);
  CHECK((tiled.view().of_slot(0).array() == whole.view().of_slot(0).array()).all());
  for (const double loss : whole_losses) CHECK(loss > 0);
}

TEST_CASE("tasks alone add up to all together, and write only what they read") {
  const every_kind::Batch<double> batch(30);
  Tensor<double> together(30, 1, batch.loss.width()), alone(30, 1, batch.loss.width());
  plait::Matrix<double> sum = plait::Matrix<double>::Zero(30, batch.loss.width());
  std::vector<double> normaliser, losses(12, 0.0), own(12, 0.0);
  batch.loss.normaliser(batch.targets(), normaliser);
  batch.loss.evaluate(batch.logits, batch.targets(), normaliser, together, losses);
  for (Index t = 0; t < 12; ++t) {
    CAPTURE(t);
    const auto before = own;
    batch.loss.evaluate_task(t, batch.logits, batch.targets(), normaliser, alone, own);
    sum += alone.view().of_slot(0);
    for (Index s = 0; s < 12; ++s) {
      const auto at = static_cast<std::size_t>(s);
      CHECK(own[at] == (s == t ? losses[at] : before[at]));
      // like (1) reads click (0), share (2) both.
      const bool reads = s == t || (t <= 2 && s < t);
      const auto columns =
          alone.view().columns(batch.loss.offset(s), batch.loss.heads()[at].width());
      CHECK((columns.of_slot(0).array() != 0).any() == reads);
    }
  }
  CHECK((sum - together.view().of_slot(0)).cwiseAbs().maxCoeff() < 1e-15);
}

TEST_CASE("of every kind, a task without a valid label contributes nothing, not even as NaN") {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  for (Index column = 0; column < 11; ++column) {
    every_kind::Batch<float> batch(20);
    CAPTURE(column);
    batch.mask.view().of_slot(0).col(column).setZero();
    batch.labels.view().of_slot(0).col(column).setConstant(nan);
    Tensor<float> dlogits(20, 1, batch.loss.width());
    std::vector<double> normaliser, losses(12, 0.0);
    batch.loss.check(batch.targets(), 20);
    batch.loss.normaliser(batch.targets(), normaliser);
    batch.loss.evaluate(batch.logits, batch.targets(), normaliser, dlogits, losses);
    for (Index t = 0; t < 12; ++t) {
      const auto task = static_cast<std::size_t>(t);
      const bool reads = plait::label_column(batch.loss.heads(), t) == column;
      CHECK((losses[task] == 0) == reads);
      const auto columns =
          dlogits.view().columns(batch.loss.offset(t), batch.loss.heads()[task].width());
      const bool given = t <= 1 && column <= 2;  // reached through a later event of the chain
      if (reads && !given) CHECK((columns.of_slot(0).array() == 0).all());
    }
    CHECK(dlogits.view().of_slot(0).allFinite());
  }
}

TEST_CASE("of every kind, a batch without any valid label has no loss and no gradient") {
  every_kind::Batch<float> batch(20);
  Tensor<float> dlogits(20, 1, batch.loss.width());
  dlogits.view().of_slot(0).setConstant(9);
  SECTION("masked out") { batch.mask.view().of_slot(0).setZero(); }
  SECTION("of weight 0") { batch.weights.view().of_slot(0).setZero(); }
  SECTION("out of space") {
    batch.space.view().of_slot(0).setZero();
    CHECK(batch.loss.evaluate_batch(batch.logits, {batch.labels, {}, {}, batch.space, batch.groups},
                                    dlogits) == 0);
    CHECK(all_zero(dlogits));
    return;
  }
  batch.logits.view().of_slot(0).setConstant(std::numeric_limits<float>::quiet_NaN());
  CHECK(batch.loss.evaluate_batch(batch.logits, batch.targets(), dlogits) == 0);
  CHECK(all_zero(dlogits));
  const every_kind::Batch<float> empty(0);
  CHECK(empty.loss.evaluate_batch(empty.logits, empty.targets()) == 0);
}

TEST_CASE("of every kind, what does not count has no influence, not even as NaN") {
  every_kind::Batch<float> batch(30);
  // One task's row is read by the rest of its chain: masked out together.
  const auto mask = batch.mask.view();
  for (Index b = 0; b < 30; ++b)
    for (Index k : {1, 2}) mask(b, 0, k) = mask(b, 0, 0);
  auto poisoned = batch;
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  Index rows = 0;
  for (Index b = 0; b < 30; ++b)
    for (Index t = 0; t < 12; ++t) {
      const Index column = plait::label_column(batch.loss.heads(), t);
      if (mask(b, 0, column) != 0) continue;
      poisoned.labels.view()(b, 0, column) = nan;
      for (Index c = 0; c < batch.loss.heads()[static_cast<std::size_t>(t)].width(); ++c)
        poisoned.logits.view()(b, 0, batch.loss.offset(t) + c) =
            c % 2 ? nan : std::numeric_limits<float>::infinity();
      ++rows;
    }
  REQUIRE(rows > 60);
  Tensor<float> clean_gradient(30, 1, batch.loss.width()), gradient(30, 1, batch.loss.width());
  const double clean = batch.loss.evaluate_batch(batch.logits, batch.targets(), clean_gradient);
  CHECK(batch.loss.evaluate_batch(poisoned.logits, poisoned.targets(), gradient) == clean);
  CHECK((gradient.view().of_slot(0).array() == clean_gradient.view().of_slot(0).array()).all());
  CHECK(std::isfinite(clean));
}

TEST_CASE("of every kind, a logit that is not finite and counts shows in the loss") {
  every_kind::Batch<double> batch(30);
  batch.mask.view().of_slot(0).setOnes();
  const std::vector<std::int64_t> one_group(30, 0);
  const plait::Targets<double> targets{batch.labels, batch.mask, {}, {}, one_group};
  batch.labels.view().of_slot(0).col(6).setOnes();  // spend: the rest of the logits counts
  for (Index c = 0; c < batch.loss.width(); ++c) {
    CAPTURE(c);
    const double saved = batch.logits.view()(4, 0, c);
    batch.logits.view()(4, 0, c) = std::numeric_limits<double>::quiet_NaN();
    CHECK(std::isnan(batch.loss.evaluate_batch(batch.logits, targets)));
    batch.logits.view()(4, 0, c) = saved;
  }
  CHECK(std::isfinite(batch.loss.evaluate_batch(batch.logits, targets)));
}

TEMPLATE_TEST_CASE("of every kind, losses and gradients of logits up to 1e4 are finite", "", float,
                   double) {
  every_kind::Batch<TestType> batch(60);
  for (const TestType size : {TestType(50), TestType(1e3), TestType(1e4)}) {
    plait::Random random(5);
    for (Index b = 0; b < 60; ++b)
      for (Index c = 0; c < batch.loss.width(); ++c)
        batch.logits.view()(b, 0, c) = random.below(2) == 0 ? size : -size;
    Tensor<TestType> dlogits(60, 1, batch.loss.width());
    const double loss = batch.loss.evaluate_batch(batch.logits, batch.targets(), dlogits);
    CHECK(std::isfinite(loss));
    CHECK(loss > 0);
    CHECK(dlogits.view().of_slot(0).allFinite());
  }
}

TEST_CASE("of every kind, a row of weight w counts as w rows") {
  // Rows 0 to 4 in two groups, with whole weights; then each repeated that often.
  const std::vector<Index> times{2, 1, 0, 3, 1};
  every_kind::Batch<double> batch(5);
  batch.groups = {3, 3, 3, 8, 8};
  std::vector<Index> source;
  for (std::size_t b = 0; b < 5; ++b) {
    batch.weights.view()(static_cast<Index>(b), 0, 0) = static_cast<double>(times[b]);
    source.insert(source.end(), static_cast<std::size_t>(times[b]), static_cast<Index>(b));
  }
  batch.mask.view().of_slot(0).setOnes();
  const Index rows = std::ssize(source);
  every_kind::Batch<double> repeated(rows);
  for (Index b = 0; b < rows; ++b) {
    const Index from = source[static_cast<std::size_t>(b)];
    repeated.logits.view().of_slot(0).row(b) = batch.logits.view().of_slot(0).row(from);
    repeated.labels.view().of_slot(0).row(b) = batch.labels.view().of_slot(0).row(from);
    repeated.groups[static_cast<std::size_t>(b)] = batch.groups[static_cast<std::size_t>(from)];
  }
  const Index width = batch.loss.width();
  Tensor<double> weighted(5, 1, width), dlogits(rows, 1, width);
  const double loss = batch.loss.evaluate_batch(batch.logits, batch.targets(), weighted);
  CHECK_THAT(repeated.loss.evaluate_batch(repeated.logits,
                                          {repeated.labels, {}, {}, {}, repeated.groups}, dlogits),
             WithinAbs(loss, 1e-13));
  plait::Matrix<double> sums = plait::Matrix<double>::Zero(5, width);
  for (Index b = 0; b < rows; ++b)
    sums.row(source[static_cast<std::size_t>(b)]) += dlogits.view().of_slot(0).row(b);
  CHECK((sums - weighted.view().of_slot(0)).cwiseAbs().maxCoeff() < 1e-14);
}

TEST_CASE("rows outside of the sample space count nothing by default, as if masked out") {
  every_kind::Batch<double> batch(30);
  Tensor<double> by_space(30, 1, batch.loss.width()), by_mask(30, 1, batch.loss.width());
  const double spaced = batch.loss.evaluate_batch(
      batch.logits, {batch.labels, {}, batch.weights, batch.space, batch.groups}, by_space);
  const double masked = batch.loss.evaluate_batch(
      batch.logits, {batch.labels, batch.space, batch.weights, {}, batch.groups}, by_mask);
  CHECK(spaced == masked);
  CHECK((by_space.view().of_slot(0).array() == by_mask.view().of_slot(0).array()).all());
}

TEST_CASE("in-space and out-of-space weights are sample weights per task") {
  std::vector<Head> heads{{.in_space = 2, .out_of_space = 0.5}, {.kind = HeadKind::regression}};
  plait::Matrix<double> logits(3, 2), labels(3, 2), space(3, 2), dlogits(3, 2), scaled(3, 2);
  logits << 0.3, 1, -0.8, 2, 1.2, 100;
  labels << 1, 0, 0, 0, 0, 0;
  space << 1, 1, 0, 1, 0, 0;
  const plait::Targets<double> targets{labels, {}, {}, space};
  const double total = MultiTaskLoss<double>(heads).evaluate_batch(logits, targets, dlogits);
  // w_i = w_in [in] + w_out [out], normalised by its batch mean (TorchEasyRec, multi_task_rank.py)
  const double w[] = {2, 0.5, 0.5};
  double expected = 0;
  for (Index b = 0; b < 3; ++b) {
    double dz = 0;
    const double share = w[b] / 3.0;
    expected += share * plait::bce_with_logits(logits(b, 0), labels(b, 0), 1.0, &dz);
    CHECK_THAT(dlogits(b, 0), WithinAbs(share * dz, 1e-15));
  }
  expected += (1.0 + 4.0) / 2;  // the regression: 100 is out of its space
  CHECK_THAT(total, WithinAbs(expected, 1e-14));
  CHECK(dlogits(2, 1) == 0);
  // Only the ratio of the two counts.
  heads[0].in_space = 6;
  heads[0].out_of_space = 1.5;
  CHECK_THAT(MultiTaskLoss<double>(heads).evaluate_batch(logits, targets, scaled),
             WithinAbs(total, 1e-14));
  CHECK((scaled - dlogits).cwiseAbs().maxCoeff() < 1e-15);
}

TEST_CASE("groups are compared within themselves only") {
  const MultiTaskLoss<double> loss({{.kind = HeadKind::pairwise}});
  plait::Matrix<double> logits(4, 1), labels(4, 1), dlogits(4, 1);
  logits << 1, 2, 3, 4;
  labels << 0, 0, 1, 1;
  const std::vector<std::int64_t> split{0, 0, 1, 1}, together{0, 0, 0, 0};
  CHECK(loss.evaluate_batch(logits, {labels, {}, {}, {}, split}, dlogits) == 0);
  CHECK((dlogits.array() == 0).all());
  CHECK(loss.evaluate_batch(logits, {labels, {}, {}, {}, together}, dlogits) > 0);
  CHECK_THROWS_WITH(loss.evaluate_batch(logits, {labels}),
                    "plait::MultiTaskLoss: groups: got 0 ids, expected 4, one per row");
}
