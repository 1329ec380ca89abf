// ConFIG and FAMO against worked numbers of plain Python (make_recent_methods.py), and what they
// promise.
#include <cmath>
#include <string>
#include <vector>

#include "methods/support.hpp"
#include "plait/methods/conflict_free.hpp"
#include "plait/methods/famo.hpp"
#include "plait/methods/imtl_g.hpp"
#include "plait/methods/loss_weighting.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"

using methods_test::check_close;
using methods_test::Numbers;
using methods_test::weights;
using plait::ConFIG;
using plait::FAMO;
using plait::Index;
using plait::LossWeighting;

TEST_CASE("worked numbers: ConFIG") {
  const fixtures::Json cases = fixtures::load("J_recent_methods").at("ConFIG");
  REQUIRE(!cases.empty());
  for (const fixtures::Json& json : cases) {
    const Eigen::MatrixXd g = methods_test::matrix(json.at("G(rows=task gradients)"));
    const Eigen::VectorXd expected = methods_test::vector(json.at("d"));
    const Eigen::VectorXd d = g.transpose() * weights(ConFIG{}, g * g.transpose());
    CHECK((d - expected).norm() < 1e-10 * expected.norm());
  }
}

TEST_CASE("ConFIG hurts no task, goes IMTL-G's way, and is the gradients' projections long") {
  plait::Random random(4);
  for (int i = 0; i < 50; ++i) {
    const Index tasks = 2 + i % 4;
    const Eigen::MatrixXd g =
        methods_test::random_gradients(methods_test::Kind::independent, tasks, random);
    const Eigen::MatrixXd m = g * g.transpose();
    const Eigen::VectorXd d = g.transpose() * weights(ConFIG{}, m);
    const Eigen::VectorXd cosines = g.rowwise().normalized() * d / d.norm();
    CHECK((cosines.array() - cosines[0]).abs().maxCoeff() < 1e-9);
    CHECK(cosines[0] > 0);
    CHECK(std::abs(d.norm() - (g * d).sum() / d.norm()) < 1e-9 * d.norm());
    const Eigen::VectorXd impartial = g.transpose() * weights(plait::IMTLG{}, m);
    CHECK(std::abs(std::abs(impartial.normalized().dot(d.normalized())) - 1) < 1e-12);
  }
  // Alone a gradient is its own direction; opposite ones cancel; equal ones are summed.
  CHECK((weights(ConFIG{}, Eigen::MatrixXd::Constant(1, 1, 9)) - Eigen::VectorXd::Ones(1)).norm() <
        1e-14);
  Eigen::MatrixXd opposite(2, 2);
  opposite << 4, -2, -2, 1;
  CHECK(weights(ConFIG{}, opposite).isZero(0));
  const Eigen::VectorXd equal = weights(ConFIG{}, Eigen::MatrixXd::Constant(3, 3, 2));
  CHECK(std::abs(equal.sum() - 3) < 1e-12);
}

TEST_CASE("worked numbers: FAMO") {
  const fixtures::Json json = fixtures::load("J_recent_methods").at("FAMO");
  LossWeighting weighting(FAMO{.least = json.at("least").get<Numbers>()}, 3);
  CHECK(weighting.needs_losses_after());
  for (std::size_t i = 0; i < json.at("weights").size(); ++i) {
    const fixtures::Json& step = json.at("steps(before, after)").at(i);
    const Numbers before = step.at(0).get<Numbers>();
    check_close(weighting.weigh(before), json.at("weights").at(i));
    weighting.update(before, {}, step.at(1).get<Numbers>());
  }
  const auto& numbers = weighting.state().numbers;
  check_close(Numbers(numbers.begin(), numbers.begin() + 3), json.at("xi"));
}

TEST_CASE("FAMO: a task that got better than the others weighs less, one without labels nothing") {
  LossWeighting weighting(FAMO{}, 3);
  const Numbers before{1, 2, 0};
  const auto first = weighting.weigh(before);
  const double ratio = first[0] / first[1];
  CHECK(std::abs(ratio - 2) < 1e-7);
  CHECK(first[2] == 0);
  CHECK(std::abs(first[0] + first[1] - 1) < 1e-15);
  weighting.update(before, {}, Numbers{0.5, 2, 0});
  const auto second = weighting.weigh(before);
  CHECK(second[0] / second[1] < ratio);
  CHECK(weighting.state().numbers[2] == 0);

  // A loss that fell to the least there is, or below: nothing is learned.
  const auto numbers = weighting.state().numbers;
  weighting.update(before, {}, Numbers{-1, 1, 0});
  CHECK(weighting.state().numbers == numbers);
  weighting.update(Numbers{0, 0, 0}, {}, Numbers{0, 0, 0});
  CHECK(weighting.state().numbers == numbers);
  for (const double w : weighting.weigh(Numbers{0, 0, 0})) CHECK(w == 0);
}

TEST_CASE("FAMO refuses losses below the least, and settings out of range") {
  LossWeighting weighting(FAMO{.least = {0, 1}}, 2);
  CHECK_THROWS_MATCHES(
      weighting.weigh(Numbers{1, 0.5}), plait::ValueError,
      Catch::Matchers::Message("plait::FAMO: loss of task 1: got 0.5, expected at least 1"));
  CHECK_THROWS_AS(weighting.update(Numbers{1, 2}, {}, Numbers{1}), plait::ShapeError);
  CHECK_THROWS_AS(weighting.update(Numbers{1, 2}), plait::ShapeError);
  CHECK(weighting.state().steps == 0);
  CHECK_THROWS_AS(LossWeighting(FAMO{.least = {1}}, 2), plait::ConfigError);
  CHECK_THROWS_AS(LossWeighting(FAMO{.least = {1, -1}}, 2), plait::ConfigError);
}
