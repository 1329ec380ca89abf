#include "plait/metrics/pair_accuracy.hpp"

#include <cmath>

#include "plait/metrics/auc.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

using Catch::Matchers::WithinAbs;
using plait::GroupRows;
using plait::Index;
using plait::Matrix;
using plait::PairAccuracy;

TEST_CASE("pair accuracy counts the pairs in the right order, ties half") {
  Matrix<double> z(4, 1), y(4, 1);
  z << 1, 2, 2, 0;
  y << 0, 1, 2, 3;
  // Of the pairs (1,0) (2,0) (3,0) (2,1) (3,1) (3,2), two are in order and one is tied.
  PairAccuracy accuracy;
  accuracy.add(GroupRows<double>{z, y});
  CHECK(accuracy.value() == 2.5 / 6);
}

TEST_CASE("on binary labels of one group, pair accuracy is the AUC") {
  const auto z = data::normal<double>(60, 1, 3);
  const auto y = data::binary<double>(60, 1, 4);
  const Matrix<double> weights = data::normal<double>(60, 1, 5).cwiseAbs();
  PairAccuracy accuracy;
  plait::AUC auc;
  accuracy.add(GroupRows<double>{z, y, {.weights = weights}});
  for (Index b = 0; b < 60; ++b) auc.add(z(b, 0), y(b, 0), weights(b, 0));
  CHECK_THAT(accuracy.value(), WithinAbs(auc.value(), 1e-13));
}

TEST_CASE("pair accuracy is NaN without pairs and for scores that are NaN") {
  Matrix<double> z = Matrix<double>::Zero(2, 1), y = Matrix<double>::Ones(2, 1);
  PairAccuracy accuracy;
  accuracy.add(GroupRows<double>{z, y});
  CHECK(std::isnan(accuracy.value()));
  y(0, 0) = 0;
  accuracy.add(GroupRows<double>{z, y});
  CHECK(accuracy.value() == 0.5);
  z(0, 0) = std::nan("");
  accuracy.add(GroupRows<double>{z, y});
  CHECK(std::isnan(accuracy.value()));
}

TEST_CASE("merged pair accuracies are those of all groups") {
  const auto z = data::normal<double>(30, 1, 3);
  const auto y = data::binary<double>(30, 1, 4);
  PairAccuracy all, first, second;
  for (Index b = 0; b < 30; b += 5) {
    const GroupRows<double> rows = GroupRows<double>{z, y}.rows(b, 5);
    all.add(rows);
    (b < 10 ? first : second).add(rows);
  }
  first.merge(second);
  CHECK(first.value() == all.value());
  CHECK(second.value() != all.value());
}
