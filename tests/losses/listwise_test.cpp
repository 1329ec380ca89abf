#include "plait/losses/listwise.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

#include "plait/core/tensor.hpp"
#include "plait/losses/multi_task_loss.hpp"
#include "plait/losses/softmax_cross_entropy.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using Catch::Matchers::WithinAbs;
using plait::GroupRows;
using plait::Index;
using plait::ListwiseLoss;
using plait::Matrix;

TEMPLATE_TEST_CASE("the listwise loss is the mean over the positive labels of all groups", "",
                   float, double) {
  // -Σ_groups (y * log_softmax(z)).sum() / y.sum(); z.grad
  const double z[] = {0.2, -0.7, 1.1, 0.4, 0.9, -0.3, 2.0}, y[] = {1, 0, 2, 0, 1, 0, 1};
  const double grad[] = {-0.04480776324418956, 0.06309645489219236,  -0.018288691648002762,
                         0.049392844638263635, -0.11856496642450798, 0.024527760759814048,
                         0.04464436102643026};
  const std::vector<std::int64_t> groups{4, 4, 4, 9, 9, 9, 9};
  Matrix<TestType> logits(7, 1), labels(7, 1), dlogits(7, 1);
  for (Index b = 0; b < 7; ++b) {
    logits(b, 0) = TestType(z[b]);
    labels(b, 0) = TestType(y[b]);
  }
  const plait::MultiTaskLoss<TestType> loss({{.kind = plait::HeadKind::listwise}});
  CHECK(loss.needs_groups());
  CHECK_THAT(loss.evaluate_batch(logits, {labels, {}, {}, {}, groups}, dlogits),
             WithinAbs(0.8680226332866348, fixtures::tolerance<TestType>));
  for (Index b = 0; b < 7; ++b)
    CHECK_THAT(double(dlogits(b, 0)), WithinAbs(grad[b], fixtures::tolerance<TestType>));
}

TEST_CASE("with one positive a list is a choice among classes") {
  Matrix<double> z(4, 1), y(4, 1), dz(4, 1);
  z << 0.3, -1.2, 2, 0.7;
  y << 0, 1, 0, 0;
  double expected[4];
  const double loss = plait::softmax_cross_entropy<double>(z.data(), 4, 1, expected);
  CHECK_THAT(ListwiseLoss()(GroupRows<double>{z, y, {}, dz}, 1.0), WithinAbs(loss, 1e-14));
  for (Index i = 0; i < 4; ++i) CHECK_THAT(dz(i, 0), WithinAbs(expected[i], 1e-15));
}

TEST_CASE("lists without a positive, and of one row, have no loss and no gradient") {
  Matrix<double> z(3, 1), y = Matrix<double>::Zero(3, 1), dz = Matrix<double>::Ones(3, 1);
  z << 3, 1e4, -2;
  CHECK(ListwiseLoss()(GroupRows<double>{z, y, {}, dz}, 1.0) == 0);
  CHECK((dz.array() == 0).all());
  const Matrix<double> one = Matrix<double>::Ones(1, 1);
  Matrix<double> d(1, 1);
  CHECK(ListwiseLoss()(GroupRows<double>{one, one, {}, d}, 1.0) == 0);
  CHECK(d(0, 0) == 0);
}

TEST_CASE("lists of extreme logits do not overflow") {
  Matrix<double> z(2, 1), y(2, 1), dz(2, 1);
  z << -1e4, 1e4;
  y << 1, 0;
  CHECK(ListwiseLoss()(GroupRows<double>{z, y, {}, dz}, 1.0) == 2e4);
  CHECK(dz(0, 0) == -1);
  CHECK(dz(1, 0) == 1);
}
