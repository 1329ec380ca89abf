#include "plait/methods/gradient_balancer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "methods/all_methods.hpp"
#include "methods/support.hpp"
#include "support/catch.hpp"

using Catch::Matchers::Message;
using plait::BalancingMethod;
using plait::GradientBalancer;
using plait::Index;
using plait::MethodState;
using plait::ParamBuffer;
using plait::ParamRange;
using plait::ParamTable;

namespace {

constexpr Index tasks = 3;
const std::vector<double> losses{0.5, 1.25, 2.0};

// Shared, a task's own, half shared (as a tensor with one row per level may be), shared.
struct Fixture {
  std::shared_ptr<ParamTable> table = std::make_shared<ParamTable>();
  plait::ParamId first, own, stacked, last;
  std::vector<ParamRange> shared;

  Fixture() {
    const auto zero = plait::Init::constant(0);
    first = table->add_matrix("first", 30, 20, zero);
    own = table->add_vector("own", 5, zero);
    stacked = table->add_matrix("stacked", 2, 4, zero);
    last = table->add_vector("last", 3, zero);
    shared = {{first.offset, first.size()}, {stacked.offset, 4}, {last.offset, last.size()}};
  }

  // Task 1 alone reaches `own`, task 2 the second row of `stacked`.
  template <class Scalar>
  std::vector<ParamBuffer<Scalar>> gradients(std::uint64_t seed) const {
    plait::Random random(seed);
    std::vector<ParamBuffer<Scalar>> result(tasks, ParamBuffer<Scalar>(table));
    for (auto& gradient : result)
      for (const ParamRange& range : shared)
        for (Index i = range.offset; i < range.end(); ++i)
          gradient.flat()[std::size_t(i)] = static_cast<Scalar>(random.normal());
    for (Scalar& g : result[1].of(own)) g = static_cast<Scalar>(random.normal());
    for (Scalar& g : result[2].of(stacked).subspan(4)) g = static_cast<Scalar>(random.normal());
    return result;
  }

  // [T, P] over the shared ranges.
  template <class Scalar>
  Eigen::MatrixXd matrix(const std::vector<ParamBuffer<Scalar>>& gradients) const {
    Index size = 0;
    for (const ParamRange& range : shared) size += range.size;
    Eigen::MatrixXd g(tasks, size);
    for (Index t = 0; t < tasks; ++t) {
      Index column = 0;
      for (const ParamRange& range : shared)
        for (Index i = range.offset; i < range.end(); ++i)
          g(t, column++) = static_cast<double>(gradients[std::size_t(t)].flat()[std::size_t(i)]);
    }
    return g;
  }

  template <class Scalar, class Method>
  GradientBalancer<Scalar> balancer(const Method& method, std::uint64_t seed = 1) const {
    return GradientBalancer<Scalar>(method, tasks, table, shared, seed);
  }
};

template <class Scalar>
bool same(const ParamBuffer<Scalar>& a, const ParamBuffer<Scalar>& b) {
  return std::ranges::equal(a.flat(), b.flat());
}

// A method of a user's own: weights by rank of length, longest first; no gradient but the Gramian.
struct ShortestFirst {
  static constexpr bool needs_gramian = true;
  void validate(Index) const {}
  void weights(const plait::BalancingInput& input, MethodState&, std::span<double> out,
               plait::Scratch&) const {
    Index shortest = 0;
    input.gramian.diagonal().minCoeff(&shortest);
    std::ranges::fill(out, 0.0);
    out[std::size_t(shortest)] = 1;
  }
};
static_assert(BalancingMethod<ShortestFirst> && !plait::TransformsGradients<ShortestFirst, float>);

// One that changes the gradients and counts its steps.
struct SignsOnly {
  static constexpr bool needs_gramian = false;
  void validate(Index) const {}
  std::vector<double> initial_numbers(Index) const { return {100}; }
  template <class Scalar>
  void transform(plait::TaskSpans<Scalar> gradients, plait::TaskSpans<Scalar> buffers,
                 MethodState& state) const {
    CHECK(buffers.empty());
    state.numbers[0] += static_cast<double>(gradients[0].size());
    for (const auto& gradient : gradients)
      for (Scalar& g : gradient) g = g > 0 ? Scalar(1) : g < 0 ? Scalar(-1) : Scalar(0);
  }
  void weights(const plait::BalancingInput&, MethodState&, std::span<double> out,
               plait::Scratch&) const {
    std::ranges::fill(out, 1.0);
  }
};
static_assert(BalancingMethod<SignsOnly> && plait::TransformsGradients<SignsOnly, double>);

// What is not one.
struct NoWeights {
  static constexpr bool needs_gramian = true;
  void validate(Index) const {}
};
static_assert(!BalancingMethod<NoWeights> && !BalancingMethod<int>);
static_assert(!plait::keeps_buffers<plait::PCGrad> && plait::keeps_buffers<plait::DBMTL>);

}  // namespace

TEMPLATE_TEST_CASE("shared parameters get Σ α g, private ones their own task's gradient", "", float,
                   double) {
  const Fixture fixture;
  methods_test::for_each_balancing_method([&](const char* name, const auto& method) {
    INFO(name);
    auto balancer = fixture.balancer<TestType>(method);
    using Method = std::remove_cvref_t<decltype(method)>;
    auto gradients = fixture.gradients<TestType>(3);
    const auto before = gradients;
    ParamBuffer<TestType> out(fixture.table);
    std::ranges::fill(out.flat(), TestType(9));
    balancer.combine(gradients, losses, out);

    const auto after = fixture.matrix(gradients);  // as transformed
    const Eigen::Map<const Eigen::VectorXd> alpha(balancer.weights().data(), tasks);
    const Eigen::VectorXd expected = after.transpose() * alpha;
    const Eigen::MatrixXd got = fixture.matrix(std::vector(tasks, out));
    CHECK((got.row(0).transpose() - expected).cwiseAbs().maxCoeff() <
          (sizeof(TestType) == 4 ? 1e-5 : 1e-13) * (1 + expected.cwiseAbs().maxCoeff()));
    if constexpr (Method::needs_gramian)
      CHECK((balancer.gramian() - after * after.transpose()).norm() < 1e-10 * after.squaredNorm());
    CHECK(balancer.transforms() == plait::TransformsGradients<Method, TestType>);
    if (!balancer.transforms() && !plait::ReshapesLosses<Method>)
      for (std::size_t t = 0; t < tasks; ++t) CHECK(same(gradients[t], before[t]));

    const auto check_private = [&](auto numbers, auto task_numbers, Index task) {
      std::vector<double> slopes(tasks, 1.0);
      if constexpr (plait::ReshapesLosses<Method>) method.loss_slopes(losses, slopes);
      const double slope = slopes[std::size_t(task)];
      for (std::size_t i = 0; i < numbers.size(); ++i)
        CHECK(numbers[i] == static_cast<TestType>(slope * static_cast<double>(task_numbers[i])));
    };
    check_private(out.of(fixture.own), before[1].of(fixture.own), 1);
    check_private(out.of(fixture.stacked).subspan(4), before[2].of(fixture.stacked).subspan(4), 2);
  });
}

TEST_CASE("equal weights give the sum of the gradients") {
  const Fixture fixture;
  auto balancer = fixture.balancer<double>(plait::EqualWeights{});
  auto gradients = fixture.gradients<double>(4);
  ParamBuffer<double> out(fixture.table);
  balancer.combine(gradients, losses, out);
  for (std::size_t i = 0; i < out.flat().size(); ++i) {
    double sum = 0;
    for (const auto& gradient : gradients) sum += gradient.flat()[i];
    CHECK(std::abs(out.flat()[i] - sum) < 1e-15);
  }
  CHECK(balancer.gramian().isZero(0));  // not formed
}

TEST_CASE("weigh gives the weights that combine does, where the caller has the Gramian") {
  const Fixture fixture;
  methods_test::for_each_balancing_method([&](const char* name, const auto& method) {
    INFO(name);
    auto a = fixture.balancer<double>(method), b = a;
    if (!a.transforms()) {
      for (std::uint64_t step = 0; step < 3; ++step) {
        auto gradients = fixture.gradients<double>(step);
        ParamBuffer<double> out(fixture.table);
        a.combine(gradients, losses, out);
        const auto weights = b.weigh(a.gramian(), losses);
        CHECK(std::ranges::equal(weights, a.weights()));
      }
    }
  });
}

TEST_CASE("trap: balancing weights recorded for the last task only") {
  const Fixture fixture;
  auto balancer = fixture.balancer<double>(plait::NashMTL{});
  const Eigen::MatrixXd gramian = Eigen::Vector3d(1, 4, 16).asDiagonal();
  balancer.weigh(gramian);
  const std::vector<double> recorded(balancer.weights().begin(), balancer.weights().end());
  REQUIRE(recorded.size() == 3);
  CHECK_THAT(recorded[0], Catch::Matchers::WithinAbs(1, 1e-14));
  CHECK_THAT(recorded[1], Catch::Matchers::WithinAbs(0.5, 1e-14));
  CHECK_THAT(recorded[2], Catch::Matchers::WithinAbs(0.25, 1e-14));
}

TEST_CASE("DB-MTL has the worked values of two steps") {
  const auto json = fixtures::load("D_balancing").at("DB_MTL");
  auto table = std::make_shared<ParamTable>();
  const auto shared = table->add_vector("shared", 2, plait::Init::constant(0));
  const auto own = table->add_vector("own", 1, plait::Init::constant(0));
  const plait::DBMTL method{.beta = json.at("beta").get<double>(),
                            .decay = json.at("beta_sigma").get<double>()};
  GradientBalancer<double> balancer(method, 2, table, {{shared.offset, 2}});
  for (const auto& step : json.at("steps")) {
    std::vector<ParamBuffer<double>> gradients(2, ParamBuffer<double>(table));
    for (std::size_t t = 0; t < 2; ++t)
      for (std::size_t i = 0; i < 2; ++i)
        gradients[t].of(shared)[i] = step.at("grads_of_L").at(t).at(i).get<double>();
    gradients[1].of(own)[0] = 3;
    const auto step_losses = step.at("losses").get<std::vector<double>>();
    ParamBuffer<double> out(table);
    balancer.combine(gradients, step_losses, out);
    const auto check = [](double got, const fixtures::Json& expected) {
      CHECK_THAT(got, Catch::Matchers::WithinAbs(expected.get<double>(), 1e-10));
    };
    for (std::size_t t = 0; t < 2; ++t) {
      check(balancer.weights()[t], step.at("alpha").at(t));
      for (std::size_t i = 0; i < 2; ++i) {
        check(balancer.buffers()[t].of(shared)[i], step.at("ema").at(t).at(i));
        // The gradient of the log-loss, which the fixture states for shared parameters.
        std::vector<double> slopes(2);
        method.loss_slopes(step_losses, slopes);
        const double slope = slopes[t];
        check(slope * step.at("grads_of_L").at(t).at(i).get<double>(),
              step.at("grads_of_logL").at(t).at(i));
      }
    }
    for (std::size_t i = 0; i < 2; ++i) check(out.of(shared)[i], step.at("d").at(i));
    CHECK(out.of(own)[0] == 3 / (step_losses[1] + 1e-8));
  }
}

TEST_CASE("DB-MTL: the vectors that are summed have the length of the longest") {
  const Fixture fixture;
  auto balancer = fixture.balancer<double>(plait::DBMTL{});
  for (std::uint64_t step = 0; step < 5; ++step) {
    auto gradients = fixture.gradients<double>(step);
    if (step == 3)  // no valid label: the buffer remembers
      gradients[0].set_zero();
    ParamBuffer<double> out(fixture.table);
    balancer.combine(gradients, losses, out);
    const Eigen::ArrayXd norms = balancer.gramian().diagonal().cwiseSqrt();
    for (Index t = 0; t < tasks; ++t)
      CHECK_THAT(balancer.weights()[std::size_t(t)] * norms[t],
                 Catch::Matchers::WithinRel(norms.maxCoeff(), 1e-7));
  }
}

TEST_CASE("a user's own methods plug in") {
  const Fixture fixture;
  ParamBuffer<double> out(fixture.table);
  auto gradients = fixture.gradients<double>(5);
  for (double& g : gradients[1].flat()) g *= 0.1;
  auto shortest = fixture.balancer<double>(ShortestFirst{});
  shortest.combine(gradients, losses, out);
  CHECK(std::ranges::equal(shortest.weights(), std::vector<double>{0, 1, 0}));
  CHECK(std::ranges::equal(out.of(fixture.first), gradients[1].of(fixture.first)));

  auto signs = fixture.balancer<double>(SignsOnly{});
  signs.combine(gradients, losses, out);
  CHECK(std::ranges::all_of(out.of(fixture.first),
                            [](double d) { return d == 3 || d == 1 || d == -1 || d == -3; }));
  CHECK(signs.state().numbers[0] == 100 + 600 + 4 + 3);
  CHECK(signs.state().steps == 1);
}

TEST_CASE("balancing goes on from a stored state bit for bit, and a copy independently") {
  const Fixture fixture;
  methods_test::for_each_balancing_method([&](const char* name, const auto& method) {
    INFO(name);
    auto original = fixture.balancer<float>(method, 5);
    ParamBuffer<float> out(fixture.table), other(fixture.table);
    const auto step = [&](auto& balancer, std::uint64_t seed, ParamBuffer<float>& result) {
      auto gradients = fixture.gradients<float>(seed);
      balancer.combine(gradients, losses, result);
    };
    for (std::uint64_t k = 0; k < 4; ++k) step(original, k, out);
    auto copy = original;
    auto restored = fixture.balancer<float>(method, 99);
    restored.restore(original.state(), original.buffers());
    CHECK(restored.state().steps == 4);
    for (std::uint64_t k = 4; k < 8; ++k) {
      step(original, k, out);
      step(restored, k, other);
      CHECK(same(out, other));
      step(copy, k, other);
      CHECK(same(out, other));
    }
  });
}

TEST_CASE("a balancer refuses what does not fit, before anything is changed") {
  const Fixture fixture;
  auto balancer = fixture.balancer<float>(plait::DBMTL{});
  auto gradients = fixture.gradients<float>(6);
  ParamBuffer<float> out(fixture.table);
  std::ranges::fill(out.flat(), 9.0f);
  const auto call = [&] { balancer.combine(gradients, losses, out); };

  CHECK_THROWS_MATCHES(balancer.combine(std::span(gradients).first(2), losses, out),
                       plait::ShapeError,
                       Message("plait::GradientBalancer: gradients: got 2, expected 3, one per "
                               "task"));
  CHECK_THROWS_MATCHES(balancer.combine(gradients, std::span(losses).first(1), out),
                       plait::ShapeError,
                       Message("plait::GradientBalancer: losses: got 1, expected 3, one per task"));
  ParamBuffer<float> foreign;
  CHECK_THROWS_MATCHES(
      balancer.combine(gradients, losses, foreign), plait::ShapeError,
      Message("plait::GradientBalancer: out: got a table of 0 tensors, 0 numbers, expected the one "
              "it was built for, of 4 tensors, 616 numbers"));
  CHECK_THROWS_MATCHES(balancer.combine(gradients, std::vector<double>{1, -0.5, 1}, out),
                       plait::ValueError,
                       Message("plait::DBMTL: loss of task 1: got -0.5, expected at least 0"));
  auto other_gradients = gradients;
  other_gradients[1] = foreign;
  CHECK_THROWS_MATCHES(
      balancer.combine(other_gradients, losses, out), plait::ShapeError,
      Message("plait::GradientBalancer: gradients: got a table of 0 tensors, 0 numbers, expected "
              "the one it was built for, of 4 tensors, 616 numbers"));
  gradients[2].of(fixture.last)[1] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_MATCHES(call(), plait::ValueError,
                       Message("plait::GradientBalancer: gradient of task 2: got NaN or infinity, "
                               "expected finite numbers"));
  gradients[2].of(fixture.last)[1] = std::numeric_limits<float>::infinity();
  CHECK_THROWS_AS(call(), plait::ValueError);
  gradients[2].of(fixture.last)[1] = 1e38f;  // beyond floats when divided by the loss
  CHECK_THROWS_AS(balancer.combine(gradients, std::vector<double>{1, 1, 1e-3}, out),
                  plait::ValueError);

  CHECK(std::ranges::all_of(out.flat(), [](float o) { return o == 9; }));
  const auto untouched = fixture.gradients<float>(6);
  for (std::size_t t = 0; t < 2; ++t) CHECK(same(gradients[t], untouched[t]));
  CHECK(balancer.state().steps == 0);
  for (const auto& buffer : balancer.buffers())
    CHECK(std::ranges::all_of(buffer.flat(), [](float b) { return b == 0; }));
}

TEST_CASE("a gradient that is not finite leaves a Gramian's method as it was") {
  const Fixture fixture;
  auto balancer = fixture.balancer<float>(plait::PCGrad{});
  auto gradients = fixture.gradients<float>(6);
  ParamBuffer<float> out(fixture.table);
  balancer.combine(gradients, losses, out);
  const auto before = balancer;
  gradients[1].of(fixture.stacked)[2] = std::numeric_limits<float>::infinity();
  CHECK_THROWS_MATCHES(balancer.combine(gradients, losses, out), plait::ValueError,
                       Message("plait::GradientBalancer: gradient of task 1: got NaN or infinity, "
                               "expected finite numbers"));
  CHECK(balancer.gramian() == before.gramian());
  CHECK(std::ranges::equal(balancer.weights(), before.weights()));
  CHECK(balancer.state().steps == 1);
  CHECK(balancer.state().random.state() == before.state().random.state());
}

TEST_CASE("weigh refuses Gramians and losses that do not fit, before anything is changed") {
  const Fixture fixture;
  auto balancer =
      fixture.balancer<float>(plait::MGDA{.normalisation = plait::MGDANormalisation::loss});
  Eigen::MatrixXd gramian = Eigen::MatrixXd::Identity(3, 3);
  CHECK_THROWS_MATCHES(balancer.weigh(Eigen::MatrixXd::Identity(2, 2), losses), plait::ShapeError,
                       Message("plait::GradientBalancer: gramian: got [2, 2], expected [3, 3]"));
  CHECK_THROWS_MATCHES(balancer.weigh(gramian), plait::ShapeError,
                       Message("plait::MGDA: losses: got 0, expected one per task"));
  CHECK_THROWS_MATCHES(balancer.weigh(gramian, std::vector<double>{1, 0, 1}), plait::ValueError,
                       Message("plait::MGDA: loss of task 1: got 0, expected above 0"));
  gramian(1, 2) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_MATCHES(balancer.weigh(gramian, losses), plait::ValueError,
                       Message("plait::GradientBalancer: gramian: got NaN or infinity, expected "
                               "finite numbers"));
  gramian(1, 2) = 0;
  gramian(1, 1) = -2;
  CHECK_THROWS_MATCHES(balancer.weigh(gramian, losses), plait::ValueError,
                       Message("plait::GradientBalancer: gramian: got -2, expected squared lengths "
                               "on the diagonal"));
  CHECK(balancer.state().steps == 0);
  CHECK(balancer.gramian().isZero(0));
  CHECK(std::ranges::equal(balancer.weights(), std::vector<double>{1, 1, 1}));
  CHECK_THROWS_MATCHES(
      fixture.balancer<float>(plait::GradDrop{}).weigh(Eigen::MatrixXd::Identity(3, 3), losses),
      plait::ConfigError,
      Message("plait::GradientBalancer: method: got one that changes the gradients, expected one "
              "that needs their Gramian alone"));
}

TEST_CASE("a balancer refuses descriptions and states that make no sense") {
  const Fixture fixture;
  const auto make = [&](const auto& method, Index count, std::vector<ParamRange> shared) {
    GradientBalancer<float>(method, count, fixture.table, std::move(shared));
  };
  CHECK_THROWS_MATCHES(make(plait::PCGrad{}, 0, {}), plait::ConfigError,
                       Message("plait::GradientBalancer: tasks: got 0, expected at least 1"));
  const auto range_message = [](const char* got) {
    return Message(std::string("plait::GradientBalancer: shared: got ") + got +
                   ", expected ranges in order, apart and within 656 numbers");
  };
  CHECK_THROWS_MATCHES(make(plait::PCGrad{}, 2, {{10, 20}, {29, 5}}), plait::ConfigError,
                       range_message("5 numbers from 29 on"));
  CHECK_THROWS_MATCHES(make(plait::PCGrad{}, 2, {{600, 57}}), plait::ConfigError,
                       range_message("57 numbers from 600 on"));
  CHECK_THROWS_MATCHES(make(plait::PCGrad{}, 2, {{0, -1}}), plait::ConfigError,
                       range_message("-1 numbers from 0 on"));
  make(plait::PCGrad{}, 2, {{600, 56}});

  const auto fails = [&](const auto& method, const char* text) {
    CHECK_THROWS_MATCHES(make(method, 2, {}), plait::ConfigError, Message(text));
  };
  fails(plait::CAGrad{.c = -1}, "plait::CAGrad: c: got -1, expected a finite number of at least 0");
  fails(plait::GradVac{.beta = 1}, "plait::GradVac: beta: got 1, expected a number in [0, 1)");
  fails(plait::MGDA{.tolerance = std::nan("")},
        "plait::MGDA: tolerance: got nan, expected a finite number of at least 0");
  fails(plait::MGDA{.iterations = 0}, "plait::MGDA: iterations: got 0, expected at least 1");
  fails(plait::NashMTL{.max_norm = 0},
        "plait::NashMTL: max_norm: got 0, expected a finite number above 0");
  fails(plait::AlignedMTL{.preferences = {1, 2, 3}},
        "plait::AlignedMTL: preferences: got 3 numbers, expected 2, one per task, or none");
  fails(plait::UPGrad{.preferences = {1, -2}},
        "plait::UPGrad: preferences: got -2, expected finite numbers of at least 0");
  fails(plait::UPGrad{.regularisation = -1},
        "plait::UPGrad: regularisation: got -1, expected a finite number of at least 0");
  fails(plait::DBMTL{.beta = 1.5}, "plait::DBMTL: beta: got 1.5, expected a number in [0, 1)");
  fails(plait::DBMTL{.decay = -1},
        "plait::DBMTL: decay: got -1, expected a finite number of at least 0");
  fails(plait::FairGrad{.alpha = 0},
        "plait::FairGrad: alpha: got 0, expected a number in [0.2, 10]");

  auto balancer = fixture.balancer<float>(plait::GradVac{});
  CHECK_THROWS_MATCHES(balancer.restore({.steps = -1}), plait::ConfigError,
                       Message("plait::GradientBalancer: steps: got -1, expected at least 0"));
  CHECK_THROWS_MATCHES(balancer.restore({.steps = 1}), plait::ConfigError,
                       Message("plait::GradientBalancer: numbers: got 0, expected 9"));
  auto db = fixture.balancer<float>(plait::DBMTL{});
  CHECK_THROWS_MATCHES(db.restore({}), plait::ConfigError,
                       Message("plait::GradientBalancer: buffers: got 0, expected 3"));
  CHECK_THROWS_MATCHES(
      db.restore({}, std::vector<ParamBuffer<float>>(3)), plait::ShapeError,
      Message("plait::GradientBalancer: buffers: got a table of 0 tensors, 0 numbers, expected the "
              "one it was built for, of 4 tensors, 616 numbers"));
}
