#include "stream.hpp"

#include <cmath>

namespace online {
namespace {

constexpr double steepness = 2;
constexpr double biases[] = {-0.5, -1, -2};  // of click, like and buy

}  // namespace

std::vector<plait::Head> Stream::heads() {
  return {{.name = "click"}, {.name = "like"}, {.name = "buy"}};
}

Stream::Stream(std::uint64_t seed) : random_(seed), shared_(draw()) {
  for (std::size_t t = 0; t < std::size(biases); ++t) own_.push_back(draw());
}

Impressions Stream::next(Index rows, double turn) {
  const auto tasks = static_cast<Index>(std::size(biases));
  Impressions result{plait::Matrix<float>(rows, inputs), plait::Matrix<float>(rows, tasks)};
  plait::Matrix<double> x(1, inputs);
  plait::Matrix<double> w(1, inputs);
  for (Index b = 0; b < rows; ++b, angle_ += turn) {
    for (Index i = 0; i < inputs; ++i) x(0, i) = random_.normal();
    result.x.row(b) = x.row(0).cast<float>();
    for (Index t = 0; t < tasks; ++t) {
      const Turning& own = own_[static_cast<std::size_t>(t)];
      w = std::cos(angle_) * (shared_.from + 0.5 * own.from) +
          std::sin(angle_) * (shared_.to + 0.5 * own.to);
      const double z = steepness * x.row(0).dot(w.row(0)) / w.norm() + biases[t];
      result.labels(b, t) = random_.uniform() < 1 / (1 + std::exp(-z)) ? 1.0f : 0.0f;
    }
  }
  return result;
}

Stream::Turning Stream::draw() {
  Turning result{plait::Matrix<double>(1, inputs), plait::Matrix<double>(1, inputs)};
  for (plait::Matrix<double>* vector : {&result.from, &result.to})
    for (Index i = 0; i < inputs; ++i) (*vector)(0, i) = random_.normal();
  result.from.normalize();
  result.to -= result.to.row(0).dot(result.from.row(0)) * result.from;
  result.to.normalize();
  return result;
}

}  // namespace online
