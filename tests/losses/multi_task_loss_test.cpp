#include "plait/losses/multi_task_loss.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "plait/core/random.hpp"
#include "plait/core/tensor.hpp"
#include "support/catch.hpp"
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
