// Penalties: the worked examples, gradients, and what a list of them refuses and remembers.
#include "plait/penalties/penalties.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "penalties/cases.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/architectures/sluice.hpp"
#include "plait/architectures/sluice_layer.hpp"
#include "plait/layers/dselect_penalty.hpp"
#include "plait/model/model.hpp"
#include "plait/testing/build.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"

using namespace plait;
using fixtures::Json;

namespace {

template <class Scalar>
constexpr double most = std::is_same_v<Scalar, double> ? 1e-10 : 1e-5;

template <class Scalar>
bool near(double got, double wanted) {
  return std::abs(got - wanted) <= most<Scalar> * (std::max)(1.0, std::abs(wanted));
}

ParamBuffer<double> numbers(std::uint64_t seed = 7) {
  ParamBuffer<double> theta(penalty_cases::table());
  Random random(seed);
  initialise(theta, random);
  return theta;
}

// Of the worked example, [D, C, T] there and [C, D] for every task here.
template <class Scalar>
ParamBuffer<Scalar> heads(const Json& w) {
  auto table = std::make_shared<ParamTable>();
  for (int t = 0; t < 2; ++t) table->add_matrix(text("heads.", t), 2, 2, Init::constant(0));
  ParamBuffer<Scalar> theta(std::move(table));
  for (std::size_t d = 0; d < 2; ++d)
    for (std::size_t c = 0; c < 2; ++c)
      for (std::size_t t = 0; t < 2; ++t)
        theta.of(text("heads.", t))[2 * c + d] =
            static_cast<Scalar>(w.at(d).at(c).at(t).get<double>());
  return theta;
}

}  // namespace

TEMPLATE_TEST_CASE("math example B07: the prior of related heads", "", double, float) {
  using Scalar = TestType;
  const Json example = fixtures::load("B07_mrn_penalty");
  const auto theta = heads<Scalar>(example.at("params").at("W"));
  const TensorNormal prior{.weight = 1, .every = 1, .parameters = "heads.*"};
  std::vector<ParamId> of;
  for (const auto& entry : theta.table().entries()) of.push_back(entry.id);

  // The example's covariances, their inverses and determinants.
  const auto given = [&] {
    std::vector<double> state = prior.initial_numbers(of);
    for (std::size_t k = 0; k < 3; ++k) {
      const Json& sigma = example.at("params").at("Sigma").at(k);
      const auto at = [&](std::size_t i, std::size_t j) {
        return sigma.at(i).at(j).template get<double>();
      };
      const double determinant = at(0, 0) * at(1, 1) - at(0, 1) * at(1, 0);
      const auto covariance = prior.covariance(of, std::span(state), k);
      const auto inverse = prior.covariance(of, std::span(state), k, true);
      std::ranges::copy(std::vector{at(0, 0), at(0, 1), at(1, 0), at(1, 1)}, covariance.begin());
      std::ranges::copy(std::vector{at(1, 1), -at(0, 1), -at(1, 0), at(0, 0)}, inverse.begin());
      for (double& number : inverse) number /= determinant;
      state[state.size() - 3 + k] = std::log(determinant);
    }
    return state;
  };
  Scratch scratch;
  ParamBuffer<Scalar> gradient(theta.shared_table());
  const double value = prior.add(of, theta, gradient, given(), scratch);
  CHECK(near<Scalar>(value, example.at("outputs").at("half_quadratic_plus_logdets")));
  const auto wanted = heads<double>(example.at("grads").at("W"));
  for (std::size_t i = 0; i < wanted.flat().size(); ++i)
    CHECK(near<Scalar>(gradient.flat()[i], wanted.flat()[i]));

  // Each covariance from the given others, by axes that are exchanged with the first, which is
  // learned before the others.
  const Json& learned =
      example.at("outputs").at("flip_flop_update_of_each_Sigma(from the given Sigmas)");
  for (std::size_t axis = 0; axis < 3; ++axis) {
    INFO("axis " << axis);
    ParamBuffer<Scalar> turned = theta;
    for (std::size_t i = 0; i < 8; ++i) {
      std::array<std::size_t, 3> at{i / 4, i / 2 % 2, i % 2};
      const auto number = theta.of(text("heads.", at[2]))[2 * at[1] + at[0]];
      std::swap(at[0], at[axis]);
      turned.of(text("heads.", at[2]))[2 * at[1] + at[0]] = number;
    }
    std::vector<double> state = given();
    for (const bool inverse : {false, true}) {
      const auto other = prior.covariance(of, std::span(state), axis, inverse);
      if (axis > 0)
        std::ranges::swap_ranges(prior.covariance(of, std::span(state), 0, inverse), other);
    }
    prior.update(of, turned, 1, std::span(state), scratch);
    const auto got = prior.covariance(of, std::span(state), 0);
    for (std::size_t i = 0; i < 4; ++i)
      CHECK(near<Scalar>(got[i], learned.at(axis).at(i / 2).at(i % 2).template get<double>()));
    for (std::size_t k = 0; k < 3; ++k) {
      const auto sigma = prior.covariance(of, std::span(state), k);
      const auto inverse = prior.covariance(of, std::span(state), k, true);
      const double determinant = sigma[0] * sigma[3] - sigma[1] * sigma[2];
      CHECK(near<double>(inverse[0], sigma[3] / determinant));
      CHECK(near<double>(inverse[1], -sigma[1] / determinant));
      CHECK(near<double>(inverse[3], sigma[0] / determinant));
      CHECK(near<double>(state[state.size() - 3 + k], std::log(determinant)));
    }
  }
  // Of tasks alone, when it is time.
  TensorNormal alone = prior;
  alone.tasks_alone = true;
  alone.every = 3;
  std::vector<double> state = alone.initial_numbers(of);
  const std::vector<double> before = state;
  CHECK(state.size() == 2 * 4 + 3);
  alone.update(of, theta, 2, std::span(state), scratch);
  CHECK(state == before);
  alone.update(of, theta, 3, std::span(state), scratch);
  const auto got = alone.covariance(of, std::span(state), 2);
  for (std::size_t a = 0; a < 2; ++a)
    for (std::size_t b = 0; b < 2; ++b) {
      double sum = a == b ? alone.epsilon : 0;
      for (std::size_t i = 0; i < 4; ++i)
        sum +=
            static_cast<double>(theta.of(of[a])[i]) * static_cast<double>(theta.of(of[b])[i]) / 4;
      CHECK(near<double>(got[2 * a + b], sum));
    }
}

TEMPLATE_TEST_CASE("math example B01: a sluice network's penalty", "", double, float) {
  const Json example = fixtures::load("B01_sluice");
  const auto built = testing::build<TestType>(
      1, Trunk<TestType>(
             Sluice{.input_dim = 2, .num_tasks = 2, .levels = {{2}, {2}}, .subspaces = 2}));
  ParamBuffer<TestType> theta = built.theta, gradient(theta.shared_table());
  for (std::size_t t = 0; t < 2; ++t)
    for (std::size_t l = 0; l < 2; ++l) {
      const auto flat = example.at("params").at("layers").at(t).at(l).at("W");
      for (std::size_t i = 0; i < 4; ++i)
        theta.of(text("experts.", l, ".", t, ".mlp_net.0.weight"))[i] =
            flat.at(i / 2).at(i % 2).template get<TestType>();
    }
  Penalties<TestType> penalties(theta.shared_table(),
                                {{"subspaces", OrthogonalSubspaces{.weight = 1}}});
  CHECK(near<TestType>(penalties.add(theta, gradient), example.at("outputs").at("penalty_Omega")));
}

TEMPLATE_TEST_CASE("math example B05: AdaShare's regularisers", "", double, float) {
  const Json example = fixtures::load("B05_adashare");
  auto table = std::make_shared<ParamTable>();
  for (int t = 0; t < 2; ++t) table->add_matrix(text("policies.", t), 2, 2, Init::constant(0));
  ParamBuffer<TestType> theta(std::move(table)), gradient(theta.shared_table());
  for (std::size_t t = 0; t < 2; ++t)
    for (std::size_t i = 0; i < 4; ++i)
      theta.of(text("policies.", t))[i] =
          example.at("params").at("logits").at(t).at(i / 2).at(i % 2).template get<TestType>();
  const Json& wanted = example.at("outputs").at("regularisers");
  const auto check = [&](AdaSharePenalty penalty, const char* name) {
    INFO(name);
    Penalties<TestType> penalties(theta.shared_table(), {{"policies", penalty}});
    CHECK(near<TestType>(penalties.add(theta, gradient), wanted.at(name)));
  };
  check({.sparsity = 1}, "sparsity_paper(sum log p_exec)");
  check({.sharing = 1}, "sharing_paper(weights (L-l)/L on probabilities)");
  check({.sparsity = 1, .as_code = true}, "sparsity_code(sum_t mean_l -log p_skip)");
  check({.sharing = 1, .as_code = true}, "sharing_code(weights (l+1)/L on raw logits col 0)");
}

TEST_CASE("penalties have the gradient of what they are") {
  for (const auto& penalty : penalty_cases::all()) {
    const auto report = penalty_cases::check(penalty);
    INFO(penalty.name << ": " << report.text());
    CHECK(report.passed());
  }
}

TEST_CASE("policies that are alike or certain are paid for without surprise") {
  auto theta = numbers();
  for (int t = 0; t < 3; ++t) std::ranges::fill(theta.of(text("trunk.policies.", t)), 0.25);
  ParamBuffer<double> gradient(theta.shared_table());
  for (const bool as_code : {false, true}) {
    Penalties<double> alike(theta.shared_table(),
                            {{"a", AdaSharePenalty{.sharing = 1, .as_code = as_code}}});
    CHECK(alike.add(theta, gradient) == 0);
    CHECK(std::ranges::all_of(gradient.flat(), [](double g) { return g == 0; }));
  }
  std::ranges::copy(std::vector<double>{1e4, 0, 0, 1e4, 0, 0},
                    theta.of("trunk.policies.0").begin());
  for (const bool as_code : {false, true}) {
    Penalties<double> certain(theta.shared_table(),
                              {{"a", AdaSharePenalty{.sparsity = 1, .as_code = as_code}}});
    const double value = certain.add(theta, gradient);
    CHECK(std::isfinite(value));
    CHECK(std::abs(value) > 3000);
    CHECK(std::ranges::all_of(gradient.flat(), [](double g) { return std::isfinite(g); }));
  }
}

TEST_CASE("a prior with all covariances at one is L2, and learns that heads are alike") {
  auto theta = numbers();
  ParamBuffer<double> of_prior(theta.shared_table()), of_norm(theta.shared_table());
  Penalties<double> prior(
      theta.shared_table(),
      {{"heads", TensorNormal{.weight = 0.3, .every = 1, .parameters = "towers.*"}}});
  Penalties<double> norm(theta.shared_table(),
                         {{"heads", L2{.weight = 0.3, .parameters = "towers.*"}}});
  CHECK(std::abs(prior.add(theta, of_prior) - norm.add(theta, of_norm)) < 1e-12);
  for (std::size_t i = 0; i < of_norm.flat().size(); ++i)
    CHECK(std::abs(of_prior.flat()[i] - of_norm.flat()[i]) < 1e-12);

  std::ranges::copy(theta.of("towers.0.weight"), theta.of("towers.1.weight").begin());
  theta.of("towers.1.weight")[0] += 0.05;
  prior.update(theta);
  std::vector<ParamId> of;
  for (int t = 0; t < 3; ++t) of.push_back(theta.table().at(text("towers.", t, ".weight")).id);
  const auto tasks = TensorNormal{}.covariance(of, std::span(prior.state().numbers), 2);
  const auto correlation = [&](std::size_t a, std::size_t b) {
    return tasks[3 * a + b] / std::sqrt(tasks[4 * a] * tasks[4 * b]);
  };
  CHECK(correlation(0, 1) > 0.8);
  CHECK(correlation(0, 1) > correlation(0, 2));
  CHECK(tasks[1] == tasks[3]);
}

TEST_CASE("a prior learns nothing from weights that are too large to be squared") {
  auto theta = numbers();
  for (int t = 0; t < 3; ++t) theta.of(text("towers.", t, ".weight"))[0] = 1e300;
  Penalties<double> prior(
      theta.shared_table(),
      {{"heads", TensorNormal{.weight = 1, .every = 1, .parameters = "towers.*"}}});
  const auto before = prior.state().numbers;
  prior.update(theta);
  CHECK(prior.state().numbers == before);
}

TEST_CASE("penalties add up, by name, and go on from their state") {
  auto theta = numbers();
  const auto table = theta.shared_table();
  Penalties<double> penalties(table, penalty_cases::all());
  CHECK(penalties.size() == std::ssize(penalty_cases::all()));
  CHECK(penalties.name(2) == "l0");
  CHECK(std::ranges::all_of(penalties.values(), [](double v) { return v == 0; }));
  ParamBuffer<double> together(table), one_by_one(table);
  const double total = penalties.add(theta, together);
  double sum = 0;
  for (const auto& penalty : penalty_cases::all()) {
    Penalties<double> alone(table, {penalty});
    sum += alone.add(theta, one_by_one);
  }
  CHECK(total == sum);
  CHECK(std::ranges::equal(together.flat(), one_by_one.flat()));

  penalties.update(theta);
  penalties.update(theta);
  CHECK(penalties.state().steps == 2);
  Penalties<double> other(table, penalty_cases::all());
  other.restore(penalties.state());
  auto later = numbers(8);
  ParamBuffer<double> a(table), b(table);
  for (int step = 0; step < 3; ++step) {
    CHECK(penalties.add(later, a) == other.add(later, b));
    penalties.update(later);
    other.update(later);
  }
  CHECK(std::ranges::equal(a.flat(), b.flat()));
  CHECK(other.state().numbers == penalties.state().numbers);

  const MethodState kept = other.state();
  const auto refused = [&](MethodState state) {
    CHECK_THROWS_AS(other.restore(std::move(state)), ConfigError);
    CHECK(other.state().numbers == kept.numbers);
    CHECK(other.state().steps == kept.steps);
  };
  MethodState state = kept;
  state.numbers.pop_back();
  refused(state);
  state = kept;
  state.numbers.front() = std::numeric_limits<double>::quiet_NaN();
  refused(state);
  for (const Index steps : {Index{-1}, largest_count + 1}) {
    state = kept;
    state.steps = steps;
    refused(state);
  }
}

TEST_CASE("penalties allocate in their first step only") {
  auto theta = numbers();
  auto list = penalty_cases::all();
  list.push_back({"later", TensorNormal{.weight = 1, .every = 3, .parameters = "towers.*"}});
  Penalties<double> penalties(theta.shared_table(), list);
  ParamBuffer<double> gradient(theta.shared_table());
  const auto step = [&] {
    penalties.add(theta, gradient);
    penalties.update(theta);
  };
  step();
  const auto before = allocations::count();
  for (int i = 0; i < 4; ++i) step();
  CHECK(allocations::count() == before);
}

TEST_CASE("static gates pay for their choice under the names that they have") {
  const Model<double> model(
      MMoE{.input_dim = 3,
           .num_tasks = 2,
           .num_experts = 5,
           .expert = {4},
           .gate = {.dselect = DSelectK{.selectors = 2, .gamma = 0.8, .per_example = false}}},
      {}, 1);
  Penalties<double> penalties(
      model.values().shared_table(),
      {{"choice", StaticChoice{.entropy = 0.3, .num_experts = 5, .gamma = 0.8}}});
  ParamBuffer<double> gradient(model.values().shared_table());
  double wanted = 0;
  Scratch scratch;
  for (const auto& entry : model.table().entries()) {
    if (!entry.name.ends_with(".z")) continue;
    Tensor<double> dz(1, 1, entry.id.size());
    wanted += dselect_penalty<double>({.entropy = 0.3}, 5, 0.8,
                                      {model.values().of(entry.id).data(), 1, 1, entry.id.size()},
                                      dz.view(), scratch);
  }
  CHECK(wanted > 1);
  CHECK(std::abs(penalties.add(model.values(), gradient) - wanted) < 1e-12);
  Index moved = 0;
  for (const double g : gradient.flat()) moved += g != 0;
  CHECK(moved == 2 * 2 * 3);  // gates, selectors, numbers
}

TEST_CASE("penalties refuse what they cannot be") {
  const auto table = penalty_cases::table();
  const auto refused = [&](std::vector<NamedPenalty> list, const std::string& message) {
    INFO(message);
    CHECK_THROWS_WITH(Penalties<float>(table, list), Catch::Matchers::ContainsSubstring(message));
    CHECK_THROWS_AS(Penalties<float>(table, list), ConfigError);
  };
  refused({{"", L1{}}}, "name");
  refused({{"a", L1{}}, {"a", L2{}}}, "taken");
  refused({{"a", L1{.parameters = "nothing*"}}}, "nothing*");
  const double nan = std::numeric_limits<double>::quiet_NaN();
  refused({{"a", L1{.weight = -1}}}, "weight");
  refused({{"a", L1{.weight = 1e-50}}}, "weight of 'a'");  // which float has not
  refused({{"a", L2{.weight = 1e39}}}, "weight of 'a'");
  CHECK_NOTHROW(Penalties<double>(table, {{"a", L1{.weight = 1e-50}}}));
  {
    auto wide = std::make_shared<ParamTable>();
    wide->add_matrix("heads.0", 1, TensorNormal::longest + 1, Init::constant(0));
    TensorNormal prior{.parameters = "heads.*"};
    CHECK_THROWS_AS(Penalties<float>(wide, {{"a", prior}}), ConfigError);
    prior.tasks_alone = true;
    CHECK_NOTHROW(Penalties<float>(wide, {{"a", prior}}));
  }
  refused({{"a", L2{.weight = nan}}}, "weight");
  refused({{"a", L0{.weight = -1}}}, "weight");
  refused({{"a", L0{.gates = {.beta = 0}}}}, "beta");
  refused({{"a", AdaSharePenalty{.sparsity = -1}}}, "sparsity");
  refused({{"a", AdaSharePenalty{.sharing = nan}}}, "sharing");
  refused({{"a", AdaSharePenalty{.parameters = "towers.*"}}}, "policies");
  refused({{"a", OrthogonalSubspaces{.weight = nan}}}, "weight");
  refused({{"a", OrthogonalSubspaces{.subspaces = 1}}}, "subspaces");
  refused({{"a", OrthogonalSubspaces{.subspaces = 2}}}, "multiple of 2");
  refused({{"a", StaticChoice{.entropy = -1, .num_experts = 5}}}, "entropy");
  refused({{"a", StaticChoice{.reachable = -1, .num_experts = 5}}}, "reachable");
  refused({{"a", StaticChoice{.num_experts = 5, .gamma = 0}}}, "gamma");
  refused({{"a", StaticChoice{.num_experts = 9}}}, "9 experts");
  refused({{"a", StaticChoice{.num_experts = 5, .gamma = 1e-50}}}, "gamma");
  refused({{"a", StaticChoice{.num_experts = largest_count}}}, "num_experts");
  refused({{"a", TensorNormal{.weight = -1, .parameters = "towers.*"}}}, "weight");
  refused({{"a", TensorNormal{.epsilon = 0, .parameters = "towers.*"}}}, "epsilon");
  refused({{"a", TensorNormal{.every = 0, .parameters = "towers.*"}}}, "every");
  refused({{"a", TensorNormal{.parameters = "trunk.experts.*"}}}, "one shape");
  Penalties<float> penalties(table, {{"a", L1{}}});
  ParamBuffer<float> theta(table), other;
  CHECK_THROWS_AS(penalties.add(theta, other), ShapeError);
  CHECK_THROWS_AS(penalties.add(other, theta), ShapeError);
  CHECK_THROWS_AS(penalties.update(other), ShapeError);
}
