#include "synthetic.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "support/fixtures.hpp"

namespace {

using plait::Index;
using Vector = std::vector<double>;

plait::Matrix<double> matrix(const fixtures::Json& rows) {
  plait::Matrix<double> result(static_cast<Index>(rows.size()),
                               static_cast<Index>(rows.at(0).size()));
  for (Index i = 0; i < result.rows(); ++i)
    for (Index j = 0; j < result.cols(); ++j)
      result(i, j) = rows.at(static_cast<std::size_t>(i)).at(static_cast<std::size_t>(j));
  return result;
}

ranker::SyntheticConfig small(double correlation) {
  ranker::SyntheticConfig config;
  config.input_dim = 20;
  config.train_rows = 4000;
  config.validation_rows = 1000;
  config.test_rows = 2000;
  config.correlation = correlation;
  return config;
}

double positive_rate(const ranker::Dataset& data, Index task) {
  return data.labels.col(task).cast<double>().mean();
}

}  // namespace

TEST_CASE("synthetic: the worked example of the recipe") {
  const auto fixture = fixtures::load("G_synthetic_recipe");
  const auto u = matrix({fixture.at("u1"), fixture.at("u2")});
  const auto w = ranker::task_directions(u, fixture.at("p"), fixture.at("c"));
  CHECK(w.isApprox(matrix({fixture.at("w1"), fixture.at("w2")}), 1e-15));

  const auto x = matrix(fixture.at("X"));
  const auto alpha = fixture.at("alpha").get<Vector>();
  const auto beta = fixture.at("beta").get<Vector>();
  for (Index row = 0; row < x.rows(); ++row) {
    const auto i = static_cast<std::size_t>(row);
    CHECK(std::abs(ranker::response(w.row(0).dot(x.row(row)), alpha, beta) -
                   fixture.at("y1_noise_free").at(i).get<double>()) < 1e-12);
    CHECK(std::abs(ranker::response(w.row(1).dot(x.row(row)), alpha, beta) -
                   fixture.at("y2_noise_free").at(i).get<double>()) < 1e-12);
  }
}

TEST_CASE("synthetic: directions have the norm and the pairwise cosines asked for") {
  plait::Random random(3);
  const auto u = ranker::orthonormal_rows(3, 50, random);
  const plait::Matrix<double> identity = plait::Matrix<double>::Identity(3, 3);
  CHECK((u * u.transpose() - identity).cwiseAbs().maxCoeff() < 1e-14);
  for (const double p : {0.0, 0.25, 0.5, 0.9, 1.0}) {
    INFO("p = " << p);
    const auto w = ranker::task_directions(u, p, 0.3);
    plait::Matrix<double> expected = plait::Matrix<double>::Constant(3, 3, 0.09 * p);
    expected.diagonal().setConstant(0.09);
    CHECK((w * w.transpose() - expected).cwiseAbs().maxCoeff() < 1e-15);
  }
}

TEST_CASE("synthetic: tasks have their kinds and rates") {
  const auto data = ranker::synthetic_dataset(small(0.5));
  REQUIRE(data.heads.size() == 3);
  CHECK(data.heads[0].kind == plait::HeadKind::binary);
  CHECK(data.heads[1].kind == plait::HeadKind::regression);
  CHECK(data.heads[2].kind == plait::HeadKind::binary);
  CHECK(data.features.input_dim() == 20);
  CHECK(data.labels.rows() == 7000);
  CHECK(data.train.front() == 0);
  CHECK(data.validation.front() == 4000);
  CHECK(data.test.front() == 5000);
  CHECK(data.test.back() == 6999);

  const auto train = data.labels.topRows(4000).cast<double>().eval();
  CHECK(train.col(0).mean() == Approx(0.40).margin(1e-9));
  CHECK(train.col(2).mean() == Approx(0.03).margin(1e-9));
  CHECK(train.col(1).mean() == Approx(0).margin(1e-6));
  CHECK(train.col(1).squaredNorm() / 4000 == Approx(1).margin(1e-5));
  CHECK(positive_rate(data, 2) == Approx(0.03).margin(0.01));
}

TEST_CASE("synthetic: the correlation changes labels of later tasks only") {
  const auto apart = ranker::synthetic_dataset(small(0));
  const auto close = ranker::synthetic_dataset(small(1));
  CHECK(apart.features.dense == close.features.dense);
  CHECK(apart.labels.col(0) == close.labels.col(0));
  CHECK(apart.labels.col(1) != close.labels.col(1));

  // Pearson correlation of click (standardised here) and dwell.
  const auto correlation = [](const ranker::Dataset& data) {
    const Eigen::VectorXd a = data.labels.col(0).cast<double>();
    const Eigen::VectorXd b = data.labels.col(1).cast<double>();
    const Eigen::VectorXd da = a.array() - a.mean();
    const Eigen::VectorXd db = b.array() - b.mean();
    return da.dot(db) / (da.norm() * db.norm());
  };
  CHECK(std::abs(correlation(apart)) < 0.05);
  CHECK(correlation(close) > 0.5);
}

TEST_CASE("synthetic: the seed decides the data") {
  auto config = small(0.5);
  const auto first = ranker::synthetic_dataset(config);
  CHECK(first.labels == ranker::synthetic_dataset(config).labels);
  config.seed = 2;
  CHECK(first.labels != ranker::synthetic_dataset(config).labels);
}
