#include "layers/zoo.hpp"

#include <utility>

#include "plait/fusion/bank.hpp"
#include "plait/fusion/stack.hpp"
#include "plait/layers/gate.hpp"
#include "plait/layers/linear.hpp"
#include "plait/layers/mlp.hpp"
#include "plait/layers/residual_block.hpp"
#include "plait/layers/sequential.hpp"
#include "plait/layers/towers.hpp"
#include "plait/model/registry.hpp"  // all architectures
#include "support/bare.hpp"
#include "support/own_trunk.hpp"

namespace zoo {

using plait::Activation;
using plait::Body;
using plait::Fusion;
using plait::GateConfig;
using plait::Index;
using plait::MLPConfig;
using plait::Network;
using plait::ParamTable;
using plait::SluiceInit;
using plait::Stitch;

namespace {

// Smooth layers, so that every entry of a gradient is compared.
MLPConfig smooth(std::vector<Index> dims) { return MLPConfig(std::move(dims), Activation::tanh); }
MLPConfig dropping(std::vector<Index> dims, Activation f = Activation::tanh) {
  return MLPConfig(std::move(dims), f, true, 0.3);
}

const GateConfig warm{.temperature = 2.5};
const GateConfig unbiased{.bias = false};
const GateConfig hidden{.body = {{3}, Activation::silu}};
const GateConfig deep{.body = {4, 3}, .bias = false, .temperature = 0.5};
const GateConfig dselect{.dselect = plait::DSelectK{.selectors = 2}};
const GateConfig dselect_static{.dselect = plait::DSelectK{.selectors = 3, .per_example = false}};
const GateConfig noisy{.noise = plait::GateNoise{}};
const GateConfig noisy_few{.body = {{3}, Activation::silu}, .noise = plait::GateNoise{.top = 2}};
const GateConfig dselect_hidden{
    .body = {{3}, Activation::silu}, .bias = false, .dselect = plait::DSelectK{.selectors = 1}};

}  // namespace

std::vector<Specimen> linears() {
  std::vector<Specimen> result;
  for (const auto& [in, out] :
       {std::pair<Index, Index>{1, 1}, {1, 5}, {5, 1}, {3, 4}, {8, 8}, {2, 260}, {260, 2}}) {
    for (const bool bias : {true, false})
      result.push_back(specimen(plait::text(in, " to ", out, bias ? "" : " without bias"),
                                [in = in, out = out, bias](ParamTable& table) {
                                  return plait::Linear<double>(table, "linear", in, out, bias);
                                }));
  }
  return result;
}

std::vector<Specimen> mlps() {
  std::vector<Specimen> result;
  const auto add = [&](const std::string& shape, Index in, const MLPConfig& config) {
    result.push_back(specimen(
        shape, [&](ParamTable& table) { return plait::MLP<double>(table, "", in, config); }));
  };
  add("no layers", 4, {});
  add("one unit", 1, {1});
  add("identity", 3, {{4, 2}, Activation::identity});
  add("relu", 3, {8, 5, 4});
  add("leaky relu", 3, {{8, 5}, Activation::leaky_relu});
  add("gelu", 3, {{5, 4, 2}, Activation::gelu});
  add("gelu tanh", 3, {{5, 4, 2}, Activation::gelu_tanh});
  add("silu", 3, {{5, 4, 2}, Activation::silu});
  add("tanh", 3, {{5, 4, 2}, Activation::tanh});
  add("sigmoid", 3, {{5, 4, 2}, Activation::sigmoid});
  add("without bias", 4, {{6, 3}, Activation::relu, false});
  add("wide", 17, {{33, 9}, Activation::tanh});
  add("deeper than a panel", 300, {{5}, Activation::relu});
  return result;
}

std::vector<Specimen> residual_blocks() {
  std::vector<Specimen> result;
  for (const auto& [width, inner] :
       {std::pair<Index, Index>{1, 1}, {1, 5}, {5, 1}, {3, 4}, {4, 3}, {8, 8}, {17, 9}, {2, 40}})
    result.push_back(specimen(plait::text(width, " with ", inner),
                              [dim = width, hidden = inner](ParamTable& table) {
                                return plait::ResidualBlock<double>(table, "block", dim, hidden);
                              }));
  return result;
}

std::vector<Specimen> gates() {
  std::vector<Specimen> result;
  const auto add = [&](const std::string& shape, Index in, Index weights,
                       const GateConfig& config) {
    result.push_back(specimen(shape, [&](ParamTable& table) {
      return plait::Gate<double>(table, "body", "gate", in, weights, config);
    }));
  };
  add("plain", 4, 3, {});
  add("one expert", 4, 1, {});
  add("one input", 1, 5, {});
  add("warm", 4, 3, warm);
  add("cold", 3, 4, {.temperature = 0.25});
  add("without bias", 4, 3, unbiased);
  add("hidden layer", 4, 3, hidden);
  add("deep, without bias, cold", 4, 3, deep);
  add("many experts", 3, 18, {});
  add("DSelect-k", 4, 5, dselect);
  add("DSelect-k, static", 4, 5, dselect_static);
  add("DSelect-k, hidden layer", 4, 3, dselect_hidden);
  add("DSelect-k, one expert", 4, 1, dselect_hidden);
  return result;
}

std::vector<Specimen> expert_banks() {
  std::vector<Specimen> result;
  const auto add = [&](const std::string& shape, plait::Shape in, const std::vector<Index>& slots,
                       const Body& config) {
    std::vector<plait::ExpertRoute> routes;
    for (const Index slot : slots) routes.push_back({plait::text("experts.", routes.size()), slot});
    result.push_back(specimen(shape, [&](ParamTable& table) {
      return plait::ExpertBank<double>(table, routes, in, config);
    }));
  };
  add("one expert", {1, 3}, {0}, {2});
  add("all read slot 0", {1, 3}, {0, 0, 0}, {2});
  add("each its own", {3, 4}, {0, 1, 2}, {5, 2});
  add("two per slot", {2, 3}, {0, 0, 1, 1}, smooth({4}));
  add("a slot unread", {3, 3}, {0, 2}, smooth({4}));
  add("any order", {3, 3}, {2, 0, 1, 0}, smooth({4}));
  add("identity experts", {2, 3}, {1, 0}, {});
  add("deep", {1, 2}, {0, 0}, {3, 4, 3, 2});
  add("gelu", {2, 3}, {0, 1}, {{4, 3}, Activation::gelu});
  return result;
}

std::vector<Specimen> shared_bottoms() {
  using L = plait::SharedBottom;
  return {
      built<L>("one task", {3, 1, {4}}),
      built<L>("two tasks", {3, 2, {4}}),
      built<L>("many tasks", {2, 6, {3}}),
      built<L>("deep", {3, 2, {5, 4, 3}}),
      built<L>("no layers", {3, 2, {}}),
      built<L>("silu", {3, 3, {{4, 2}, Activation::silu}}),
      built<L>("without bias", {3, 2, {{4}, Activation::relu, false}}),
      built<L>("one unit", {1, 2, {1}}),
  };
}

std::vector<Specimen> single_tasks() {
  using L = plait::SingleTask;
  return {
      built<L>("one task", {3, 1, {4}}),
      built<L>("two tasks", {3, 2, {4}}),
      built<L>("many tasks", {2, 6, {3}}),
      built<L>("deep", {3, 2, {5, 4, 3}}),
      built<L>("no layers", {3, 2, {}}),
      built<L>("gelu", {3, 3, {{4, 2}, Activation::gelu}}),
      built<L>("without bias", {3, 2, {{4}, Activation::relu, false}}),
      built<L>("one unit", {1, 2, {{1}, Activation::sigmoid}}),
  };
}

std::vector<Specimen> cross_stitches() {
  using L = plait::CrossStitch;
  return {
      built<L>("one task", {3, 1, {{4}}}),
      built<L>("two tasks", {3, 2, {{4}}}),
      built<L>("three tasks, two levels", {3, 3, {{4}, {2}}}),
      built<L>("three levels", {2, 2, {smooth({3}), smooth({4}), smooth({2})}}),
      built<L>("deep experts", {3, 2, {{5, 4}, {3, 2}}}),
      built<L>("uniform", {3, 3, {smooth({4}), smooth({2})}, Stitch::uniform}),
      built<L>("ones", {3, 2, {smooth({4})}, Stitch::ones}),
      built<L>("separate inputs", {3, 3, {{4}, {2}}, Stitch::near_identity, 0.7, true}),
  };
}

std::vector<Specimen> mmoes() {
  using L = plait::MMoE;
  return {
      built<L>("two tasks, three experts", {3, 2, 3, {4}}),
      built<L>("one task", {3, 1, 3, {4}}),
      built<L>("one expert", {3, 2, 1, {4}}),
      built<L>("one of each", {1, 1, 1, {1}}),
      built<L>("more tasks than experts", {3, 5, 2, smooth({3})}),
      built<L>("deep experts", {3, 2, 3, {5, 4}}),
      built<L>("gate without bias", {3, 2, 3, smooth({4}), unbiased}),
      built<L>("gate with a hidden layer", {3, 2, 3, smooth({4}), hidden}),
      built<L>("gate with temperature", {3, 2, 3, smooth({4}), warm}),
      built<L>("DSelect-k", {3, 2, 5, smooth({4}), dselect}),
      built<L>("DSelect-k, static", {3, 2, 5, smooth({4}), dselect_static}),
  };
}

std::vector<Specimen> ml_mmoes() {
  using L = plait::MLMMoE;
  return {
      built<L>("one level", {3, 2, 3, {{4}}}),
      built<L>("two levels", {3, 2, 3, {{4}, {2}}}),
      built<L>("three levels", {3, 2, 2, {smooth({3}), smooth({4}), smooth({2})}}),
      built<L>("one task", {3, 1, 3, {smooth({4}), smooth({2})}}),
      built<L>("one expert", {3, 2, 1, {smooth({4}), smooth({2})}}),
      built<L>("more tasks than experts", {3, 4, 2, {smooth({4}), smooth({2})}}),
      built<L>("deep experts", {3, 2, 2, {{4, 3}, {3, 2}}}),
      built<L>("gates with hidden layers", {3, 2, 2, {smooth({4}), smooth({2})}, {hidden}}),
      built<L>("a gate configuration per level",
               {3, 2, 2, {smooth({4}), smooth({2})}, {unbiased, deep}}),
      built<L>("DSelect-k, static below",
               {3, 2, 3, {smooth({4}), smooth({2})}, {dselect_static, dselect_hidden}}),
  };
}

std::vector<Specimen> cgcs() {
  using L = plait::CGC;
  return {
      built<L>("one of each", {3, 2, {4}}),
      built<L>("one task", {3, 1, {4}}),
      built<L>("two own, two shared", {3, 2, smooth({4}), {2}, 2}),
      built<L>("own experts per task", {3, 3, smooth({4}), {2, 1, 3}, 1}),
      built<L>("no shared experts", {3, 2, smooth({4}), {2}, 0}),
      built<L>("no shared, one own", {3, 2, smooth({4}), {1}, 0}),
      built<L>("gate hidden, cold, without bias", {3, 2, smooth({4}), {1}, 2, deep}),
      built<L>("separate inputs", {3, 2, {5, 4}, {2, 1}, 1, {}, true}),
  };
}

std::vector<Specimen> ples() {
  using L = plait::PLE;
  return {
      built<L>("one level", {3, 2, {{4}}}),
      built<L>("two levels", {3, 2, {{4}, {2}}}),
      built<L>("three levels", {2, 2, {smooth({3}), smooth({4}), smooth({2})}, {2}, 1}),
      built<L>("one task", {3, 1, {smooth({4}), smooth({2})}}),
      built<L>("own experts per task", {3, 3, {smooth({4}), smooth({2})}, {2, 1, 3}, 2}),
      built<L>("no shared experts", {3, 2, {smooth({4}), smooth({2})}, {2, 1}, 0}),
      built<L>("deep experts", {3, 2, {{5, 4}, {3, 2}}}),
      built<L>("a gate configuration per level",
               {3, 2, {smooth({4}), smooth({2})}, {1}, 1, {hidden, unbiased}}),
      built<L>("separate inputs",
               {3, 2, {smooth({4}), smooth({2})}, {1, 2}, 1, {GateConfig{}}, true}),
      built<L>("DSelect-k", {3, 2, {smooth({4}), smooth({2})}, {2}, 1, {dselect}}),
      built<L>("DSelect-k, static", {3, 2, {smooth({4}), smooth({2})}, {2}, 1, {dselect_static}}),
      built<L>("DSelect-k, one expert", {3, 2, {smooth({4})}, {1}, 0, {dselect}}),
  };
}

std::vector<Specimen> adatt_sps() {
  using L = plait::AdaTTSp;
  const std::vector<GateConfig> plain(1);
  return {
      built<L>("one level, unit weights", {3, 2, {{4}}}),
      built<L>("two levels, unit weights", {3, 2, {{4}, {2}}}),
      built<L>("two experts each", {3, 2, {smooth({4}), smooth({2})}, 2}),
      built<L>("three levels", {2, 3, {smooth({3}), smooth({4}), smooth({2})}, 2}),
      built<L>("one task", {3, 1, {smooth({4}), smooth({2})}, 2}),
      built<L>("one task, one expert", {3, 1, {smooth({4})}, 1}),
      built<L>("no residual", {3, 2, {smooth({4}), smooth({2})}, 2, false}),
      built<L>("deep experts", {3, 2, {{5, 4}, {3, 2}}, 2}),
      built<L>("a gate configuration per level",
               {3, 2, {smooth({4}), smooth({2})}, 2, true, {warm, deep}}),
      built<L>("separate inputs", {3, 2, {smooth({4}), smooth({2})}, 2, true, plain, true}),
  };
}

std::vector<Specimen> adatts() {
  using L = plait::AdaTT;
  const std::vector<GateConfig> plain(1);
  return {
      built<L>("unit weights", {3, 2, {{4}, {2}}}),
      built<L>("one level", {3, 2, {smooth({4})}, {2}, 1}),
      built<L>("own experts per task", {3, 2, {smooth({4}), smooth({2})}, {1, 2}, 2}),
      built<L>("three levels", {2, 2, {smooth({3}), smooth({4}), smooth({2})}, {2}, 1}),
      built<L>("one task", {3, 1, {smooth({4}), smooth({2})}, {2}, 1}),
      built<L>("no shared experts", {3, 2, {smooth({4}), smooth({2})}, {2, 1}, 0}),
      built<L>("no residual", {3, 2, {smooth({4}), smooth({2})}, {2}, 1, false}),
      built<L>("deep experts", {3, 2, {{5, 4}, {3, 2}}, {2}, 1}),
      built<L>("hidden gates", {3, 2, {smooth({4}), smooth({2})}, {1}, 2, true, {hidden}}),
      built<L>("DSelect-k", {3, 2, {smooth({4}), smooth({2})}, {2}, 1, true, {dselect}}),
      built<L>("DSelect-k, static below",
               {3, 2, {smooth({4}), smooth({2})}, {2}, 1, true, {dselect_static, dselect}}),
      built<L>("separate inputs", {3, 2, {smooth({4}), smooth({2})}, {2}, 1, true, plain, true}),
  };
}

namespace {

std::vector<Specimen> sharings(bool stop_gradient) {
  using L = plait::AsymmetricSharing;
  std::vector<Specimen> result;
  for (const auto& [fusion, name] :
       {std::pair{Fusion::concat, "concat"}, {Fusion::sum, "sum"}, {Fusion::mean, "mean"}}) {
    const auto add = [&, fusion = fusion, name = name](
                         const std::string& shape, Index tasks, const Body& expert,
                         const std::vector<std::vector<Index>>& sources) {
      result.push_back(built<L>(plait::text(name, ", ", shape),
                                {3, tasks, expert, sources, fusion, stop_gradient}));
    };
    add("one task", 1, smooth({4}), {{}});
    add("one sees the other", 2, {4}, {{}, {0}});
    add("each sees the other", 2, smooth({4}), {{1}, {0}});
    add("a chain", 3, smooth({4}), {{}, {0}, {1}});
    add("two sources, out of order", 3, smooth({2}), {{}, {}, {1, 0}});
    add("nobody sees another", 3, smooth({3}), {{}, {}, {}});
    add("deep", 2, {5, 4, 3}, {{1}, {}});
    add("all see all", 3, smooth({3}), {{1, 2}, {2, 0}, {0, 1}});
  }
  return result;
}

}  // namespace

std::vector<Specimen> asymmetric_sharings() { return sharings(false); }
std::vector<Specimen> stopped_sharings() { return sharings(true); }

std::vector<Specimen> customized_sharings() {
  using L = plait::CustomizedSharing;
  return {
      built<L>("one task", {3, 1, {4}}),
      built<L>("two tasks", {3, 2, {4}}),
      built<L>("many tasks", {2, 6, smooth({3})}),
      built<L>("deep", {3, 2, {5, 4, 3}}),
      built<L>("no layers", {3, 2, {}}),
      built<L>("silu", {3, 3, {{4, 2}, Activation::silu}}),
      built<L>("without bias", {3, 2, {{4}, Activation::relu, false}}),
      built<L>("one unit", {1, 2, {{1}, Activation::sigmoid}}),
  };
}

std::vector<Specimen> mtans() {
  using L = plait::MTAN;
  return {
      built<L>("one level", {5, 3, {4}}),
      built<L>("one task", {3, 1, {4, 4}}),
      built<L>("one task, one level", {3, 1, {5}}),
      built<L>("narrowing levels", {5, 3, {6, 4}}),
      built<L>("widening levels", {2, 2, {3, 7}}),
      built<L>("three levels", {4, 2, {3, 5, 4}}),
      built<L>("many tasks", {3, 6, {4, 3}}),
      built<L>("wider than a packet", {9, 2, {17, 12}}),
  };
}

std::vector<Specimen> sluices() {
  using L = plait::Sluice;
  const std::vector<Body> two{smooth({4}), smooth({4})}, narrowing{smooth({6}), smooth({4})};
  return {
      built<L>("two subspaces", {3, 2, two}),
      built<L>("one subspace", {3, 3, two, 1}),
      built<L>("four subspaces", {3, 2, two, 4}),
      built<L>("one task", {3, 1, two}),
      built<L>("one task and subspace", {3, 1, two, 1}),
      built<L>("one level", {3, 2, {smooth({4})}}),
      built<L>("three levels, relu", {2, 2, {{4}, {4}, {4}}}),
      built<L>("no skips", {3, 2, narrowing, 2, false}),
      built<L>("no skips, one level", {3, 3, {smooth({3})}, 3, false}),
      built<L>("balanced", {3, 3, two, 2, true, SluiceInit::balanced, SluiceInit::balanced}),
      built<L>("deep experts", {3, 2, {{5, 4}, {3, 4}}}),
      built<L>("wider than a packet", {9, 2, {smooth({34}), smooth({34})}}),
  };
}

std::vector<Specimen> snrs() {
  using L = plait::SNR;
  const auto trans = plait::SNRConnection::trans, aver = plait::SNRConnection::aver;
  return {
      built<L>("trans, one level", {3, 2, 2, {4}, trans}),
      built<L>("trans, two levels", {3, 2, 3, {4, 3}, trans}),
      built<L>("trans, three levels, three tasks", {3, 3, 2, {4, 3, 5}, trans}),
      built<L>("trans, one expert", {3, 2, 1, {4, 3}, trans}),
      built<L>("aver, one level", {3, 2, 2, {4}, aver}),
      built<L>("aver, two levels", {3, 2, 3, {4, 3}, aver}),
      built<L>("aver, three levels, three tasks", {3, 3, 2, {4, 3, 5}, aver}),
      built<L>("aver, one task, one expert", {3, 1, 1, {4, 3}, aver}),
      built<L>("one unit", {1, 2, 2, {1, 1}, trans}),
      built<L>("aver, wider than a packet", {9, 2, 2, {17}, aver}),
  };
}

std::vector<Specimen> branchings() {
  using L = plait::LearningToBranch;
  return {
      built<L>("one level", {3, 2, 2, {4}}),
      built<L>("two levels", {3, 2, 3, {4, 3}}),
      built<L>("three levels, three tasks", {3, 3, 2, {4, 3, 5}}),
      built<L>("one expert", {3, 2, 1, {4, 3}}),
      built<L>("one task", {3, 1, 3, {4, 3}}),
      built<L>("one unit", {1, 2, 2, {1, 1}}),
      built<L>("four levels", {4, 2, 2, {3, 4, 4, 3}}),
      built<L>("wider than a packet", {9, 2, 2, {17, 9}}),
  };
}

std::vector<Specimen> ada_shares() {
  using L = plait::AdaShare;
  return {
      built<L>("two tasks", {3, 2, {4}, {3, 5}}),
      built<L>("one block", {3, 2, {4}, {3}}),
      built<L>("one task", {3, 1, {4}, {3, 2}}),
      built<L>("three tasks, four blocks", {3, 3, {4}, {3, 2, 5, 4}}),
      built<L>("many tasks", {2, 6, {3}, {2, 2}}),
      built<L>("no stem", {3, 2, {}, {4, 4}}),
      built<L>("deep stem", {3, 2, {5, 4}, {3}}),
      built<L>("one unit", {1, 2, {1}, {1, 1}}),
      built<L>("wider than a packet", {9, 2, {17}, {9, 18}}),
  };
}

std::vector<Specimen> branched_networks() {
  using L = plait::BranchedNetwork;
  return {
      built<L>("nothing shared", {3, 2, {{4}, {3}}, {{0, 1}, {0, 1}}}),
      built<L>("all shared", {3, 2, {{4}, {3}}, {{0, 0}, {0, 0}}}),
      built<L>("shared below", {3, 2, {{4}, {3}}, {{0, 0}, {0, 1}}}),
      built<L>("one level", {3, 3, {smooth({4})}, {{0, 1, 0}}}),
      built<L>("one task", {3, 1, {smooth({4}), smooth({2})}, {{0}, {0}}}),
      built<L>("three levels", {2,
                                4,
                                {smooth({3}), smooth({4}), smooth({2})},
                                {{0, 0, 0, 0}, {0, 1, 0, 1}, {0, 1, 2, 3}}}),
      built<L>("deep experts", {3, 3, {{5, 4}, {3, 2}}, {{0, 0, 1}, {0, 1, 2}}}),
      built<L>("gelu", {3, 3, {{{4}, Activation::gelu}, smooth({3})}, {{0, 0, 1}, {0, 0, 1}}}),
  };
}

std::vector<Specimen> soft_orderings() {
  using L = plait::SoftOrdering;
  const auto tanh = Activation::tanh;
  return {
      built<L>("relu", {3, 2, {4}, 2}),
      built<L>("smooth", {3, 3, smooth({4}), 3, tanh}),
      built<L>("an activation that needs its input", {3, 2, smooth({4}), 2, Activation::silu}),
      built<L>("one encoder", {3, 2, smooth({4}), 2, tanh, false}),
      built<L>("one encoder, relu, three tasks", {3, 3, {4}, 3, Activation::relu, false}),
      built<L>("no encoder", {4, 2, {}, 2, tanh}),
      built<L>("no encoder, one slot", {4, 2, {}, 2, tanh, false}),
      built<L>("one task", {3, 1, smooth({4}), 2, tanh}),
      built<L>("one layer", {3, 2, smooth({4}), 1, tanh}),
      built<L>("deep encoders", {3, 2, smooth({5, 3}), 4, tanh}),
      built<L>("one unit", {1, 2, smooth({1}), 2, tanh}),
      built<L>("wider than a packet", {9, 2, smooth({17}), 2, tanh}),
  };
}

// A gate of static routing reads nothing: where it stands on a slot that no expert reads, the slot
// has no gradient.
plait::Plan static_gates_apart() {
  const auto unit = [](Index u, Index slot) {
    return plait::UnitRoute{
        .experts = {0, 1, 2},
        .gate = plait::GateRoute{plait::text("bodies.", u), plait::text("gates.", u), slot}};
  };
  return {{2, 3},
          {{.route = {.experts = {{"experts.0", 0}, {"experts.1", 0}, {"experts.2", 0}},
                      .units = {unit(0, 1), unit(1, 1)}},
            .expert = smooth({4}),
            .gate = dselect_static}}};
}

// Gates that read two slots of three and one slot twice, over experts of several kinds; what gates
// read may be the model's input at all levels.
plait::Plan several_slots(const GateConfig& gate, bool of_input, const Body& own,
                          const Body& expert) {
  const auto unit = [](Index level, Index u, const std::vector<Index>& slots,
                       const std::vector<Index>& experts) {
    const std::string name = plait::text("gates.", level, ".", u);
    return plait::UnitRoute{
        .experts = experts,
        .gate = plait::GateRoute{name + ".body", name, slots[0], {slots.begin() + 1, slots.end()}}};
  };
  plait::LevelPlan below{.expert = expert, .gate = gate}, above = below;
  below.route = {.experts = {{"experts.0.0", 1}, {"experts.0.1", 0, own}, {"experts.0.2", 1}},
                 .units = {unit(0, 0, {2, 0}, {0, 1, 2}), unit(0, 1, {1}, {2, 1}),
                           unit(0, 2, {0, 2, 2}, {0, 2})},
                 .gates_read_input = of_input};
  above.route = {.experts = {{"experts.1.0", 0, own}, {"experts.1.1", 1}},
                 .units = {unit(1, 0, {1, 2}, {0, 1}), unit(1, 1, {0, 1}, {1, 0})},
                 .gates_read_input = of_input};
  return {{3, 2}, {below, above}};
}

// Both kinds of trunk of one's own, and stop-gradients in routes.
std::vector<Specimen> own_trunks() {
  using own::Spread;
  using own::Stem;
  const std::vector<Body> two{smooth({4}), smooth({2})};
  return {
      built<Spread>("a layer, one task", {3, 1, 4}),
      built<Spread>("a layer", {3, 2, 4}),
      built<Spread>("a layer, many tasks", {2, 6, 1}),
      specimen(
          "routes, static gates on a slot that no expert reads",
          [](ParamTable& table) { return plait::build_plan<double>(table, static_gates_apart()); }),
      built<Stem>("routes, one level", {3, 2, {smooth({4})}, {1}, 1, {}, false, false}),
      built<Stem>("routes, two levels", {3, 2, two, {2, 1}, 1, {}, false, false}),
      built<Stem>("routes, relu", {3, 3, {{4}, {2}}, {1}, 2, {}, false, false}),
      built<Stem>("routes, statics and gates", {3, 2, two, {1, 2}, 1, deep, true, false}),
      built<Stem>("routes, no shared experts", {3, 2, two, {1}, 0, {}, false, false}),
      built<Stem>("routes, bare experts",
                  {3, 2, {BareMLP{smooth({4})}, BareMLP{smooth({2})}}, {2}, 1, {}, false, false}),
  };
}

std::vector<Specimen> slots_and_kinds() {
  std::vector<Specimen> result;
  const auto add = [&](const std::string& shape, const GateConfig& gate, bool of_input,
                       const Body& own, const Body& expert) {
    result.push_back(specimen(shape, [&](ParamTable& table) {
      return plait::build_plan<double>(table, several_slots(gate, of_input, own, expert));
    }));
  };
  const Body tanh = smooth({4}), deep_relu{5, 4}, relu{4};
  for (const bool of_input : {false, true}) {
    const std::string where = of_input ? ", of the input" : "";
    add("plain gates" + where, {}, of_input, deep_relu, tanh);
    add("all end in a ReLU" + where, {}, of_input, deep_relu, relu);
    add("ReLU and bare" + where, unbiased, of_input, BareMLP{smooth({3, 4})}, relu);
    add("hidden gates" + where, deep, of_input, tanh, {{4}, Activation::silu});
    add("noisy gates, dropout" + where, noisy_few, of_input, dropping({3, 4}),
        dropping({4}, Activation::relu));
    add("DSelect-k" + where, dselect, of_input, tanh, relu);
    add("static DSelect-k" + where, dselect_static, of_input, tanh, tanh);
  }
  return result;
}

std::vector<Specimen> stopped_routes() {
  using own::Stem;
  const std::vector<Body> two{smooth({4}), smooth({2})};
  return {
      built<Stem>("one level", {3, 2, {smooth({4})}}),
      built<Stem>("one task", {3, 1, two}),
      built<Stem>("two levels", {3, 2, two, {2, 1}, 1}),
      built<Stem>("three levels", {2, 2, {smooth({3}), smooth({4}), smooth({2})}, {1}, 2}),
      built<Stem>("three tasks, relu", {3, 3, {{4}, {2}}, {1}, 2}),
      built<Stem>("statics and gates", {3, 2, two, {1, 2}, 1, {}, true}),
      built<Stem>("no shared experts", {3, 2, two, {1}, 0}),
      built<Stem>("hidden gates", {3, 2, two, {1}, 1, hidden}),
      built<Stem>("bare experts", {3, 2, {BareMLP{{4}}, BareMLP{{2}}}, {2}, 1}),
  };
}

std::vector<Specimen> drawing_levels() {
  using plait::MLMMoE, plait::MMoE, plait::PLE;
  const GateConfig both{.body = dropping({3}), .noise = plait::GateNoise{}};
  const std::vector<Body> two{dropping({4}), dropping({2})};
  std::vector<Specimen> result{
      built<plait::SharedBottom>("shared bottom", {3, 2, dropping({4, 3})}),
      built<plait::SharedBottom>("shared bottom, relu", {3, 2, dropping({4, 3}, Activation::relu)}),
      built<plait::CrossStitch>("cross-stitch", {3, 2, two}),
      built<MMoE>("MMoE, experts", {3, 2, 3, dropping({4, 3}, Activation::silu)}),
      built<MMoE>("MMoE, relu experts", {3, 2, 3, dropping({4}, Activation::relu)}),
      built<MMoE>("MMoE, gates", {3, 2, 3, smooth({4}), noisy}),
      built<MMoE>("MMoE, gates of few", {3, 2, 4, smooth({4}), noisy_few}),
      built<MLMMoE>("multi-level MMoE", {3, 2, 3, two, {both}}),
      built<PLE>("PLE", {3, 2, two, {1, 2}, 1, {noisy, both}}),
      built<plait::AdaTT>("AdaTT", {3, 2, two, {1}, 2, true, {both}}),
      built<plait::AsymmetricSharing>("asymmetric",
                                      {3, 2, dropping({4}), {{}, {0}}, Fusion::concat, false}),
      built<plait::CustomizedSharing>("customized", {3, 2, dropping({4})}),
      built<plait::Sluice>("sluice", {3, 2, {dropping({4}), dropping({4})}}),
      built<plait::SoftOrdering>("soft ordering", {3, 2, dropping({4}), 2}),
  };
  const auto towers = [&](const std::string& shape, const plait::TowersConfig& config) {
    result.push_back(specimen(shape, [&](ParamTable& table) {
      return plait::Towers<double>(table, "", {2, 3}, config);
    }));
  };
  towers("towers", {{dropping({4, 3}, Activation::relu)}, {1}});
  towers("towers, small ones", {{{}, dropping({3})}, {1, 2}, {dropping({2})}});
  return result;
}

std::vector<Specimen> towers() {
  std::vector<Specimen> result;
  const auto add = [&](const std::string& shape, plait::Shape in,
                       const plait::TowersConfig& config) {
    result.push_back(specimen(
        shape, [&](ParamTable& table) { return plait::Towers<double>(table, "", in, config); }));
  };
  add("linear heads", {2, 3}, {});
  add("one task", {1, 3}, {{smooth({4})}, {1}});
  add("one hidden layer", {2, 3}, {{{4}}, {1}});
  add("deep", {2, 3}, {{smooth({4, 3})}, {1}});
  add("hidden layers per task", {3, 3}, {{smooth({4}), {}, smooth({3, 2})}, {1}});
  add("outputs per task", {3, 3}, {{smooth({4})}, {1, 3, 2}});
  add("linear heads, several outputs", {2, 3}, {{{}}, {4}});
  add("one input", {2, 1}, {{smooth({2})}, {2, 1}});
  return result;
}

std::vector<Specimen> small_towers() {
  std::vector<Specimen> result;
  const auto add = [&](const std::string& shape, plait::Shape in,
                       const plait::TowersConfig& config) {
    result.push_back(specimen(shape, [&](ParamTable& table) {
      return plait::Towers<double>(table, "large", in, config, "small");
    }));
  };
  add("linear and linear", {2, 3}, {.small = {{}}});
  add("one task", {1, 3}, {{smooth({4})}, {1}, {{}}});
  add("one hidden layer", {2, 3}, {{{4}}, {1}, {{}}});
  add("small ones with a hidden layer", {2, 3}, {{smooth({4, 3})}, {1}, {{2}}});
  add("small ones per task", {2, 3}, {{smooth({4})}, {1}, {smooth({2}), {}}});
  add("outputs per task", {3, 3}, {{smooth({4})}, {1, 3, 2}, {{}}});
  add("linear, several outputs", {2, 3}, {{{}}, {4}, {{}}});
  add("one input", {2, 1}, {{smooth({2})}, {2, 1}, {{}}});
  return result;
}

std::vector<Specimen> sequentials() {
  using plait::Sequential;
  std::vector<Specimen> result;
  // A trunk with towers on it, named as a model names them.
  const auto add = [&](const std::string& shape, const auto& trunk,
                       const plait::TowersConfig& heads) {
    result.push_back(specimen(shape, [&](ParamTable& table) {
      Network<double> bottom = plait::build<double>(table, "mtl_arch", trunk);
      plait::Towers<double> top(table, "task_modules", bottom.out_shape(), heads);
      return Sequential<double>({std::move(bottom), std::move(top)});
    }));
  };
  const plait::TowersConfig one_hidden{{smooth({3})}, {1}};
  const std::vector<Body> two_levels{smooth({4}), smooth({2})};
  add("shared bottom", plait::SharedBottom{3, 2, {4}}, {{{3}}, {1}});
  add("MMoE", plait::MMoE{3, 2, 3, smooth({4})}, one_hidden);
  add("PLE", plait::PLE{3, 2, two_levels}, one_hidden);
  add("AdaTT-sp", plait::AdaTTSp{3, 2, two_levels, 2}, one_hidden);
  add("AdaTT, linear heads", plait::AdaTT{3, 3, two_levels, {2, 1, 1}, 2}, {{{}}, {1, 2, 1}});
  add("customized sharing", plait::CustomizedSharing{3, 2, smooth({4})}, one_hidden);
  add("a trunk of one's own", own::Spread{3, 2, 4}, one_hidden);
  add("small towers", plait::PLE{3, 2, two_levels}, {{smooth({3})}, {1}, {{}}});
  result.push_back(specimen("one layer", [](ParamTable& table) {
    return Sequential<double>({plait::MLP<double>(table, "a", 3, smooth({2}))});
  }));
  result.push_back(specimen("three layers", [](ParamTable& table) {
    plait::MLP<double> first(table, "a", 3, smooth({4}));
    plait::Linear<double> second(table, "b", 4, 5);
    plait::MLP<double> third(table, "c", 5, {2});
    return Sequential<double>({std::move(first), second, std::move(third)});
  }));
  return result;
}

}  // namespace zoo
