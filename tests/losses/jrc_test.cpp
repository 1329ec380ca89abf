#include "plait/losses/jrc.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

#include "plait/core/tensor.hpp"
#include "plait/losses/multi_task_loss.hpp"
#include "plait/losses/predict.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using Catch::Matchers::WithinAbs;
using plait::GroupRows;
using plait::Index;
using plait::JointRankingLoss;
using plait::Matrix;

TEMPLATE_TEST_CASE("JRC agrees with the pseudo-code of its paper", "", float, double) {
  // The paper's listing in PyTorch, alpha 0.6; logits.grad
  const double z[6][2] = {{0.2, -0.7}, {1.1, 0.4},  {0.9, -0.3},
                          {2.0, 0.1},  {-1.2, 0.6}, {0.0, 0.8}};
  const double y[] = {1, 0, 0, 1, 1, 0};
  const double grad[6][2] = {
      {0.09545538611787838, -0.12563156248697038},   {-0.039930885630823025, 0.06962192020705116},
      {-0.040758294657836605, 0.041243436450700444}, {0.14367379596391236, -0.1250586980544437},
      {0.016495697486769177, -0.03370309119318185},  {-0.1279926825096938, 0.12658497830663784}};
  const std::vector<std::int64_t> groups{0, 0, 0, 1, 1, 1};
  Matrix<TestType> logits(6, 2), labels(6, 1), dlogits(6, 2), predictions(6, 2);
  for (Index b = 0; b < 6; ++b) {
    logits.row(b) << TestType(z[b][0]), TestType(z[b][1]);
    labels(b, 0) = TestType(y[b]);
  }
  const plait::MultiTaskLoss<TestType> loss({{.kind = plait::HeadKind::jrc, .alpha = 0.6}});
  CHECK(loss.width() == 2);
  CHECK_THAT(loss.evaluate_batch(logits, {labels, {}, {}, {}, groups}, dlogits),
             WithinAbs(1.0767818668893487, fixtures::tolerance<TestType>));
  plait::predict(loss.heads(), logits, predictions);
  for (Index b = 0; b < 6; ++b) {
    for (Index c : {Index{0}, Index{1}})
      CHECK_THAT(double(dlogits(b, c)), WithinAbs(grad[b][c], fixtures::tolerance<TestType>));
    CHECK_THAT(double(predictions(b, 1)),
               WithinAbs(1 / (1 + std::exp(z[b][0] - z[b][1])), fixtures::tolerance<TestType>));
    CHECK_THAT(double(predictions.row(b).sum()), WithinAbs(1, fixtures::tolerance<TestType>));
  }
}

TEST_CASE("JRC with alpha 1 is the cross-entropy of the difference") {
  Matrix<double> z(3, 2), y(3, 1), dz(3, 2);
  z << 0.3, -1, 2, 0.5, -0.4, 0.1;
  y << 1, 0.25, 0;
  double expected = 0;
  const double loss = JointRankingLoss{1.0}(GroupRows<double>{z, y, {}, dz}, 1.0);
  for (Index b = 0; b < 3; ++b) {
    double slope = 0;
    expected += plait::bce_with_logits(z(b, 1) - z(b, 0), y(b, 0), 1.0, &slope);
    CHECK_THAT(dz(b, 1), WithinAbs(slope, 1e-15));
    CHECK_THAT(dz(b, 0), WithinAbs(-slope, 1e-15));
  }
  CHECK_THAT(loss, WithinAbs(expected, 1e-14));
}

TEST_CASE("JRC of extreme logits does not overflow") {
  Matrix<double> z(2, 2), y(2, 1), dz(2, 2);
  z << 1e4, -1e4, -1e4, 1e4;
  y << 1, 0;
  // Cross-entropy 2e4 of each, and 2e4 for each of two choices.
  CHECK(JointRankingLoss{0.5}(GroupRows<double>{z, y, {}, dz}, 1.0) == 4e4);
  CHECK(dz(0, 0) == 1);
  CHECK(dz(0, 1) == -1);
  CHECK(dz(1, 0) == -1);
  CHECK(dz(1, 1) == 1);
}
