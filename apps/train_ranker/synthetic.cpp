#include "synthetic.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "plait/core/csv.hpp"

namespace ranker {
namespace {

constexpr Index num_tasks = 3;
constexpr Index num_sines = 10;
constexpr double click_rate = 0.40;
constexpr double buy_rate = 0.03;

std::vector<double> normals(Index count, plait::Random& random) {
  std::vector<double> result(static_cast<std::size_t>(count));
  for (double& value : result) value = random.normal();
  return result;
}

std::vector<Index> range(Index first, Index count) {
  std::vector<Index> rows(static_cast<std::size_t>(count));
  std::iota(rows.begin(), rows.end(), first);
  return rows;
}

// Labels the given fraction of the training rows, those with the largest y, and all rows like them.
void threshold(Eigen::Ref<Eigen::VectorXd> y, Index train_rows, double rate) {
  std::vector<double> train(y.data(), y.data() + train_rows);
  const auto position = static_cast<std::ptrdiff_t>((1 - rate) * static_cast<double>(train_rows));
  const auto middle = train.begin() + std::min<std::ptrdiff_t>(position, train_rows - 1);
  std::nth_element(train.begin(), middle, train.end());
  const double limit = *middle;
  for (double& value : y) value = value >= limit ? 1.0 : 0.0;
}

void standardise(Eigen::Ref<Eigen::VectorXd> y, Index train_rows) {
  const double mean = y.head(train_rows).mean();
  const double variance = (y.head(train_rows).array() - mean).square().mean();
  y.array() = (y.array() - mean) / std::sqrt(variance);
}

}  // namespace

plait::Matrix<double> orthonormal_rows(Index count, Index dim, plait::Random& random) {
  plait::Matrix<double> u(count, dim);
  for (Index i = 0; i < count; ++i) {
    for (Index d = 0; d < dim; ++d) u(i, d) = random.normal();
    for (Index j = 0; j < i; ++j) u.row(i) -= u.row(i).dot(u.row(j)) * u.row(j);
    u.row(i).normalize();
  }
  return u;
}

plait::Matrix<double> task_directions(const plait::Matrix<double>& orthonormal, double p,
                                      double scale) {
  const Index count = orthonormal.rows();
  plait::Matrix<double> mix = plait::Matrix<double>::Zero(3, 3);
  mix.row(0) << 1, 0, 0;
  mix.row(1) << p, std::sqrt(1 - p * p), 0;
  mix.row(2) << p, p * std::sqrt((1 - p) / (1 + p)), std::sqrt((1 - p) * (1 + 2 * p) / (1 + p));
  return scale * mix.topLeftCorner(count, count) * orthonormal;
}

double response(double z, std::span<const double> alpha, std::span<const double> beta) {
  double y = z;
  for (std::size_t j = 0; j < alpha.size(); ++j) y += std::sin(alpha[j] * z + beta[j]);
  return y;
}

Dataset synthetic_dataset(const SyntheticConfig& config) {
  const Index rows = config.train_rows + config.validation_rows + config.test_rows;
  plait::Random random(config.seed);
  const auto orthonormal = orthonormal_rows(num_tasks, config.input_dim, random);
  const auto alpha = normals(num_sines, random);
  const auto beta = normals(num_sines, random);
  const auto directions = task_directions(orthonormal, config.correlation, 1.0);

  Dataset data;
  data.description =
      "synthetic (MMoE recipe), task correlation " + plait::fixed_number(config.correlation, 2);
  data.heads = {
      {.name = "click"}, {.kind = plait::HeadKind::regression, .name = "dwell"}, {.name = "buy"}};
  data.train = range(0, config.train_rows);
  data.validation = range(config.train_rows, config.validation_rows);
  data.test = range(config.train_rows + config.validation_rows, config.test_rows);

  data.features.dense.resize(rows, config.input_dim);
  data.features.hot.resize(rows, 0);
  Eigen::MatrixXd y(rows, num_tasks);
  Eigen::VectorXd x(config.input_dim);
  for (Index row = 0; row < rows; ++row) {
    for (double& value : x) value = random.normal();
    data.features.dense.row(row) = x.transpose().cast<float>();
    for (Index task = 0; task < num_tasks; ++task)
      y(row, task) =
          response(directions.row(task).dot(x), alpha, beta) + config.noise * random.normal();
  }
  threshold(y.col(0), config.train_rows, click_rate);
  standardise(y.col(1), config.train_rows);
  threshold(y.col(2), config.train_rows, buy_rate);
  data.labels = y.cast<float>();
  return data;
}

}  // namespace ranker
