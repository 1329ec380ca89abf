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
// the LevelRoute. The backward is P1 to P5 of docs/mathematics.md, once.
#pragma once
#include <algorithm>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plait/core/layer.hpp"
#include "plait/core/reach.hpp"
#include "plait/kernels/mix.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/layers/expert_bank.hpp"
#include "plait/layers/expert_dropout.hpp"
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
    ExpertDropout dropout;        // of the next forward
    Tensor<Scalar> gate_weights;  // g of all units side by side [B, 1, Σ_u n_u], 0 without a gate
  };

  // `state` is the shape of x, `input` that of the model's input.
  FusionLevel(ParamTable& table, const LevelRoute& route, Shape state, Shape input,
              const typename Expert::Config& expert, const GateConfig<GateBody>& gate)
      : bank_(table, route.experts, state, expert), gates_read_input_(route.gates_read_input) {
    const Index gate_input_dim = gates_read_input_ ? input.dim : state.dim;
    std::vector<std::vector<Index>> selected;
    for (const auto& unit : route.units) {
      selected.push_back(unit.experts);
      units_.push_back({unit.statics});
      has_statics_ = has_statics_ || unit.statics.has_value();
      if (!unit.gate) {
        PLAIT_ASSERT(unit.statics);  // what else would weigh its experts
        continue;
      }
      units_.back().gate = static_cast<Index>(gates_.size());
      units_.back().gate_slot = unit.gate->slot;
      const Index before = table.buffer_size();
      gates_.emplace_back(table, unit.gate->body, unit.gate->linear, gate_input_dim,
                          static_cast<Index>(unit.experts.size()), gate);
      units_.back().gate_params = table.range_from(before);
    }
    selections_ = Selections(selected, bank_.size());
    for (const auto& experts : selected) selection_of_.push_back({{experts}, bank_.size()});
    join_gates(table);
  }

  Shape in_shape() const { return bank_.in_shape(); }
  Shape out_shape() const { return {static_cast<Index>(units_.size()), bank_.out_shape().dim}; }

  // Of the level's experts and gates, and of those gates alone that read the model's input.
  template <class F>
  bool visit_input_linears(const F& f) const {
    return bank_.visit_input_linears(f) && visit_gate_linears(f);
  }
  template <class F>
  bool visit_gate_linears(const F& f) const {
    return std::ranges::all_of(gates_, [&](const auto& g) { return g.visit_input_linears(f); });
  }
  bool gates_read_input() const { return gates_read_input_; }

  // What there is to watch: the columns of weights, and which units have a gate.
  const Selections& selections() const { return selections_; }
  bool has_gate(Index unit) const { return units_[static_cast<std::size_t>(unit)].has_gate(); }
  // s of all units side by side [1, 1, Σ_u n_u], 0 where a unit has none.
  void static_weights(ParamView<const Scalar> theta, View3<Scalar> statics) const {
    set_zero(statics);
    for (std::size_t u = 0; u < units_.size(); ++u) {
      const auto& route = units_[u].statics;
      if (!route) continue;
      VectorMap<Scalar> row(statics_of(*route, columns_of(u, statics)).data(), route->count);
      if (route->weights) {
        row = VectorMap<const Scalar>(
            theta.data(*route->weights) + route->row * route->weights->cols, route->count);
      } else {
        row.setOnes();
      }
    }
  }

  // As core/reach.hpp has it; `live` units. Both the state and, where gates read it, the model's
  // input are reached.
  template <class Mark>
  void reach(Flags live, std::span<bool> live_state, std::span<bool> live_input, const Mark& mark,
             Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    bank_.reach(experts_of(live, scratch), live_state, mark, scratch);
    for (std::size_t u = 0; u < units_.size(); ++u) {
      const Unit& unit = units_[u];
      if (!live[u]) continue;
      if (unit.statics && unit.statics->weights) {
        const ParamId& id = *unit.statics->weights;
        mark(ParamRange{id.offset + unit.statics->row * id.cols, unit.statics->count});
      }
      if (!unit.has_gate()) continue;
      mark(unit.gate_params);
      (gates_read_input_ ? live_input : live_state)[static_cast<std::size_t>(unit.gate_slot)] =
          true;
    }
  }

  // As the Layer concept's and core/reach.hpp's, with the model's `input` beside the level's state
  // x. backward overwrites dx and adds the gates' share to dinput when they read the input; either
  // may be empty.
  void infer(ParamView<const Scalar> theta, View3<const Scalar> x, View3<const Scalar> input,
             View3<Scalar> y, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const auto experts = scratch.take_slot_major<Scalar>(x.batch(), bank_.size(), y.dim());
    const auto gate_weights = scratch.take<Scalar>(x.batch(), 1, selections_.columns());
    fuse<false>(theta, x, input, y, experts, gate_weights, nullptr, scratch);
  }
  void forward(ParamView<const Scalar> theta, View3<const Scalar> x, View3<const Scalar> input,
               View3<Scalar> y, Workspace& workspace, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    workspace.experts.resize(x.batch(), bank_.size(), y.dim());
    workspace.gate_weights.resize(x.batch(), 1, selections_.columns());
    workspace.gates.resize(gates_.size());
    fuse<true>(theta, x, input, y, workspace.experts.slot_major(), workspace.gate_weights,
               &workspace, scratch);
  }

  void backward(ParamView<const Scalar> theta, View3<const Scalar> x, View3<const Scalar> input,
                View3<const Scalar> dy, View3<Scalar> dx, View3<Scalar> dinput,
                const Workspace& workspace, ParamView<Scalar> grad, Scratch& scratch,
                Flags live = {}) const {
    const Scratch::Frame frame(scratch);
    const bool whole = std::ranges::all_of(live, std::identity());  // or empty
    const auto is_live = [&](std::size_t u) { return whole || live[u]; };
    const View3<const Scalar> experts = workspace.experts.slot_major();
    const View3<const Scalar> gate_weights = workspace.gate_weights;
    const auto dexperts = scratch.take_slot_major<Scalar>(x.batch(), mixed_together, experts.dim());
    const auto dweights = scratch.take<Scalar>(x.batch(), 1, selections_.columns());

    // y_u = Σ_j (g_u,j + s_u,j) E_j, and E_e = expert_e(x[slot(e)])
    const View3<const Scalar> weights = mixing_weights(theta, gate_weights, scratch);
    const bool relu = bank_.ends_in_relu();
    const auto dexpert_of = [&](Index e) -> View3<const Scalar> {
      const View3<Scalar> dexpert = dexperts.slot(e % mixed_together);
      if (!whole) {
        mix_backward_live(experts.slot(e), e, weights, dy, dexpert, dweights, scratch, live, relu);
      } else if (e % mixed_together == 0) {
        const Index count = std::min(mixed_together, bank_.size() - e);
        mix_backward<Scalar>(experts.slot_range(e, count), selections_, e, weights, dy,
                             dexperts.slot_range(0, count), dweights, relu);
      }
      return dexpert;
    };
    const std::span<bool> written = take_flags(scratch, x.slots());
    bank_.backward_each(theta, x, experts, dexpert_of, dx, workspace.bank, grad, scratch,
                        whole ? Flags() : experts_of(live, scratch), written, relu);
    for (std::size_t u = 0; u < units_.size(); ++u) {
      const auto& route = units_[u].statics;
      if (!is_live(u)) continue;
      if (!route || !route->weights) continue;
      add_batch_sums<Scalar>(statics_of(*route, columns_of(u, View3<const Scalar>(dweights))),
                             grad.data(*route->weights) + route->row * route->weights->cols);
    }

    // g_u = softmax(gate_u(x[gate slot(u)]))
    const View3<const Scalar> gate_input = gates_read_input_ ? input : x;
    const View3<Scalar> dgate_input = gates_read_input_ ? dinput : dx;
    for (std::size_t u = 0; u < units_.size(); ++u) {
      const Unit& unit = units_[u];
      if (!unit.has_gate() || !is_live(u)) continue;
      const auto g = static_cast<std::size_t>(unit.gate);
      const bool adds = gates_read_input_ ||
                        std::exchange(written[static_cast<std::size_t>(unit.gate_slot)], true);
      gates_[g].backward(theta, gate_input.slot(unit.gate_slot), columns_of(u, gate_weights),
                         columns_of(u, dweights),
                         dgate_input ? dgate_input.slot(unit.gate_slot) : View3<Scalar>(),
                         workspace.gates[g], grad, scratch, {.adds_to_dx = adds});
    }
    if (whole) ExpertBank<Expert>::clear_unwritten(written, dx);
  }

 private:
  struct Unit {
    std::optional<StaticRoute> statics;
    Index gate = -1;  // index into gates_, or -1
    Index gate_slot = 0;
    ParamRange gate_params{};
    bool has_gate() const { return gate >= 0; }
  };

  // The experts that live units select.
  std::span<bool> experts_of(Flags live, Scratch& scratch) const {
    const std::span<bool> experts = take_flags(scratch, bank_.size());
    for (std::size_t u = 0; u < units_.size(); ++u)
      for (Index j = 0; live[u] && j < selection_of_[u].columns(); ++j)
        experts[static_cast<std::size_t>(selection_of_[u].expert(j))] = true;
    return experts;
  }

  // mix_backward over the live units that select expert e, one after the other.
  void mix_backward_live(View3<const Scalar> expert, Index e, View3<const Scalar> weights,
                         View3<const Scalar> dy, View3<Scalar> dexpert, View3<Scalar> dweights,
                         Scratch& scratch, Flags live, bool relu) const {
    const Scratch::Frame frame(scratch);
    const auto share = scratch.take<Scalar>(dexpert.batch(), 1, dexpert.dim());
    bool first = true;
    for (std::size_t u = 0; u < units_.size(); ++u) {
      if (!live[u] || selection_of_[u].uses(e).empty()) continue;
      const bool writes = std::exchange(first, false);
      mix_backward<Scalar>(expert, selection_of_[u], e, columns_of(u, weights),
                           dy.slot(static_cast<Index>(u)), writes ? dexpert : share,
                           columns_of(u, dweights), relu);
      if (!writes) add(share, dexpert);
    }
  }

  // Gates of all units that read one slot, without hidden layers, multiply as one.
  void join_gates(ParamTable& table) {
    if (units_.size() < 2 || gates_.size() != units_.size()) return;
    ParamTable::Joint joint;
    for (const Unit& unit : units_) {
      const auto* gate = gates_[static_cast<std::size_t>(unit.gate)].input_linear();
      if (gate == nullptr || unit.gate_slot != units_.front().gate_slot) return;
      joint.weights.push_back(gate->weight());
      if (const auto bias = gate->bias()) joint.biases.push_back(*bias);
    }
    joint_gates_ = joint.weights.front();
    table.join(std::move(joint));
  }
  const PackedWeight<Scalar>* packed_gates(ParamView<const Scalar> theta) const {
    return joint_gates_ ? theta.packed(*joint_gates_, selections_.columns()) : nullptr;
  }

  template <bool Record>
  void fuse(ParamView<const Scalar> theta, View3<const Scalar> x, View3<const Scalar> input,
            View3<Scalar> y, View3<Scalar> experts, View3<Scalar> gate_weights,
            Workspace* workspace, Scratch& scratch) const {
    const View3<const Scalar> gate_input = gates_read_input_ ? input : x;
    run<Record>(bank_, theta, x, experts, Record ? &workspace->bank : nullptr, scratch);
    const auto* joint = packed_gates(theta);
    if (joint != nullptr)
      linear(gate_input.slot(units_.front().gate_slot), *joint, nullptr, gate_weights);
    for (std::size_t u = 0; u < units_.size(); ++u) {
      const Unit& unit = units_[u];
      const auto g = static_cast<std::size_t>(unit.gate);
      const View3<Scalar> weights = columns_of(u, gate_weights);
      if (joint != nullptr) {
        gates_[g].normalise(weights);
      } else if (unit.has_gate()) {
        run<Record>(gates_[g], theta, gate_input.slot(unit.gate_slot), weights,
                    Record ? &workspace->gates[g] : nullptr, scratch);
      } else if (!gates_.empty()) {
        set_zero(weights);
      }
      if constexpr (Record)
        if (unit.has_gate())
          workspace->dropout.apply(weights, selections_.first(static_cast<Index>(u)));
    }
    mix<Scalar>(experts, selections_, mixing_weights(theta, gate_weights, scratch), y);
  }

  // g + s for every unit: the gates' own numbers when no unit has static weights, one row for all
  // samples when none has a gate, else from scratch.
  View3<const Scalar> mixing_weights(ParamView<const Scalar> theta,
                                     View3<const Scalar> gate_weights, Scratch& scratch) const {
    if (!has_statics_) return gate_weights;
    const auto statics = scratch.take<Scalar>(1, 1, selections_.columns());
    static_weights(theta, statics);
    if (gates_.empty()) return {statics.data(), gate_weights.batch(), 1, statics.dim(), 0, 0};
    const auto weights = scratch.take<Scalar>(gate_weights.batch(), 1, statics.dim());
    weights.of_slot(0) =
        gate_weights.of_slot(0).rowwise() + VectorMap<const Scalar>(statics.data(), statics.dim());
    return weights;
  }

  // The unit's columns of all units' weights, and those of them that have static weights.
  template <class T>
  View3<T> columns_of(std::size_t u, View3<T> all) const {
    const auto unit = static_cast<Index>(u);
    return all.columns(selections_.first(unit), selections_.count(unit));
  }
  template <class T>
  static View3<T> statics_of(const StaticRoute& route, View3<T> of_unit) {
    return of_unit.columns(route.first, route.count);
  }

  ExpertBank<Expert> bank_;
  std::vector<Gate<GateBody>> gates_;
  std::vector<Unit> units_;
  Selections selections_;                 // of all units, gated or not
  std::vector<Selections> selection_of_;  // of each unit alone
  std::optional<ParamId> joint_gates_;    // the first of the weights that were joined
  bool has_statics_ = false;
  bool gates_read_input_;
};

}  // namespace plait
