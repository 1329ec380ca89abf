#include "plait/methods/rotograd.hpp"

#include <cmath>
#include <memory>
#include <vector>

#include "methods/support.hpp"
#include "plait/core/tensor.hpp"
#include "plait/layers/rotations.hpp"
#include "plait/methods/gramian.hpp"
#include "plait/testing/data.hpp"
#include "support/catch.hpp"

using methods_test::matrix;
using methods_test::vector;
using plait::Index;
using plait::MatrixMap;
using plait::Tensor;

namespace {

MatrixMap<double> map(plait::Matrix<double>& m) {
  return {m.data(), m.rows(), m.cols(), Eigen::OuterStride<>(m.cols())};
}
MatrixMap<const double> map(const plait::Matrix<double>& m) {
  return {m.data(), m.rows(), m.cols(), Eigen::OuterStride<>(m.cols())};
}

plait::Matrix<double> random_matrix(Index rows, Index cols, plait::Random& random) {
  plait::Matrix<double> m(rows, cols);
  for (double& number : m.reshaped()) number = random.normal();
  return m;
}

// The worked example: two tasks, a batch of two, two features.
struct Example {
  fixtures::Json json = fixtures::load("D_balancing").at("RotoGrad");
  std::shared_ptr<plait::ParamTable> table = std::make_shared<plait::ParamTable>();
  plait::Rotations<double> layer{*table, "rotations", 2, 2};
  plait::ParamBuffer<double> theta{table};
  Tensor<double> rotated{2, 2, 2};     // cotangents behind the rotations, [B, T, d]
  Tensor<double> cotangents{2, 2, 2};  // before them

  Example() {
    plait::Scratch scratch;
    for (Index t = 0; t < 2; ++t) {
      const auto task = static_cast<std::size_t>(t);
      const auto id = layer.rotation(t);
      MatrixMap<double>(theta.of(id).data(), id.rows, id.cols, Eigen::OuterStride<>(id.cols)) =
          matrix(json.at("R").at(task));
      rotated.view().of_slot(t) =
          matrix(json.at("dL_dr[task][batch][feature] (wrt rotated rep)").at(task));
    }
    // Task by task through the layer's backward.
    for (Index t = 0; t < 2; ++t) {
      Tensor<double> alone(2, 2, 2), dx(2, 1, 2), x(2, 1, 2);
      alone.view().of_slot(t) = rotated.view().of_slot(t);
      plait::ParamBuffer<double> grad(table);
      layer.backward(theta, x, alone, alone, dx, {}, grad, scratch);
      cotangents.view().of_slot(t) = dx.view().of_slot(0);
      CHECK(std::ranges::all_of(grad.flat(), [](double g) { return g == 0; }));
    }
  }
};

}  // namespace

TEST_CASE("RotoGrad: cotangents before the rotation have the worked values") {
  const Example example;
  for (Index t = 0; t < 2; ++t)
    CHECK((example.cotangents.view().of_slot(t) -
           matrix(example.json.at("dL_dz = R^T dL_dr").at(static_cast<std::size_t>(t))))
              .norm() < 1e-10);
}

TEST_CASE("RotoGrad: the scaled cotangent of the trunk has the worked values") {
  const Example example;
  const std::vector<plait::View3<const double>> views{example.cotangents.view().slot(0),
                                                      example.cotangents.view().slot(1)};
  Eigen::MatrixXd gramian = Eigen::MatrixXd::Zero(2, 2);
  plait::accumulate_gramian<double>(std::span<const plait::View3<const double>>(views), gramian);
  CHECK((gramian.diagonal().cwiseSqrt() - vector(example.json.at("norms"))).norm() < 1e-10);
  plait::MethodState state{.steps = 5,
                           .numbers = example.json.at("initial_norms").get<std::vector<double>>()};
  const Eigen::VectorXd alpha =
      methods_test::weights_of(plait::RotoGrad{}, plait::BalancingInput{2, gramian}, state);
  for (const Index t : {0, 1})
    CHECK_THAT(alpha[t] * std::sqrt(gramian(t, t)),
               Catch::Matchers::WithinAbs(example.json.at("common_norm_C").get<double>(), 1e-10));
  const Eigen::MatrixXd d = alpha[0] * views[0].of_slot(0) + alpha[1] * views[1].of_slot(0);
  CHECK((d - matrix(example.json.at("scaled_shared_grad"))).norm() < 1e-10);
}

TEST_CASE("RotoGrad: initial lengths are a task's first, and renewed once after the burn-in") {
  plait::MethodState state;
  state.numbers = {0, 0};
  const plait::RotoGrad method{.burn_in = 2};
  const auto step = [&](double a, double b) {
    const Eigen::MatrixXd gramian = Eigen::Vector2d(a * a, b * b).asDiagonal();
    const Eigen::VectorXd alpha =
        methods_test::weights_of(method, plait::BalancingInput{2, gramian}, state);
    ++state.steps;
    return alpha;
  };
  step(2, 0);
  CHECK(state.numbers == std::vector<double>{2, 0});
  const Eigen::VectorXd alpha = step(1, 3);
  CHECK(state.numbers == std::vector<double>{2, 3});
  // Ratios 1/2 and 1, so C = 1/3 · 1 + 2/3 · 3.
  CHECK((alpha - Eigen::Vector2d(7.0 / 3, 7.0 / 9)).norm() < 1e-14);
  step(5, 6);
  CHECK(state.numbers == std::vector<double>{5, 6});
  step(7, 8);
  CHECK(state.numbers == std::vector<double>{5, 6});
}

TEST_CASE("RotoGrad: reference, loss and gradient of the rotations have the worked values") {
  const Example example;
  Tensor<double> reference(2, 1, 2);
  plait::rotation_reference<double>(example.cotangents, reference);
  CHECK((reference.view().of_slot(0) - matrix(example.json.at("reference_v"))).norm() < 1e-10);
  for (Index t = 0; t < 2; ++t) {
    const auto task = static_cast<std::size_t>(t);
    plait::Matrix<double> gradient(2, 2);
    const auto rotation = example.theta.view().matrix(example.layer.rotation(t));
    const double loss = plait::rotation_gradient<double>(
        rotation, reference, example.rotated.view().slot(t), map(gradient));
    CHECK_THAT(loss, Catch::Matchers::WithinAbs(
                         example.json.at("rotation_loss_per_task").at(task).get<double>(), 1e-10));
    CHECK((gradient - matrix(example.json.at("dloss_dR").at(task))).norm() < 1e-10);
    // The angle's derivative is what `rotate` descends: Ω of a turn by theta.
    const Eigen::MatrixXd product = rotation.transpose() * gradient;
    CHECK_THAT(
        product(1, 0) - product(0, 1),
        Catch::Matchers::WithinAbs(example.json.at("dloss_dtheta").at(task).get<double>(), 1e-10));
  }
}

TEST_CASE("RotoGrad: a task without a gradient adds nothing to the reference") {
  plait::Random random(2);
  Tensor<double> cotangents = plait::testing::normal_tensor<double>(4, {2, 3}, random);
  cotangents.view().of_slot(1).setZero();
  Tensor<double> reference(4, 1, 3);
  plait::rotation_reference<double>(cotangents, reference);
  CHECK((reference.view().of_slot(0) - cotangents.view().of_slot(0) / 4).norm() < 1e-14);
  cotangents.view().of_slot(0).setZero();
  plait::rotation_reference<double>(cotangents, reference);
  CHECK(reference.view().of_slot(0).isZero(0));
}

TEST_CASE("RotoGrad: the gradient of the rotation is its finite difference") {
  plait::Random random(3);
  const plait::Matrix<double> v = random_matrix(5, 3, random), g = random_matrix(5, 3, random);
  plait::Matrix<double> rotation = random_matrix(3, 3, random), gradient(3, 3), ignored(3, 3);
  plait::rotation_gradient<double>(map(std::as_const(rotation)), v, g, map(gradient));
  const double h = 1e-6;
  for (Index i = 0; i < 9; ++i) {
    const auto loss_at = [&](double shift) {
      plait::Matrix<double> moved = rotation;
      moved.data()[i] += shift;
      return plait::rotation_gradient<double>(map(std::as_const(moved)), v, g, map(ignored));
    };
    CHECK_THAT(gradient.data()[i],
               Catch::Matchers::WithinAbs((loss_at(h) - loss_at(-h)) / (2 * h), 1e-8));
  }
}

TEST_CASE("RotoGrad: steps keep the rotation orthogonal and turn it to the reference") {
  plait::Random random(4);
  constexpr Index dim = 4;
  // A rotation that turns v into g exactly is to be found.
  const Eigen::MatrixXd skew = random_matrix(dim, dim, random);
  const Eigen::MatrixXd turn = 0.2 * (skew - skew.transpose());
  const Eigen::MatrixXd identity = Eigen::MatrixXd::Identity(dim, dim);
  const Eigen::MatrixXd target = (identity + turn).partialPivLu().solve(identity - turn);
  const plait::Matrix<double> v = random_matrix(16, dim, random), g = v * target.transpose();
  plait::Matrix<double> rotation = identity, gradient(dim, dim);
  double first = 0, last = 0;
  for (int step = 0; step < 2000; ++step) {
    last = plait::rotation_gradient<double>(map(std::as_const(rotation)), v, g, map(gradient));
    if (step == 0) first = last;
    plait::rotate<double>(map(rotation), map(std::as_const(gradient)), 0.05);
  }
  CHECK(first > 0.1);
  CHECK(last < 1e-20);
  CHECK((rotation * rotation.transpose() - identity).norm() < 1e-14);
  CHECK((rotation - target).norm() < 1e-10);
}

TEST_CASE("RotoGrad: rounding to float does not accumulate over many steps") {
  plait::Random random(5);
  plait::Matrix<float> rotation = plait::Matrix<float>::Identity(6, 6), gradient(6, 6);
  const auto view = [](auto& m) {
    return plait::MatrixMap<float>(m.data(), 6, 6, Eigen::OuterStride<>(6));
  };
  for (int step = 0; step < 5000; ++step) {
    for (float& number : gradient.reshaped()) number = static_cast<float>(random.normal());
    plait::rotate<float>(view(rotation), {gradient.data(), 6, 6, Eigen::OuterStride<>(6)}, 0.1);
  }
  CHECK((rotation * rotation.transpose() - plait::Matrix<float>::Identity(6, 6)).norm() < 2e-6f);
}

TEST_CASE("RotoGrad refuses a negative burn-in; rotations refuse sizes below 1") {
  CHECK_THROWS_MATCHES(
      plait::RotoGrad{.burn_in = -1}.validate(2), plait::ConfigError,
      Catch::Matchers::Message("plait::RotoGrad: burn_in: got -1, expected at least 0"));
  plait::ParamTable table;
  CHECK_THROWS_MATCHES(
      plait::Rotations<float>(table, "", 0, 2), plait::ConfigError,
      Catch::Matchers::Message("plait::Rotations: num_tasks: got 0, expected at least 1"));
  CHECK_THROWS_MATCHES(
      plait::Rotations<float>(table, "", 2, 0), plait::ConfigError,
      Catch::Matchers::Message("plait::Rotations: dim: got 0, expected at least 1"));
}
