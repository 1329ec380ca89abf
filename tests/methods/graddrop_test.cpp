#include "plait/methods/graddrop.hpp"

#include <array>
#include <span>
#include <vector>

#include "methods/support.hpp"
#include "plait/core/tensor.hpp"
#include "support/catch.hpp"

using methods_test::matrix;
using plait::GradDrop;
using plait::Index;
using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

namespace {

// The gradients, rows of a matrix, after drop_signs with these U.
Rows dropped(Rows g, const GradDrop& method, const std::vector<double>& uniforms) {
  std::vector<std::span<double>> spans;
  for (Index t = 0; t < g.rows(); ++t)
    spans.emplace_back(g.data() + t * g.cols(), static_cast<std::size_t>(g.cols()));
  std::size_t next = 0;
  method.drop_signs<double>(spans, [&] { return uniforms.at(next++); });
  CHECK(next == uniforms.size());
  return g;
}

}  // namespace

TEST_CASE("GradDrop has the worked values") {
  const auto json = fixtures::load("D_balancing").at("GradDrop");
  const Rows g = matrix(json.at("G"));
  const auto uniforms = json.at("U").get<std::vector<double>>();
  const Rows kept = dropped(g, GradDrop{}, uniforms);
  CHECK(kept == Rows(g.cwiseProduct(matrix(json.at("mask")))));
  CHECK((kept.colwise().sum().transpose() - methods_test::vector(json.at("d_leak0"))).norm() <
        1e-10);
  const Rows leaky = dropped(g, GradDrop{.leaks = {0.2, 0.2}}, uniforms);
  CHECK((leaky.colwise().sum().transpose() - methods_test::vector(json.at("d_leak0.2"))).norm() <
        1e-10);
}

TEST_CASE("GradDrop at an activation has the worked values") {
  const auto json = fixtures::load("D_balancing").at("GradDrop_activations");
  const auto activation = fixtures::tensor<double>(json.at("A[batch][feature]"));
  const auto& tasks = json.at("dL_dA[task][batch][feature]");
  std::array cotangents{fixtures::tensor<double>(tasks.at(0)),
                        fixtures::tensor<double>(tasks.at(1))};
  const std::array<plait::View3<double>, 2> views{cotangents[0], cotangents[1]};
  const auto before = cotangents;
  const auto uniforms = json.at("U").get<std::vector<double>>();
  std::size_t next = 0;
  GradDrop{}.drop_signs_at_activation<double>(activation, views,
                                              [&] { return uniforms.at(next++); });
  const Eigen::MatrixXd mask = matrix(json.at("mask[task][feature]"));
  for (std::size_t t = 0; t < 2; ++t)
    for (Index b = 0; b < 2; ++b)
      CHECK(views[t].of_slot(0).row(b) ==
            before[t].view().of_slot(0).row(b).cwiseProduct(mask.row(Index(t))));
  const Eigen::MatrixXd sum = views[0].of_slot(0) + views[1].of_slot(0);
  CHECK((sum - matrix(json.at("new_dA"))).norm() < 1e-10);
}

TEST_CASE("GradDrop keeps one sign of every number, and numbers without conflict whole") {
  Rows g(3, 5);
  g << 1, -1, 2, 0, 0,  //
      2, -3, -1, 0, 4,  //
      3, -2, 0.5, 0, 0;
  plait::Random random(3);
  int positive = 0;
  for (int k = 0; k < 4000; ++k) {
    std::vector<double> uniforms(5);
    for (double& u : uniforms) u = random.uniform();
    const Rows kept = dropped(g, GradDrop{}, uniforms);
    for (const Index whole : {0, 1, 3, 4}) CHECK(kept.col(whole) == g.col(whole));
    const bool is_positive = kept(0, 2) == 2 && kept(1, 2) == 0 && kept(2, 2) == 0.5;
    const bool is_negative = kept(0, 2) == 0 && kept(1, 2) == -1 && kept(2, 2) == 0;
    CHECK(is_positive != is_negative);
    positive += is_positive;
  }
  // P = (1 + 1.5 / 3.5) / 2
  CHECK_THAT(positive / 4000.0, Catch::Matchers::WithinAbs(5.0 / 7, 0.03));
  // At the ends of U.
  CHECK(dropped(g.leftCols(2), GradDrop{}, {0, 0}) == Rows(g.leftCols(2)));
  CHECK(dropped(g.leftCols(2), GradDrop{}, {1 - 1e-16, 1 - 1e-16}) == Rows(g.leftCols(2)));
}

TEST_CASE("GradDrop refuses leaks that are not one per task in [0, 1]") {
  CHECK_THROWS_MATCHES(
      GradDrop({.leaks = {0.5}}).validate(2), plait::ConfigError,
      Catch::Matchers::Message(
          "plait::GradDrop: leaks: got 1 numbers, expected 2, one per task, or none"));
  CHECK_THROWS_MATCHES(
      GradDrop({.leaks = {0.5, 1.5}}).validate(2), plait::ConfigError,
      Catch::Matchers::Message("plait::GradDrop: leaks: got 1.5, expected numbers in [0, 1]"));
}
