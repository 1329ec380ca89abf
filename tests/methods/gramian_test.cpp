#include "plait/methods/gramian.hpp"

#include <algorithm>
#include <span>
#include <vector>

#include "plait/core/random.hpp"
#include "plait/core/tensor.hpp"
#include "support/catch.hpp"

using plait::Index;

namespace {

constexpr Index tasks = 3;

template <class Scalar>
std::vector<std::vector<Scalar>> random_rows(Index size, Index count = tasks) {
  plait::Random random(6);
  std::vector<std::vector<Scalar>> rows(static_cast<std::size_t>(count));
  for (auto& row : rows)
    for (Index i = 0; i < size; ++i) row.push_back(static_cast<Scalar>(random.normal()));
  return rows;
}

template <class Scalar>
Eigen::MatrixXd gramian(const std::vector<std::vector<Scalar>>& rows, Index first, Index count,
                        Eigen::MatrixXd sum) {
  std::vector<std::span<const Scalar>> spans;
  for (const auto& row : rows)
    spans.push_back(
        std::span(row).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)));
  plait::Scratch scratch;
  plait::accumulate_gramian<Scalar>(spans, sum, scratch);
  return sum;
}

}  // namespace

TEMPLATE_TEST_CASE("a Gramian holds every inner product, in double", "", float, double) {
  for (const Index count : {1, 2, 3, 4, 5, 7, 9})
    for (const Index size : {0, 1, 15, 16, 17, 255, 256, 257, 2000}) {
      INFO(count << " tasks, " << size << " numbers");
      const auto rows = random_rows<TestType>(size, count);
      const Eigen::MatrixXd got = gramian(rows, 0, size, Eigen::MatrixXd::Zero(count, count));
      for (std::size_t s = 0; s < rows.size(); ++s)
        for (std::size_t t = 0; t < rows.size(); ++t) {
          double expected = 0;
          for (std::size_t i = 0; i < rows[s].size(); ++i)
            expected += static_cast<double>(rows[s][i]) * static_cast<double>(rows[t][i]);
          CHECK_THAT(got(Index(s), Index(t)), Catch::Matchers::WithinAbs(expected, 1e-11));
        }
      CHECK(got == got.transpose());
    }
}

TEST_CASE("a Gramian is accumulated block by block") {
  const auto rows = random_rows<float>(900);
  const Eigen::MatrixXd zero = Eigen::MatrixXd::Zero(tasks, tasks);
  const Eigen::MatrixXd whole = gramian(rows, 0, 900, zero);
  const Eigen::MatrixXd parts = gramian(rows, 700, 200, gramian(rows, 0, 700, zero));
  CHECK((whole - parts).cwiseAbs().maxCoeff() < 1e-11);
}

TEST_CASE("a Gramian of cotangents takes the whole batch as one vector") {
  constexpr Index batch = 5, slots = 2, dim = 3;
  plait::Random random(7);
  std::vector<plait::Tensor<double>> cotangents(tasks, plait::Tensor<double>(batch, slots, dim));
  std::vector<std::span<const double>> spans;
  std::vector<plait::View3<const double>> views;
  for (auto& tensor : cotangents) {
    const std::span<double> numbers(tensor.view().data(), batch * slots * dim);
    for (double& number : numbers) number = random.normal();
    spans.emplace_back(numbers);
    views.emplace_back(tensor);
  }
  const Eigen::MatrixXd zero = Eigen::MatrixXd::Zero(tasks, tasks);
  Eigen::MatrixXd expected = zero, got = zero, tiled = zero;
  plait::Scratch scratch;
  plait::accumulate_gramian<double>(spans, expected, scratch);
  plait::accumulate_gramian<double>(std::span<const plait::View3<const double>>(views), got);
  CHECK((got - expected).cwiseAbs().maxCoeff() < 1e-13);
  for (const Index first : {0, 3}) {
    std::vector<plait::View3<const double>> tile;
    for (const auto& view : views) tile.push_back(view.rows(first, first == 0 ? 3 : 2));
    plait::accumulate_gramian<double>(std::span<const plait::View3<const double>>(tile), tiled);
  }
  CHECK((tiled - expected).cwiseAbs().maxCoeff() < 1e-13);
}
