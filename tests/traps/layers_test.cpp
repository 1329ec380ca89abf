// Defects of layers in other libraries for multi-task learning, one test each.
#include <cmath>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "plait/layers/model.hpp"
#include "plait/testing/data.hpp"
#include "support/catch.hpp"
#include "support/models.hpp"

namespace {

using plait::Index;
using plait::MLPConfig;
using plait::ParamBuffer;
using plait::ParamTable;
using plait::Scratch;
using plait::Tensor;

const MLPConfig smooth{{4}, plait::Activation::tanh};

// A layer with random numbers and a batch.
template <plait::Layer L>
struct Fixture {
  explicit Fixture(const typename L::Config& config, Index batch = 3)
      : layer(*table, "", config), theta(table) {
    plait::Random random(6);
    initialise(theta, random);
    x = plait::testing::normal_tensor<double>(batch, layer.in_shape(), random);
  }

  Tensor<double> output() {
    const auto shape = layer.out_shape();
    Tensor<double> y(x.batch(), shape.slots, shape.dim);
    layer.infer(theta, x, y, scratch);
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

  std::shared_ptr<ParamTable> table = std::make_shared<ParamTable>();
  L layer;
  ParamBuffer<double> theta;
  Tensor<double> x;
  Scratch scratch;
};

using Tasks = std::set<Index>;

std::string expert(Index level, Index k) {
  return plait::text("experts.", level, ".", k, ".mlp_net.0.weight");
}

}  // namespace

TEST_CASE("trap: wrong expert index in PLE, a task uses another task's expert") {
  // Experts 0, 1 | 2 | 3, 4, 5 are the tasks' own; 6 and 7 are shared.
  const std::vector<Index> own{2, 1, 3};
  Fixture<plait::CGC<double>> cgc({3, 3, smooth, own, 2});
  Fixture<plait::PLE<double>> ple({3, 3, {smooth, smooth}, own, 2});
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
  Fixture<plait::PLE<double>> ple({3, 2, {smooth, smooth}, {2, 1}, 2});
  for (Index k = 0; k < 5; ++k) CHECK(ple.tasks_reached_by(expert(0, k)) == Tasks{0, 1});
  CHECK(ple.tasks_reached_by("gate_weights.0.2.0.weight") == Tasks{0, 1});
  CHECK(ple.table->at("gate_weights.0.2.0.weight").shape == std::vector<Index>{5, 3});
  // It exists below the last level only.
  CHECK(!ple.table->contains("gate_weights.1.2.0.weight"));
  CHECK(ple.layer.out_shape().slots == 2);
}

TEST_CASE("trap: a task's gate reads another task's state") {
  Fixture<plait::PLE<double>> ple({3, 2, {smooth, smooth}});
  Fixture<plait::AdaTTSp<double>> adatt({3, 2, {smooth, smooth}, 2});
  for (Index t = 0; t < 2; ++t) {
    const std::string gate = plait::text("gate_weights.1.", t, ".0.weight");
    CHECK(ple.tasks_reached_by(gate) == Tasks{t});
    CHECK(adatt.tasks_reached_by(gate) == Tasks{t});
  }
  // With inputs apart, what one task's slot holds must not move the other's only level.
  Fixture<plait::CGC<double>> cgc({3, 2, smooth, {1}, 0, {}, true});
  const auto before = cgc.output();
  cgc.x.view().of_slot(0).array() += 1;
  const auto after = cgc.output();
  CHECK(before.view().of_slot(0) != after.view().of_slot(0));
  CHECK(before.view().of_slot(1) == after.view().of_slot(1));
}

TEST_CASE("trap: all experts are initialised alike") {
  models::for_each_trunk<double>({}, [](const char* name, auto trunk, const auto& config) {
    using Trunk = typename decltype(trunk)::type;
    auto table = std::make_shared<ParamTable>();
    const Trunk layer(*table, "", config);
    ParamBuffer<double> theta(table);
    plait::Random random(1);
    initialise(theta, random);
    const auto& entries = table->entries();
    for (std::size_t i = 0; i < entries.size(); ++i)
      for (std::size_t j = 0; j < i; ++j) {
        if (entries[i].init.kind != plait::Init::Kind::uniform ||
            entries[j].init.kind != plait::Init::Kind::uniform)
          continue;
        INFO(name << ": " << entries[i].name << " and " << entries[j].name);
        CHECK(theta.of(entries[i].id)[0] != theta.of(entries[j].id)[0]);
      }
  });
}

TEST_CASE("trap: something normalises between a gate's linear layer and its softmax") {
  for (const double temperature : {1.0, 2.0}) {
    Fixture<plait::MMoE<double>> mmoe(
        {3, 1, 2, {{2}, plait::Activation::identity}, {.temperature = temperature}});
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
  models::for_each_trunk<double>({}, [](const char* name, auto trunk, const auto& config) {
    using Trunk = typename decltype(trunk)::type;
    INFO(name);
    Fixture<Trunk> fixture(config, 4);
    const auto whole = fixture.output();
    const auto shape = fixture.layer.out_shape();
    for (Index b = 0; b < 4; ++b) {
      Tensor<double> alone(1, shape.slots, shape.dim);
      fixture.layer.infer(fixture.theta, fixture.x.view().rows(b, 1), alone, fixture.scratch);
      CHECK((alone.view().of_sample(0) - whole.view().of_sample(b)).cwiseAbs().maxCoeff() < 1e-14);
    }
  });
}

TEST_CASE("trap: backward destroys what forward recorded") {
  models::for_each_trunk<double>({}, [](const char* name, auto trunk, const auto& config) {
    using Trunk = typename decltype(trunk)::type;
    INFO(name);
    Fixture<Trunk> fixture(config);
    const auto shape = fixture.layer.out_shape();
    Tensor<double> y(3, shape.slots, shape.dim), dy(3, shape.slots, shape.dim);
    for (double& d : plait::testing::flat(dy)) d = 1;
    typename Trunk::Workspace workspace;
    fixture.layer.forward(fixture.theta, fixture.x, y, workspace, fixture.scratch);
    ParamBuffer<double> grads[2]{ParamBuffer<double>(fixture.table),
                                 ParamBuffer<double>(fixture.table)};
    for (auto& grad : grads)
      fixture.layer.backward(fixture.theta.view(), fixture.x.view(), y.view(), dy.view(), {},
                             workspace, grad, fixture.scratch);
    const auto first = grads[0].flat();
    CHECK(std::equal(first.begin(), first.end(), grads[1].flat().begin()));
    CHECK(std::any_of(first.begin(), first.end(), [](double g) { return g != 0; }));
  });
}

TEST_CASE("trap: scoring changes the layer, or depends on what was scored before") {
  models::for_each_trunk<double>({}, [](const char* name, auto trunk, const auto& config) {
    using Trunk = typename decltype(trunk)::type;
    INFO(name);
    Fixture<Trunk> fixture(config);
    auto first = fixture.output();
    const auto kept = fixture.x;
    for (double& v : plait::testing::flat(fixture.x)) v = 1e6;
    fixture.output();
    fixture.x = kept;
    auto again = fixture.output();
    CHECK(first.view().of_slot(0) == again.view().of_slot(0));
  });
}

TEST_CASE("trap: a copy shares or points into the original") {
  using Model = plait::Model<plait::AdaTT<double>>;
  std::optional<Model> original(std::in_place, Model::Trunk::Config{3, 2, {smooth, smooth}, {2}, 1},
                                Model::TowersLayer::Config{}, 7);
  plait::Random random(8);
  const auto x = plait::testing::normal_tensor<double>(3, original->in_shape(), random);
  const auto score = [&](const Model& model) {
    Scratch scratch;
    plait::Matrix<double> y(3, 2);
    model.network().infer(model.values(), x, plait::View3<double>(y), scratch);
    return y;
  };
  const auto expected = score(*original);
  Model copy = *original;
  for (double& p : original->values().flat()) p += 1;
  CHECK(score(copy) == expected);
  CHECK(score(*original) != expected);
  copy = *original;
  const auto changed = score(*original);
  original.reset();
  CHECK(score(copy) == changed);
}

TEST_CASE("trap: AdaTT without shared experts fails instead of being AdaTT-sp") {
  Fixture<plait::AdaTT<double>> general({3, 2, {smooth, smooth}, {1}, 0});
  Fixture<plait::AdaTTSp<double>> own({3, 2, {smooth, smooth}, 1});
  CHECK(general.table->num_parameters() == own.table->num_parameters());
  CHECK(general.output().view().of_slot(0) == own.output().view().of_slot(0));
  CHECK(general.output().view().of_slot(1) == own.output().view().of_slot(1));
}
