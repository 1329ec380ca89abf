// Trunk and Registry: architectures of the library's and one's own.
#include "plait/model/trunk.hpp"

#include <algorithm>
#include <string>

#include "plait/architectures/adatt.hpp"
#include "plait/model/registry.hpp"
#include "plait/testing/build.hpp"
#include "support/bare.hpp"
#include "support/catch.hpp"
#include "support/field_list.hpp"
#include "support/own_trunk.hpp"

using namespace plait;
using own::Spread;
using own::Stem;

namespace {

static_assert(DescribesTrunk<AdaTT, float> && DescribesTrunk<AsymmetricSharing, double>);
static_assert(HasPlan<Stem> && !HasTrunkLayer<Stem, float>);
static_assert(!HasPlan<Spread> && HasTrunkLayer<Spread, float>);
static_assert(!DescribesTrunk<BareMLP, float> && !DescribesTrunk<int, float>);

}  // namespace

TEST_CASE("trunk: of the library's") {
  const Trunk<float> trunk = AdaTT{.input_dim = 3, .num_tasks = 2, .levels = {{4}}};
  CHECK(trunk.name() == "AdaTT");
  REQUIRE(trunk.target<AdaTT>() != nullptr);
  CHECK(trunk.target<AdaTT>()->num_tasks == 2);
  CHECK(trunk.target<AdaTTSp>() == nullptr);
  const auto built = testing::build<float>(1, trunk, "mtl_arch");
  CHECK(built.layer.target<FusionStack<float>>() != nullptr);
  CHECK(built.layer.out_shape() == Shape{2, 4});
  CHECK(built.theta.table().contains("mtl_arch.experts.0.2.mlp_net.0.weight"));
}

TEST_CASE("trunk: of one's own, of routes and with a layer") {
  const Trunk<double> routes = Stem{.input_dim = 3, .num_tasks = 2, .levels = {{4}, {2}}};
  CHECK(routes.name().empty());
  CHECK(routes.target<Stem>()->levels.size() == 2);
  CHECK(testing::build<double>(1, routes).layer.target<FusionStack<double>>() != nullptr);
  const Trunk<double> layer = Spread{.input_dim = 3, .num_tasks = 2, .width = 4};
  CHECK(layer.name() == "Spread");
  const auto built = testing::build<double>(1, layer, "a");
  CHECK(built.layer.target<own::SpreadLayer<double>>() != nullptr);
  CHECK(built.theta.table().contains("a.spread.weight"));
}

TEST_CASE("trunk: a plan that leads nowhere is refused") {
  const auto built = [](const LevelRoute& route) {
    return [route] {
      ParamTable table;
      FusionStack<double>(table, {{2, 3}, {{.route = route, .expert = {4}}}});
    };
  };
  const StaticRoute one{0, 1};
  CHECK_NOTHROW(built({{{"a", 1}}, {{.experts = {0}, .statics = one}}})());
  CHECK_THROWS_WITH(built({{{"a", 2}}, {{.experts = {0}, .statics = one}}})(),
                    "plait::ExpertBank: a: got slot 2, expected one of 2");
  CHECK_THROWS_WITH(built({{}, {{.experts = {0}, .statics = one}}})(),
                    "plait::ExpertBank: experts: got 0 experts, expected at least one");
  CHECK_THROWS_WITH(built({{{"a"}}, {}})(),
                    "plait::FusionLevel: units: got none, expected at least one");
  CHECK_THROWS_WITH(built({{{"a"}}, {{.experts = {1}, .statics = one}}})(),
                    "plait::FusionLevel: expert of a unit: got 1, expected at least 0, below 1");
  CHECK_THROWS_WITH(built({{{"a"}}, {{.experts = {0}, .gate = GateRoute{"b", "g", 2}}}})(),
                    "plait::FusionLevel: slot of a gate: got 2, expected at least 0, below 2");
  CHECK_THROWS_WITH(
      built({{{"a"}}, {{.experts = {0}, .statics = StaticRoute{0, 2}}}})(),
      "plait::FusionLevel: static weights up to: got 2, expected at least 0, below 2");
  CHECK_THROWS_WITH(
      built({{{"a"}}, {{.experts = {0}}}})(),
      "plait::FusionLevel: unit: got neither gate nor static weights, expected one of them");
  ParamTable table;
  CHECK_THROWS_WITH(FusionStack<double>(table, Plan{{1, 3}, {}}),
                    "plait::FusionStack: levels: got none, expected at least one");
}

TEST_CASE("trunk: fields are those of the description") {
  Trunk<float> trunk = Spread{.input_dim = 3, .num_tasks = 2, .width = 4};
  const auto fields = support::written(trunk);
  CHECK(fields == support::FieldList{{"input_dim", "3"}, {"num_tasks", "2"}, {"width", "4"}});
  const Trunk<float> read = support::read(fields, Trunk<float>(Spread{}));
  CHECK(read.target<Spread>()->width == 4);
  CHECK_THROWS_WITH(support::written(Trunk<float>(Stem{})),
                    "plait::Trunk: description: got one without fields, expected fields, to be "
                    "saved");

  const AdaTT adatt{.input_dim = 3,
                    .num_tasks = 2,
                    .levels = {{{4}, Activation::gelu}, {2}},
                    .task_experts = {1, 2},
                    .residual = false,
                    .gates = {{.body = {3}, .temperature = 0.5}}};
  const Trunk<float> again =
      support::read(support::written(Trunk<float>(adatt)), Trunk<float>(AdaTT{}));
  CHECK(support::written(again) == support::written(adatt));
  CHECK(again.target<AdaTT>()->task_experts == std::vector<Index>{1, 2});
}

TEST_CASE("trunk: a copy keeps its settings when the other reads others") {
  Trunk<float> trunk = Spread{.input_dim = 3};
  const Trunk<float> copy = trunk;
  trunk = support::read({{"input_dim", "5"}, {"num_tasks", "2"}, {"width", "4"}}, trunk);
  CHECK(trunk.target<Spread>()->input_dim == 5);
  CHECK(copy.target<Spread>()->input_dim == 3);
}

TEST_CASE("registry: the library's trunks, and one's own") {
  Registry<float> registry;
  CHECK(registry.trunks().size() == 18);
  for (const auto& [name, trunk] : registry.trunks()) CHECK(trunk.name() == name);
  REQUIRE(registry.trunk("PLE") != nullptr);
  CHECK(registry.trunk("PLE")->target<PLE>() != nullptr);
  CHECK(registry.trunk("Spread") == nullptr);
  CHECK(registry.bodies().find("bare") == nullptr);
  registry.add_trunk(Spread{});
  CHECK(registry.trunk("Spread")->target<Spread>() != nullptr);
  CHECK(Registry<float>().trunk("Spread") == nullptr);  // a value, not a global
}

TEST_CASE("registry: names that are taken, and descriptions without one") {
  Registry<float> registry;
  CHECK_THROWS_WITH(registry.add_trunk(AdaTT{}),
                    "plait::Registry: trunk: got 'AdaTT', expected a name that is not taken");
  CHECK_THROWS_WITH(registry.add_trunk(Stem{}),
                    "plait::Registry: trunk: got '', expected a name that is not taken");
  registry.add_trunk(Spread{});
  CHECK_THROWS_AS(registry.add_trunk(Spread{}), ConfigError);
  CHECK_THROWS_AS(registry.add_body(Body{4}), ConfigError);
}
