// What a layer is before it computes: its parameters' names and starting numbers, and the errors of
// configurations that cannot be built.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "plait/fusion/bank.hpp"
#include "plait/layers/gate.hpp"
#include "plait/layers/mlp.hpp"
#include "plait/layers/sequential.hpp"
#include "plait/layers/towers.hpp"
#include "plait/model/registry.hpp"  // all architectures
#include "plait/model/trunk.hpp"
#include "plait/testing/build.hpp"
#include "support/catch.hpp"

namespace {

using plait::Body;
using plait::Index;
using plait::ParamBuffer;
using plait::ParamTable;
using Names = std::set<std::string>;

// "name [rows, cols]" of every parameter.
Names described(const ParamTable& table) {
  Names result;
  for (const auto& entry : table.entries()) {
    std::string shape;
    for (const Index n : entry.shape) shape += (shape.empty() ? "" : ", ") + std::to_string(n);
    result.insert(entry.name + " [" + shape + "]");
  }
  return result;
}

template <class D>
Names described(const D& config) {
  ParamTable table;
  plait::build<double>(table, "", config);
  return described(table);
}

// The names of experts {l}.{k} of one layer each, for every level.
Names experts(Index levels, Index count, Index in, Index out) {
  Names result;
  for (Index l = 0; l < levels; ++l)
    for (Index k = 0; k < count; ++k) {
      const std::string name = plait::text("experts.", l, ".", k, ".mlp_net.0.");
      result.insert(plait::text(name, "weight [", out, ", ", l == 0 ? in : out, "]"));
      result.insert(plait::text(name, "bias [", out, "]"));
    }
  return result;
}

Names operator+(Names a, const Names& b) {
  a.insert(b.begin(), b.end());
  return a;
}

template <class D>
ParamBuffer<double> initialised(const D& config, std::uint64_t seed = 1) {
  return plait::testing::build<double>(seed, config).theta;
}

// The text of the ConfigError that building a layer throws.
template <class Build>
std::string error_of(const Build& build) {
  ParamTable table;
  try {
    build(table);
  } catch (const plait::ConfigError& error) {
    return error.what();
  }
  return "no ConfigError";
}

template <class D>
std::string config_error(const D& config) {
  return error_of([&](ParamTable& table) { plait::build<double>(table, "", config); });
}

const std::vector<Body> two_levels{{4}, {4}};

}  // namespace

// The state_dict keys of facebookresearch/AdaTT mtl_lib.py (those of the two layers that it lacks
// are our own).

TEST_CASE("names: SharedBottom") {
  CHECK(described<plait::SharedBottom>({3, 2, {5, 4}}) ==
        Names{"bottom_projection.mlp_net.0.weight [5, 3]", "bottom_projection.mlp_net.0.bias [5]",
              "bottom_projection.mlp_net.2.weight [4, 5]", "bottom_projection.mlp_net.2.bias [4]"});
}

TEST_CASE("names: SingleTask") {
  CHECK(described<plait::SingleTask>({3, 2, {4}}) ==
        Names{"networks.0.mlp_net.0.weight [4, 3]", "networks.0.mlp_net.0.bias [4]",
              "networks.1.mlp_net.0.weight [4, 3]", "networks.1.mlp_net.0.bias [4]"});
}

TEST_CASE("names: AsymmetricSharing") {
  const Names bottoms{"bottoms.0.mlp_net.0.weight [4, 3]", "bottoms.0.mlp_net.0.bias [4]",
                      "bottoms.1.mlp_net.0.weight [4, 3]", "bottoms.1.mlp_net.0.bias [4]"};
  using L = plait::AsymmetricSharing;
  CHECK(described<L>({3, 2, {4}, {{}, {0}}}) ==
        bottoms + Names{"projections.1.weight [4, 8]", "projections.1.bias [4]"});
  CHECK(described<L>({3, 2, {4}, {{}, {0}}, plait::Fusion::sum}) == bottoms);
}

TEST_CASE("names: CustomizedSharing") {
  CHECK(described<plait::CustomizedSharing>({3, 1, {4}}) ==
        Names{"bottoms.0.mlp_net.0.weight [4, 3]", "bottoms.0.mlp_net.0.bias [4]",
              "shared_bottom.mlp_net.0.weight [4, 3]", "shared_bottom.mlp_net.0.bias [4]"});
}

TEST_CASE("names: CrossStitch") {
  CHECK(described<plait::CrossStitch>({3, 2, two_levels}) ==
        experts(2, 2, 3, 4) + Names{"stitchs.0.weight [2, 2]", "stitchs.1.weight [2, 2]"});
}

TEST_CASE("names: MMoE") {
  CHECK(described<plait::MMoE>({3, 2, 3, {4}}) ==
        experts(1, 3, 3, 4) + Names{"gates.0.0.1.weight [3, 3]", "gates.0.0.1.bias [3]",
                                    "gates.0.1.1.weight [3, 3]", "gates.0.1.1.bias [3]"});
}

TEST_CASE("names: MLMMoE") {
  using L = plait::MLMMoE;
  CHECK(described<L>({3, 1, 2, two_levels}) ==
        experts(2, 2, 3, 4) + Names{"gates.0.0.1.weight [2, 3]", "gates.0.0.1.bias [2]",
                                    "gates.0.1.1.weight [2, 3]", "gates.0.1.1.bias [2]",
                                    "gates.1.0.1.weight [2, 3]", "gates.1.0.1.bias [2]"});
  CHECK(described<L>({3, 1, 1, {{4}}, {{.body = {6}, .bias = false}}}) ==
        experts(1, 1, 3, 4) + Names{"gates.0.0.0.mlp_net.0.weight [6, 3]",
                                    "gates.0.0.0.mlp_net.0.bias [6]", "gates.0.0.1.weight [1, 6]"});
}

TEST_CASE("names: CGC") {
  CHECK(described<plait::CGC>({3, 2, {4}, {2, 1}, 1}) ==
        experts(1, 4, 3, 4) +
            Names{"gate_weights.0.0.0.weight [3, 3]", "gate_weights.0.0.0.bias [3]",
                  "gate_weights.0.1.0.weight [2, 3]", "gate_weights.0.1.0.bias [2]"});
}

TEST_CASE("names: PLE") {
  CHECK(described<plait::PLE>({3, 2, two_levels, {2, 1}, 1}) ==
        experts(2, 4, 3, 4) +
            Names{"gate_weights.0.0.0.weight [3, 3]", "gate_weights.0.0.0.bias [3]",
                  "gate_weights.0.1.0.weight [2, 3]", "gate_weights.0.1.0.bias [2]",
                  "gate_weights.0.2.0.weight [4, 3]", "gate_weights.0.2.0.bias [4]",
                  "gate_weights.1.0.0.weight [3, 4]", "gate_weights.1.0.0.bias [3]",
                  "gate_weights.1.1.0.weight [2, 4]", "gate_weights.1.1.0.bias [2]"});
}

TEST_CASE("names: AdaTTSp") {
  const Names gates{"gate_weights.0.0.0.weight [4, 3]", "gate_weights.0.0.0.bias [4]",
                    "gate_weights.0.1.0.weight [4, 3]", "gate_weights.0.1.0.bias [4]",
                    "gate_weights.1.0.0.weight [4, 4]", "gate_weights.1.0.0.bias [4]",
                    "gate_weights.1.1.0.weight [4, 4]", "gate_weights.1.1.0.bias [4]"};
  using L = plait::AdaTTSp;
  CHECK(described<L>({3, 2, two_levels, 2}) ==
        experts(2, 4, 3, 4) + gates +
            Names{"self_exp_weights.0 [2, 2]", "self_exp_weights.1 [2, 2]"});
  CHECK(described<L>({3, 2, two_levels, 2, false}) == experts(2, 4, 3, 4) + gates);
  // One expert per task: the native weight is 1 and no parameter.
  CHECK(described<L>({3, 1, {{4}}, 1}) ==
        experts(1, 1, 3, 4) +
            Names{"gate_weights.0.0.0.weight [1, 3]", "gate_weights.0.0.0.bias [1]"});
}

TEST_CASE("names: AdaTT") {
  const Names gates{"gate_weights.0.0.0.weight [5, 3]", "gate_weights.0.0.0.bias [5]",
                    "gate_weights.0.1.0.weight [5, 3]", "gate_weights.0.1.0.bias [5]",
                    "gate_weights.0.2.0.weight [5, 3]", "gate_weights.0.2.0.bias [5]",
                    "gate_weights.1.0.0.weight [5, 4]", "gate_weights.1.0.0.bias [5]",
                    "gate_weights.1.1.0.weight [5, 4]", "gate_weights.1.1.0.bias [5]"};
  using L = plait::AdaTT;
  // By unit, a row per level in which the unit fuses; those with one expert too.
  CHECK(described<L>({3, 2, two_levels, {1, 2}, 2}) == experts(2, 5, 3, 4) + gates +
                                                           Names{"self_exp_weights.0 [2, 1]",
                                                                 "self_exp_weights.1 [2, 2]",
                                                                 "self_exp_weights.2 [1, 2]"});
  for (const auto& name : described<L>({3, 2, two_levels, {1}, 1}))
    CHECK(name.find("self_exp_weights") == std::string::npos);
}

TEST_CASE("names: MTAN") {
  Names expected;
  const auto add = [&](const std::string& name, Index out, Index in) {
    expected.insert(plait::text(name, ".mlp_net.0.weight [", out, ", ", in, "]"));
    expected.insert(plait::text(name, ".mlp_net.0.bias [", out, "]"));
  };
  add("u.0", 4, 3), add("p.0", 4, 4), add("q.0", 4, 4);
  add("u.1", 2, 4), add("p.1", 2, 2);
  for (const std::string t : {"0", "1"}) {
    add("mask_hidden.0." + t, 4, 4), add("mask.0." + t, 4, 4);
    add("mask_hidden.1." + t, 2, 2 + 4), add("mask.1." + t, 2, 2);
  }
  CHECK(described<plait::MTAN>({3, 2, {4, 2}}) == expected);
}

TEST_CASE("names: Sluice") {
  using L = plait::Sluice;
  const Names of_both = experts(2, 2, 3, 4) + Names{"alphas.0 [4, 4]", "alphas.1 [4, 4]"};
  CHECK(described<L>({3, 2, two_levels}) == of_both + Names{"betas [2, 2]"});
  CHECK(described<L>({3, 2, two_levels, 2, false}) == of_both);
}

TEST_CASE("names: SNR") {
  using L = plait::SNR;
  const auto experts_of = [](std::size_t l, Index in, Index out) {
    return Names{plait::text("experts.", l, ".0.mlp_net.0.weight [", out, ", ", in, "]"),
                 plait::text("experts.", l, ".0.mlp_net.0.bias [", out, "]")};
  };
  const Names logits{"log_alphas.1 [1, 1]", "log_alphas.2 [2, 1]"};
  CHECK(described<L>({3, 2, 1, {4, 2}, plait::SNRConnection::aver}) ==
        experts_of(0, 3, 4) + experts_of(1, 4, 2) + logits);
  CHECK(described<L>({3, 2, 1, {4, 2}}) == experts_of(0, 3, 4) + logits +
                                               Names{"transforms.1.0.0.mlp_net.0.weight [2, 4]",
                                                     "biases.1.0 [2]",
                                                     "transforms.2.0.0.mlp_net.0.weight [2, 2]",
                                                     "transforms.2.1.0.mlp_net.0.weight [2, 2]"});
}

TEST_CASE("names: LearningToBranch") {
  CHECK(described<plait::LearningToBranch>({3, 2, 2, {4, 4}}) ==
        experts(2, 2, 3, 4) + Names{"branches.1 [2, 2]"});
}

TEST_CASE("names: AdaShare") {
  CHECK(described<plait::AdaShare>({3, 2, {4}, {5}}) ==
        Names{"stem.mlp_net.0.weight [4, 3]", "stem.mlp_net.0.bias [4]",
              "blocks.0.mlp_net.0.weight [5, 4]", "blocks.0.mlp_net.0.bias [5]",
              "blocks.0.mlp_net.2.weight [4, 5]", "blocks.0.mlp_net.2.bias [4]",
              "policies.0 [1, 2]", "policies.1 [1, 2]"});
}

TEST_CASE("names: BranchedNetwork") {
  CHECK(described<plait::BranchedNetwork>({3, 2, {{4}, {4}}, {{0, 0}, {0, 1}}}) ==
        experts(1, 1, 3, 4) +
            Names{"experts.1.0.mlp_net.0.weight [4, 4]", "experts.1.0.mlp_net.0.bias [4]",
                  "experts.1.1.mlp_net.0.weight [4, 4]", "experts.1.1.mlp_net.0.bias [4]"});
}

TEST_CASE("names: SoftOrdering") {
  using L = plait::SoftOrdering;
  const Names shared{"layers.0.mlp_net.0.weight [4, 4]",
                     "layers.0.mlp_net.0.bias [4]",
                     "layers.1.mlp_net.0.weight [4, 4]",
                     "layers.1.mlp_net.0.bias [4]",
                     "orders.0 [2, 2]",
                     "orders.1 [2, 2]"};
  CHECK(described<L>({3, 2, {4}, 2}) ==
        shared + Names{"encoders.0.mlp_net.0.weight [4, 3]", "encoders.0.mlp_net.0.bias [4]",
                       "encoders.1.mlp_net.0.weight [4, 3]", "encoders.1.mlp_net.0.bias [4]"});
  CHECK(described<L>({3, 2, {4}, 2, plait::Activation::relu, false}) ==
        shared + Names{"encoder.mlp_net.0.weight [4, 3]", "encoder.mlp_net.0.bias [4]"});
  CHECK(described<L>({4, 2, {}, 2}) == shared);
}

TEST_CASE("names: towers on a trunk") {
  ParamTable table;
  const auto trunk = plait::build<double>(table, "mtl_arch", plait::SharedBottom{3, 2, {4}});
  const plait::Towers<double> towers(table, "task_modules", trunk.out_shape(), {{{5}, {}}, {1, 2}});
  CHECK(described(table) == Names{"mtl_arch.bottom_projection.mlp_net.0.weight [4, 3]",
                                  "mtl_arch.bottom_projection.mlp_net.0.bias [4]",
                                  "task_modules.0.0.mlp_net.0.weight [5, 4]",
                                  "task_modules.0.0.mlp_net.0.bias [5]",
                                  "task_modules.0.1.weight [1, 5]", "task_modules.0.1.bias [1]",
                                  "task_modules.1.1.weight [2, 4]", "task_modules.1.1.bias [2]"});
}

TEST_CASE("names: small towers come last and move no other's numbers") {
  const auto towers = [](const plait::TowersConfig& config) {
    return plait::testing::build<double>(3, [&](ParamTable& table) {
      return plait::Towers<double>(table, "task_modules", {2, 3}, config, "auxiliary_modules");
    });
  };
  const auto without = towers({{{4}}, {1, 2}});
  const auto with = towers({{{4}}, {1, 2}, {{}, {2}}});
  CHECK(described(with.theta.table()) ==
        described(without.theta.table()) +
            Names{"auxiliary_modules.0.1.weight [1, 3]", "auxiliary_modules.0.1.bias [1]",
                  "auxiliary_modules.1.0.mlp_net.0.weight [2, 3]",
                  "auxiliary_modules.1.0.mlp_net.0.bias [2]", "auxiliary_modules.1.1.weight [2, 2]",
                  "auxiliary_modules.1.1.bias [2]"});
  for (const auto& entry : without.theta.table().entries()) {
    CHECK(with.theta.table().at(entry.name).id.offset == entry.id.offset);
    CHECK(std::ranges::equal(without.theta.of(entry.id), with.theta.of(entry.name)));
  }
}

TEST_CASE("start: linear weights and biases are uniform within 1 / sqrt(fan_in)") {
  auto table = std::make_shared<ParamTable>();
  const plait::Linear<double> layer(*table, "", 16, 400);
  ParamBuffer<double> theta(table);
  plait::Random random(5);
  initialise(theta, random);
  for (const std::string name : {"weight", "bias"}) {
    INFO(name);
    const auto numbers = theta.of(name);
    double sum = 0, squares = 0, largest = 0;
    for (const double p : numbers) {
      sum += p;
      squares += p * p;
      largest = std::max(largest, std::abs(p));
    }
    const auto n = static_cast<double>(numbers.size());
    const double bound = 0.25;
    CHECK(largest <= bound);
    CHECK(largest > 0.98 * bound);
    CHECK(std::abs(sum / n) < 4 * bound / std::sqrt(3 * n));
    CHECK(std::abs(squares / n - bound * bound / 3) < 4 * bound * bound / 3 / std::sqrt(n));
  }
}

TEST_CASE("start: cross-stitch") {
  using plait::Stitch;
  using L = plait::CrossStitch;
  const auto stitch = [](const L& config) {
    const auto theta = initialised<L>(config);
    const auto numbers = theta.of("stitchs.0.weight");
    return std::vector<double>(numbers.begin(), numbers.end());
  };
  const double rest = (1 - 0.9) / 2;
  CHECK(stitch({3, 3, {{2}}}) ==
        std::vector<double>{0.9, rest, rest, rest, 0.9, rest, rest, rest, 0.9});
  CHECK(stitch({3, 1, {{2}}}) == std::vector<double>{1});
  CHECK(stitch({3, 2, {{2}}, Stitch::near_identity, 1.0}) == std::vector<double>{1, 0, 0, 1});
  CHECK(stitch({3, 2, {{2}}, Stitch::ones}) == std::vector<double>{1, 1, 1, 1});
  bool negative = false;
  for (const double s : stitch({3, 4, {{2}}, Stitch::uniform})) {
    CHECK(std::abs(s) <= 0.5);
    negative = negative || s < 0;
  }
  CHECK(negative);
}

TEST_CASE("start: sluice network") {
  using plait::SluiceInit;
  using L = plait::Sluice;
  const auto start = [](const L& config, const std::string& name) {
    const auto theta = initialised<L>(config);
    const auto numbers = theta.of(name);
    return std::vector<double>(numbers.begin(), numbers.end());
  };
  const L own{3, 2, {{2}, {2}, {2}}, 1};
  const double rest = 0.1 / 1, lower = 0.1 / 2;
  CHECK(start(own, "alphas.1") == std::vector<double>{0.9, rest, rest, 0.9});
  CHECK(start(own, "betas") == std::vector<double>{lower, lower, 0.9, lower, lower, 0.9});
  const L even{3, 2, {{2}, {2}}, 2, true, SluiceInit::balanced, SluiceInit::balanced};
  CHECK(start(even, "alphas.0") == std::vector<double>(16, 0.25));
  CHECK(start(even, "betas") == std::vector<double>(4, 0.5));
  const L alone{3, 1, {{2}}, 1};  // nobody to share with
  CHECK(start(alone, "alphas.0") == std::vector<double>{1});
  CHECK(start(alone, "betas") == std::vector<double>{1});
}

TEST_CASE("start: soft layer ordering takes all layers alike") {
  const auto theta = initialised<plait::SoftOrdering>({3, 2, {4}, 3});
  for (const double s : theta.of("orders.1")) CHECK(s == 0);
}

TEST_CASE("start: native-expert weights are uniform within 1 / sqrt(experts)") {
  const auto check = [](const ParamBuffer<double>& theta, const std::string& name, Index experts) {
    INFO(name);
    const double bound = 1 / std::sqrt(static_cast<double>(experts));
    double largest = 0;
    for (const double v : theta.of(name)) largest = std::max(largest, std::abs(v));
    CHECK(largest <= bound);
    CHECK(largest > bound / 2);
  };
  check(initialised<plait::AdaTTSp>({3, 8, {{2}}, 4}), "self_exp_weights.0", 4);
  const auto theta = initialised<plait::AdaTT>({3, 2, {{2}, {2}}, {9, 16}, 4});
  check(theta, "self_exp_weights.0", 9);
  check(theta, "self_exp_weights.1", 16);
  check(theta, "self_exp_weights.2", 4);
}

TEST_CASE("errors: sizes that every trunk has") {
  CHECK(config_error<plait::SharedBottom>({0, 2, {4}}) ==
        "plait::SharedBottom: input_dim: got 0, expected at least 1");
  CHECK(config_error<plait::SingleTask>({3, -1, {4}}) ==
        "plait::SingleTask: num_tasks: got -1, expected at least 1");
  CHECK(config_error<plait::CustomizedSharing>({3, 0, {4}}) ==
        "plait::CustomizedSharing: num_tasks: got 0, expected at least 1");
  CHECK(config_error<plait::CrossStitch>({3, 2, {}}) ==
        "plait::CrossStitch: levels: got 0 levels, expected at least one");
  CHECK(config_error<plait::MLMMoE>({3, 2, 3, {}}) ==
        "plait::MLMMoE: levels: got 0 levels, expected at least one");
  CHECK(config_error<plait::PLE>({3, 2, {}}) ==
        "plait::PLE: levels: got 0 levels, expected at least one");
  CHECK(config_error<plait::AdaTTSp>({3, 2, {}}) ==
        "plait::AdaTTSp: levels: got 0 levels, expected at least one");
  CHECK(config_error<plait::AdaTT>({-3, 2, {{4}}}) ==
        "plait::AdaTT: input_dim: got -3, expected at least 1");
  CHECK(config_error<plait::Sluice>({3, 2, {}}) ==
        "plait::Sluice: levels: got 0 levels, expected at least one");
  CHECK(config_error<plait::SoftOrdering>({0, 2, {4}, 2}) ==
        "plait::SoftOrdering: input_dim: got 0, expected at least 1");
  CHECK(config_error<plait::SoftOrdering>({3, 2, {4}, 0}) ==
        "plait::SoftOrdering: depth: got 0, expected at least 1");
  CHECK(config_error<plait::MTAN>({3, 0, {4}}) ==
        "plait::MTAN: num_tasks: got 0, expected at least 1");
  CHECK(config_error<plait::MTAN>({3, 2, {}}) ==
        "plait::MTAN: levels: got 0 levels, expected at least one");
}

TEST_CASE("errors: experts and gates") {
  CHECK(config_error<plait::MMoE>({3, 2, 0, {4}}) ==
        "plait::MMoE: num_experts: got 0, expected at least 1");
  CHECK(config_error<plait::PLE>({3, 2, {{4}}, {1, 1, 1}}) ==
        "plait::PLE: task_experts: got 3 entries, expected 1 or 2");
  CHECK(config_error<plait::PLE>({3, 2, {{4}}, {1, 0}}) ==
        "plait::PLE: experts of a unit: got 0, expected at least 1");
  CHECK(config_error<plait::CGC>({3, 2, {4}, {1}, -1}) ==
        "plait::CGC: shared_experts: got -1, expected 0 or more");
  CHECK(config_error<plait::AdaTT>({3, 2, {{4}}, {1}, -1}) ==
        "plait::AdaTT: shared_experts: got -1, expected 0 or more");
  CHECK(config_error<plait::AdaTTSp>({3, 2, {{4}}, 0}) ==
        "plait::AdaTTSp: experts of a unit: got 0, expected at least 1");
  CHECK(config_error<plait::AdaTTSp>(
            {3, 2, {{4}, {4}, {4}}, 1, true, std::vector<plait::GateConfig>(2)}) ==
        "plait::AdaTTSp: gates: got 2 entries, expected 1 or 3");
  for (const auto& [temperature, got] : {std::pair{0.0, "0"}, {-2.0, "-2"}})
    CHECK(
        config_error<plait::MMoE>({3, 2, 2, {4}, {.temperature = temperature}}) ==
        plait::text("plait::Gate: temperature: got ", got, ", expected a positive, finite number"));
  CHECK(error_of([](ParamTable& table) {
          plait::ExpertBank<double>(table, {}, {1, 3}, {4});
        }) == "plait::ExpertBank: experts: got 0 experts, expected at least one");
}

TEST_CASE("errors: widths") {
  CHECK(config_error<plait::SharedBottom>({3, 2, {4, 0}}) ==
        "plait::Linear: bottom_projection.mlp_net.2 output_dim: got 0, expected at least 1");
  CHECK(config_error<plait::MTAN>({3, 2, {4, 0}}) ==
        "plait::Linear: u.1.mlp_net.0 output_dim: got 0, expected at least 1");
  CHECK(error_of([](ParamTable& table) { plait::MLP<double>(table, "", 0, {2}); }) ==
        "plait::MLP: input_dim: got 0, expected at least 1");
  CHECK(error_of([](ParamTable& table) { plait::Linear<double>(table, "a", 0, 1); }) ==
        "plait::Linear: a input_dim: got 0, expected at least 1");
  CHECK(error_of([](ParamTable& table) {
          plait::Towers<double>(table, "", {2, 3}, {{{}}, {1, 0}});
        }) == "plait::Linear: 1.1 output_dim: got 0, expected at least 1");
  CHECK(error_of([](ParamTable& table) {
          plait::Towers<double>(table, "", {2, 3}, {{{}}, {1, 2, 3}});
        }) == "plait::Towers: outputs: got 3 entries, expected 1 or 2");
}

TEST_CASE("errors: asymmetric sharing's graph") {
  using L = plait::AsymmetricSharing;
  CHECK(config_error<L>({3, 2, {4}, {{}}}) ==
        "plait::AsymmetricSharing: sources: got 1 lists, expected 2, one per task");
  for (const Index source : {-1, 1, 2})
    CHECK(config_error<L>({3, 2, {4}, {{}, {source}}}) ==
          plait::text("plait::AsymmetricSharing: sources of task 1: got ", source,
                      ", expected other tasks, each once"));
  CHECK(config_error<L>({3, 2, {4}, {{1, 1}, {}}}) ==
        "plait::AsymmetricSharing: sources of task 0: got 1, expected other tasks, each once");
}

TEST_CASE("errors: a sluice network's subspaces and widths") {
  using L = plait::Sluice;
  CHECK(config_error<L>({3, 2, two_levels, 0}) ==
        "plait::Sluice: subspaces: got 0, expected at least 1");
  CHECK(config_error<L>({3, 2, two_levels, 3}) ==
        "plait::Sluice: width of level 0: got 4, expected a multiple of 3 subspaces");
  CHECK(config_error<L>({3, 2, {{4}, {6}}}) ==
        "plait::Sluice: width of level 1: got 6, expected 4 as below it, or no skips");
  CHECK(config_error<L>({3, 2, two_levels, std::numeric_limits<Index>::max()}) ==
        plait::text("plait::Sluice: subspaces: got ", std::numeric_limits<Index>::max(),
                    ", expected at most ", std::numeric_limits<Index>::max() / 2));
}

TEST_CASE("errors: layers that do not fit together") {
  ParamTable table;
  const plait::Linear<double> first(table, "a", 3, 4);
  const plait::Linear<double> second(table, "b", 5, 2);
  std::string message;
  try {
    plait::Sequential<double> sequence({first, second});
  } catch (const plait::ShapeError& error) {
    message = error.what();
  }
  CHECK(message == "plait::Sequential: input of layer 1: got 1 slots of 4, expected 1 slots of 5");
}

TEST_CASE("errors: one name twice in a table") {
  ParamTable table;
  const plait::Linear<double> first(table, "a", 3, 4);
  std::string message;
  try {
    const plait::Linear<double> second(table, "a", 3, 4);
  } catch (const plait::ConfigError& error) {
    message = error.what();
  }
  CHECK(message == "plait::ParamTable: name: got a second 'a.weight', expected unique names");
}
