// Defects of layers in other libraries for multi-task learning, one test each.
#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "plait/architectures/adatt.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/architectures/ple.hpp"
#include "plait/model/model.hpp"
#include "plait/testing/build.hpp"
#include "support/catch.hpp"
#include "support/models.hpp"

namespace {

using plait::Body;
using plait::Index;
using plait::ParamBuffer;
using plait::Scratch;
using plait::Tensor;

const Body smooth{{4}, plait::Activation::tanh};

// A trunk with random numbers and a batch.
struct Fixture : plait::testing::Built<plait::Network<double>> {
  explicit Fixture(const plait::Trunk<double>& trunk, Index batch = 3)
      : Built(plait::testing::build<double>(6, trunk)), x(input(batch)) {}

  Tensor<double> output() {
    const auto shape = layer.out_shape();
    Tensor<double> y(x.batch(), shape.slots, shape.dim);
    layer.forward(theta, x, y, nullptr, scratch);
    return y;
  }

  // The tasks whose output changes when one parameter does.
  std::set<Index> tasks_reached_by(const std::string& parameter) {
    const Tensor<double> before = output();
    const auto numbers = theta.of(parameter);
    const std::vector<double> kept(numbers.begin(), numbers.end());
    double shift = 0;  // not a common one, which a softmax would not notice
    for (double& p : numbers) p += shift += 0.25;
    const Tensor<double> after = output();
    std::copy(kept.begin(), kept.end(), numbers.begin());
    std::set<Index> result;
    for (Index t = 0; t < before.slots(); ++t)
      if (before.view().of_slot(t) != after.view().of_slot(t)) result.insert(t);
    return result;
  }

  Tensor<double> x;
  Scratch scratch{};
};

using Tasks = std::set<Index>;

std::string expert(Index level, Index k) {
  return plait::text("experts.", level, ".", k, ".mlp_net.0.weight");
}

}  // namespace

TEST_CASE("trap: wrong expert index in PLE, a task uses another task's expert") {
  // Experts 0, 1 | 2 | 3, 4, 5 are the tasks' own; 6 and 7 are shared.
  const std::vector<Index> own{2, 1, 3};
  Fixture cgc(plait::CGC{3, 3, smooth, own, 2});
  Fixture ple(plait::PLE{3, 3, {smooth, smooth}, own, 2});
  Index k = 0;
  for (Index t = 0; t < 3; ++t)
    for (Index i = 0; i < own[static_cast<std::size_t>(t)]; ++i, ++k) {
      INFO("expert " << k << " of task " << t);
      CHECK(cgc.tasks_reached_by(expert(0, k)) == Tasks{t});
      CHECK(ple.tasks_reached_by(expert(1, k)) == Tasks{t});
    }
  for (; k < 8; ++k) {
    INFO("shared expert " << k);
    CHECK(cgc.tasks_reached_by(expert(0, k)) == Tasks{0, 1, 2});
    CHECK(ple.tasks_reached_by(expert(1, k)) == Tasks{0, 1, 2});
  }
}

TEST_CASE("trap: the shared gate of PLE is missing or sees shared experts only") {
  // Through the shared slot, every expert of the first level reaches every task.
  Fixture ple(plait::PLE{3, 2, {smooth, smooth}, {2, 1}, 2});
  for (Index k = 0; k < 5; ++k) CHECK(ple.tasks_reached_by(expert(0, k)) == Tasks{0, 1});
  CHECK(ple.tasks_reached_by("gate_weights.0.2.0.weight") == Tasks{0, 1});
  CHECK(ple.theta.table().at("gate_weights.0.2.0.weight").shape == std::vector<Index>{5, 3});
  // It exists below the last level only.
  CHECK(!ple.theta.table().contains("gate_weights.1.2.0.weight"));
  CHECK(ple.layer.out_shape().slots == 2);
}

TEST_CASE("trap: a task's gate reads another task's state") {
  Fixture ple(plait::PLE{3, 2, {smooth, smooth}});
  Fixture adatt(plait::AdaTTSp{3, 2, {smooth, smooth}, 2});
  for (Index t = 0; t < 2; ++t) {
    const std::string gate = plait::text("gate_weights.1.", t, ".0.weight");
    CHECK(ple.tasks_reached_by(gate) == Tasks{t});
    CHECK(adatt.tasks_reached_by(gate) == Tasks{t});
  }
  // With inputs apart, what one task's slot holds must not move the other's only level.
  Fixture cgc(plait::CGC{3, 2, smooth, {1}, 0, {}, true});
  const auto before = cgc.output();
  cgc.x.view().of_slot(0).array() += 1;
  const auto after = cgc.output();
  CHECK(before.view().of_slot(0) != after.view().of_slot(0));
  CHECK(before.view().of_slot(1) == after.view().of_slot(1));
}

TEST_CASE("trap: all experts are initialised alike") {
  for (const auto& [name, trunk] : models::all_trunks<double>()) {
    const auto theta = plait::testing::build<double>(1, trunk).theta;
    const auto& entries = theta.table().entries();
    for (std::size_t i = 0; i < entries.size(); ++i)
      for (std::size_t j = 0; j < i; ++j) {
        if (entries[i].init.kind != plait::Init::Kind::uniform ||
            entries[j].init.kind != plait::Init::Kind::uniform)
          continue;
        INFO(name << ": " << entries[i].name << " and " << entries[j].name);
        CHECK(theta.of(entries[i].id)[0] != theta.of(entries[j].id)[0]);
      }
  }
}

TEST_CASE("trap: something normalises between a gate's linear layer and its softmax") {
  for (const double temperature : {1.0, 2.0}) {
    Fixture mmoe(
        plait::MMoE{3, 1, 2, {{2}, plait::Activation::identity}, {.temperature = temperature}});
    // Expert k returns the constant k, so the output is the second gate weight.
    for (const Index k : {0, 1}) {
      for (double& w : mmoe.theta.of(expert(0, k))) w = 0;
      for (double& b : mmoe.theta.of(plait::text("experts.0.", k, ".mlp_net.0.bias")))
        b = static_cast<double>(k);
    }
    const auto y = mmoe.output();
    const auto weight = mmoe.theta.of("gates.0.0.1.weight");
    const auto bias = mmoe.theta.of("gates.0.0.1.bias");
    for (Index b = 0; b < mmoe.x.batch(); ++b) {
      double logits[2];
      for (const std::size_t k : {0u, 1u}) {
        logits[k] = bias[k];
        for (std::size_t d = 0; d < 3; ++d)
          logits[k] += weight[3 * k + d] * mmoe.x.view()(b, 0, static_cast<Index>(d));
      }
      const double expected = 1 / (1 + std::exp((logits[0] - logits[1]) / temperature));
      CHECK(std::abs(y.view()(b, 0, 0) - expected) < 1e-14);
    }
  }
}

TEST_CASE("trap: a batch of one loses its batch axis, or is normalised over it") {
  for (const auto& [name, trunk] : models::all_trunks<double>()) {
    INFO(name);
    Fixture fixture(trunk, 4);
    const auto whole = fixture.output();
    const auto shape = fixture.layer.out_shape();
    for (Index b = 0; b < 4; ++b) {
      Tensor<double> alone(1, shape.slots, shape.dim);
      fixture.layer.forward(fixture.theta, fixture.x.view().rows(b, 1), alone, nullptr,
                            fixture.scratch);
      CHECK((alone.view().of_sample(0) - whole.view().of_sample(b)).cwiseAbs().maxCoeff() < 1e-14);
    }
  }
}

TEST_CASE("trap: backward destroys what forward recorded") {
  for (const auto& [name, trunk] : models::all_trunks<double>()) {
    INFO(name);
    Fixture fixture(trunk);
    const auto shape = fixture.layer.out_shape();
    Tensor<double> y(3, shape.slots, shape.dim), dy(3, shape.slots, shape.dim);
    for (double& d : plait::testing::flat(dy)) d = 1;
    plait::Network<double>::Workspace workspace;
    fixture.layer.forward(fixture.theta, fixture.x, y, &workspace, fixture.scratch);
    ParamBuffer<double> grads[2]{ParamBuffer<double>(fixture.theta.shared_table()),
                                 ParamBuffer<double>(fixture.theta.shared_table())};
    for (auto& grad : grads)
      fixture.layer.backward(fixture.theta, fixture.x, y.view(), dy.view(), {}, workspace, grad,
                             fixture.scratch);
    const auto first = grads[0].flat();
    CHECK(std::equal(first.begin(), first.end(), grads[1].flat().begin()));
    CHECK(std::any_of(first.begin(), first.end(), [](double g) { return g != 0; }));
  }
}

TEST_CASE("trap: scoring changes the layer, or depends on what was scored before") {
  for (const auto& [name, trunk] : models::all_trunks<double>()) {
    INFO(name);
    Fixture fixture(trunk);
    auto first = fixture.output();
    const auto kept = fixture.x;
    for (double& v : plait::testing::flat(fixture.x)) v = 1e6;
    fixture.output();
    fixture.x = kept;
    auto again = fixture.output();
    CHECK(first.view().of_slot(0) == again.view().of_slot(0));
  }
}

TEST_CASE("trap: a copy shares or points into the original") {
  using Model = plait::Model<double>;
  std::optional<Model> original(std::in_place, plait::AdaTT{3, 2, {smooth, smooth}, {2}, 1},
                                plait::TowersConfig{}, 7);
  plait::Random random(8);
  const auto x = plait::testing::normal_tensor<double>(3, original->in_shape(), random);
  const auto score = [&](const Model& model) {
    Scratch scratch;
    plait::Matrix<double> y(3, 2);
    model.network().forward(model.values(), x, plait::View3<double>(y), nullptr, scratch);
    return y;
  };
  const auto expected = score(*original);
  Model copy = *original;
  for (const auto& entry : original->table().entries())
    for (double& p : original->values_of(entry.id)) p += 1;
  CHECK(score(copy) == expected);
  CHECK(score(*original) != expected);
  copy = *original;
  const auto changed = score(*original);
  original.reset();
  CHECK(score(copy) == changed);
}

TEST_CASE("trap: AdaTT without shared experts fails instead of being AdaTT-sp") {
  Fixture general(plait::AdaTT{3, 2, {smooth, smooth}, {1}, 0});
  Fixture own(plait::AdaTTSp{3, 2, {smooth, smooth}, 1});
  CHECK(general.theta.table().num_parameters() == own.theta.table().num_parameters());
  CHECK(general.output().view().of_slot(0) == own.output().view().of_slot(0));
  CHECK(general.output().view().of_slot(1) == own.output().view().of_slot(1));
}
