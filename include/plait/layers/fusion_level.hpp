// FusionLevel: the one level behind every multi-task architecture.
//
// A level maps slots to units. Its bank of experts reads the state x; each unit mixes the experts
// that it selects with the weights of its gate (if any) plus static weights (if any):
//
//   E_e = expert_e(x[slot(e)])                          e = 0 ... experts - 1
//   g_u = softmax(gate_u(x[gate slot(u)]))              or of the model's input (multi-level MMoE)
//   y_u = Σ_j (g_u,j + s_u,j) E_selection(u)_j
//
// Shared bottom, cross-stitch, MMoE, multi-level MMoE, CGC, PLE, AdaTT-sp and AdaTT differ only in
// the LevelRoute. The backward is math.md's P1, P3, P4 and P5 once.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plait/core/layer.hpp"
#include "plait/kernels/mix.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/layers/expert_bank.hpp"
#include "plait/layers/gate.hpp"

namespace plait {

// A unit's gate: the prefixes of its parameters' names and the slot that it reads.
struct GateRoute {
  std::string body;
  std::string linear;
  Index slot = 0;
};

// A unit's static weights on positions first ... first + count - 1 of its selection: row `row` of
// the parameter, or ones when there is no parameter.
struct StaticRoute {
  Index first = 0;
  Index count = 0;
  std::optional<ParamId> weights;
  Index row = 0;
};

struct UnitRoute {
  std::vector<Index> experts;  // the selection, in the order of the gate's outputs
  std::optional<GateRoute> gate;
  std::optional<StaticRoute> statics;
};

struct LevelRoute {
  std::vector<ExpertRoute> experts;
  std::vector<UnitRoute> units;
  bool gates_read_input = false;  // gates read the model's input instead of the level's state
};

template <Body Expert, Body GateBody>
class FusionLevel {
 public:
  using Scalar = typename Expert::Scalar;
  struct Workspace {
    typename ExpertBank<Expert>::Workspace bank;
    std::vector<typename Gate<GateBody>::Workspace> gates;
    Tensor<Scalar> experts;       // E [B, E, H]
    Tensor<Scalar> gate_weights;  // g of all units side by side [B, 1, Σ_u n_u]
  };

  // `state` is the shape of x, `input` that of the model's input.
  FusionLevel(ParamTable& table, const LevelRoute& route, Shape state, Shape input,
              const typename Expert::Config& expert, const GateConfig<GateBody>& gate)
      : bank_(table, route.experts, state, expert), gates_read_input_(route.gates_read_input) {
    const Index gate_input_dim = gates_read_input_ ? input.dim : state.dim;
    for (const auto& unit : route.units) {
      Unit built{unit.experts, unit.statics, -1, 0, 0};
      if (unit.gate) {
        const auto n = static_cast<Index>(unit.experts.size());
        built.gate = static_cast<Index>(gates_.size());
        built.gate_slot = unit.gate->slot;
        built.gate_column = gate_columns_;
        gates_.emplace_back(table, unit.gate->body, unit.gate->linear, gate_input_dim, n, gate);
        gate_columns_ += n;
      }
      units_.push_back(std::move(built));
    }
  }

  Shape in_shape() const { return bank_.in_shape(); }
  Shape out_shape() const { return {static_cast<Index>(units_.size()), bank_.out_shape().dim}; }

  // As the Layer concept's, with the model's `input` beside the level's state x. backward
  // overwrites dx and adds the gates' share to dinput when they read the input; either may be
  // empty.
  void infer(ParamView<const Scalar> theta, View3<const Scalar> x, View3<const Scalar> input,
             View3<Scalar> y, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const auto experts = scratch.take<Scalar>(x.batch(), bank_.size(), y.dim());
    const auto gate_weights = scratch.take<Scalar>(x.batch(), 1, gate_columns_);
    fuse<false>(theta, x, input, y, experts, gate_weights, nullptr, scratch);
  }
  void forward(ParamView<const Scalar> theta, View3<const Scalar> x, View3<const Scalar> input,
               View3<Scalar> y, Workspace& workspace, Scratch& scratch) const {
    workspace.experts.resize(x.batch(), bank_.size(), y.dim());
    workspace.gate_weights.resize(x.batch(), 1, gate_columns_);
    workspace.gates.resize(gates_.size());
    fuse<true>(theta, x, input, y, workspace.experts, workspace.gate_weights, &workspace, scratch);
  }

  void backward(ParamView<const Scalar> theta, View3<const Scalar> x, View3<const Scalar> input,
                View3<const Scalar> dy, View3<Scalar> dx, View3<Scalar> dinput,
                const Workspace& workspace, ParamView<Scalar> grad, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const View3<const Scalar> experts = workspace.experts;
    const View3<const Scalar> gate_weights = workspace.gate_weights;
    const auto dexperts = scratch.take<Scalar>(x.batch(), experts.slots(), experts.dim());
    const auto dgate_weights = scratch.take<Scalar>(x.batch(), 1, gate_columns_);

    // y_u = Σ_j (g_u,j + s_u,j) E_j
    set_zero(dexperts);
    for (std::size_t u = 0; u < units_.size(); ++u)
      mix_backward(experts, units_[u].experts, gate_of(units_[u], gate_weights),
                   statics_of(units_[u], theta), dy.slot(static_cast<Index>(u)), dexperts,
                   gate_of(units_[u], dgate_weights), dstatics_of(units_[u], grad));

    // E_e = expert_e(x[slot(e)])
    bank_.backward(theta, x, experts, dexperts, dx, workspace.bank, grad, scratch);

    // g_u = softmax(gate_u(x[gate slot(u)]))
    const View3<const Scalar> gate_input = gates_read_input_ ? input : x;
    const View3<Scalar> dgate_input = gates_read_input_ ? dinput : dx;
    const auto share =
        dgate_input ? scratch.take<Scalar>(x.batch(), 1, gate_input.dim()) : View3<Scalar>();
    for (const auto& unit : units_) {
      if (!unit.has_gate()) continue;
      const auto g = static_cast<std::size_t>(unit.gate);
      gates_[g].backward(theta, gate_input.slot(unit.gate_slot), gate_of(unit, gate_weights),
                         gate_of(unit, dgate_weights), share, workspace.gates[g], grad, scratch);
      if (share) add(share, dgate_input.slot(unit.gate_slot));
    }
  }

 private:
  struct Unit {
    std::vector<Index> experts;
    std::optional<StaticRoute> statics;
    Index gate = -1;  // index into gates_, or -1
    Index gate_slot = 0;
    Index gate_column = 0;  // first column in the workspace's gate_weights
    bool has_gate() const { return gate >= 0; }
  };

  template <bool Record>
  void fuse(ParamView<const Scalar> theta, View3<const Scalar> x, View3<const Scalar> input,
            View3<Scalar> y, View3<Scalar> experts, View3<Scalar> gate_weights,
            Workspace* workspace, Scratch& scratch) const {
    const View3<const Scalar> gate_input = gates_read_input_ ? input : x;
    run<Record>(bank_, theta, x, experts, Record ? &workspace->bank : nullptr, scratch);
    for (std::size_t u = 0; u < units_.size(); ++u) {
      const Unit& unit = units_[u];
      const View3<Scalar> weights = gate_of(unit, gate_weights);
      if (unit.has_gate()) {
        const auto g = static_cast<std::size_t>(unit.gate);
        run<Record>(gates_[g], theta, gate_input.slot(unit.gate_slot), weights,
                    Record ? &workspace->gates[g] : nullptr, scratch);
      }
      mix(experts, unit.experts, weights, statics_of(unit, theta), y.slot(static_cast<Index>(u)));
    }
  }

  // The unit's columns of all gates' weights; empty without a gate.
  template <class T>
  static View3<T> gate_of(const Unit& unit, View3<T> all) {
    if (!unit.has_gate()) return {};
    return all.columns(unit.gate_column, static_cast<Index>(unit.experts.size()));
  }
  static StaticWeights<Scalar> statics_of(const Unit& unit, ParamView<const Scalar> theta) {
    if (!unit.statics) return {};
    const StaticRoute& route = *unit.statics;
    const Scalar* values =
        route.weights ? theta.data(*route.weights) + route.row * route.weights->cols : nullptr;
    return {route.first, route.count, values};
  }
  static Scalar* dstatics_of(const Unit& unit, ParamView<Scalar> grad) {
    if (!unit.statics || !unit.statics->weights) return nullptr;
    const ParamId id = *unit.statics->weights;
    return grad.data(id) + unit.statics->row * id.cols;
  }

  ExpertBank<Expert> bank_;
  std::vector<Gate<GateBody>> gates_;
  std::vector<Unit> units_;
  Index gate_columns_ = 0;
  bool gates_read_input_;
};

}  // namespace plait
