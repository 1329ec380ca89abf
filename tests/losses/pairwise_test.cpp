#include "plait/losses/pairwise.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

#include "plait/core/tensor.hpp"
#include "plait/losses/multi_task_loss.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using Catch::Matchers::WithinAbs;
using plait::GroupRows;
using plait::Index;
using plait::Matrix;
using plait::PairwiseLoss;

TEMPLATE_TEST_CASE("the pairwise loss is the mean over the pairs of all groups", "", float,
                   double) {
  // mean of softplus(z[j] - z[i]) over the pairs of rows of one group with y[i] > y[j]; z.grad
  const double z[] = {0.2, -0.7, 1.1, 0.4, 0.9, -0.3, 2.0}, y[] = {1, 0, 2, 0, 1, 0, 1};
  const double grad[] = {0,
                         0.061557366039354834,
                         -0.061557366039354834,
                         0.07793175480917441,
                         -0.08700226932844683,
                         0.046085453930834075,
                         -0.03701493941156166};
  const std::vector<std::int64_t> groups{4, 4, 4, 9, 9, 9, 9};
  Matrix<TestType> logits(7, 1), labels(7, 1), dlogits(7, 1);
  for (Index b = 0; b < 7; ++b) {
    logits(b, 0) = TestType(z[b]);
    labels(b, 0) = TestType(y[b]);
  }
  const plait::MultiTaskLoss<TestType> loss({{.kind = plait::HeadKind::pairwise}});
  CHECK(loss.needs_groups());
  CHECK_THAT(loss.evaluate_batch(logits, {labels, {}, {}, {}, groups}, dlogits),
             WithinAbs(0.26458443099924134, fixtures::tolerance<TestType>));
  for (Index b = 0; b < 7; ++b)
    CHECK_THAT(double(dlogits(b, 0)), WithinAbs(grad[b], fixtures::tolerance<TestType>));
}

TEST_CASE("the pairwise loss sees order and nothing else") {
  Matrix<double> z(3, 1), y(3, 1), dz(3, 1);
  z << 0.3, -0.2, 1;
  y << 5, 5, 5;
  const PairwiseLoss loss;
  const auto value = [&] { return loss(GroupRows<double>{z, y, {}, dz}, 1.0); };
  CHECK(value() == 0);  // equal labels: no pairs
  CHECK(loss.mass(GroupRows<double>{z, y}) == 0);
  CHECK((dz.array() == 0).all());
  y << 0, 1, 2;
  const double ordered = value();
  CHECK(loss.mass(GroupRows<double>{z, y}) == 3);
  CHECK_THAT(dz.sum(), WithinAbs(0, 1e-15));
  y << -7, 0.5, 900;
  CHECK(value() == ordered);
  z.array() += 12.5;
  CHECK_THAT(value(), WithinAbs(ordered, 1e-12));
}

TEST_CASE("pairs far out of order cost their distance") {
  Matrix<double> z(2, 1), y(2, 1), dz(2, 1);
  z << -1e4, 1e4;
  y << 1, 0;
  CHECK(PairwiseLoss()(GroupRows<double>{z, y, {}, dz}, 0.5) == 2e4);
  CHECK(dz(0, 0) == -0.5);
  CHECK(dz(1, 0) == 0.5);
}
