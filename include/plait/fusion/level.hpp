// FusionLevel: the one level behind every multi-task architecture.
//
// A level maps slots to units. Its bank of experts reads the state x; each unit mixes the experts
// that it selects with the weights of its gate (if any) plus static weights (if any):
//
//   E_e = expert_e(x[slot(e)])                          e = 0 ... experts - 1
//   g_u = gate_u(x[gate slot(u)])                       or of the model's input (multi-level MMoE),
//                                                       or of several slots side by side
//   y_u = Σ_j (g_u,j + s_u,j) E_selection(u)_j
//
// Shared bottom, cross-stitch, MMoE, multi-level MMoE, CGC, PLE, AdaTT-sp and AdaTT differ only in
// the LevelRoute. The backward is P1 to P5 of docs/mathematics.md, once.
#pragma once
#include <algorithm>
#include <cstddef>
#include <functional>
#include <iterator>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/layer.hpp"
#include "plait/core/reach.hpp"
#include "plait/core/watch.hpp"
#include "plait/core/workspace.hpp"
#include "plait/fusion/bank.hpp"
#include "plait/fusion/dropout.hpp"
#include "plait/fusion/route.hpp"
#include "plait/kernels/mix.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/kernels/selections.hpp"
#include "plait/layers/gate.hpp"

namespace plait {

template <class Scalar_>
class FusionLevel {
 public:
  using Scalar = Scalar_;
  struct Workspace {
    typename ExpertBank<Scalar>::Workspace bank;
    std::vector<typename Gate<Scalar>::Workspace> gates;
    Tensor<Scalar> experts;       // E [B, E, H]
    Tensor<Scalar> gate_weights;  // g of all units side by side [B, 1, Σ_u n_u], 0 without a gate
  };

  // `state` is the shape of x, `input` that of the model's input. Throws ConfigError for routes
  // that lead nowhere: slots, experts or positions that are not there, units that nothing weighs.
  PLAIT_COLD FusionLevel(ParamTable& table, const LevelPlan& plan, Shape state, Shape input)
      : bank_(table, plan.route.experts, state, plan.expert),
        gates_read_input_(plan.route.gates_read_input) {
    const Shape gate_input = gates_read_input_ ? input : state;
    std::vector<std::vector<Index>> selected;
    for (const UnitRoute& route : plan.route.units) {
      check(route, gate_input);
      table.spend_terms(std::ssize(route.experts), bank_.out_shape().dim, "FusionLevel");
      selected.push_back(route.experts);
      Unit& unit = units_.emplace_back();
      unit.statics = route.statics;
      unit.stopped = route.stopped;
      has_statics_ = has_statics_ || route.statics.has_value();
      has_stopped_ = has_stopped_ || !route.stopped.empty();
      if (!route.gate) continue;
      unit.gate = std::ssize(gates_);
      unit.gate_slots = {route.gate->slot};
      std::ranges::copy(route.gate->more_slots, std::back_inserter(unit.gate_slots));
      const Index before = table.buffer_size();
      gates_.emplace_back(table, route.gate->body, route.gate->linear,
                          gate_input.dim * std::ssize(unit.gate_slots), std::ssize(route.experts),
                          plan.gate);
      unit.gate_params = table.range_from(before);
      leaves_out_ = leaves_out_ || gates_.back().leaves_out();
    }
    require_config(!units_.empty(), "FusionLevel", "units", "none", "at least one");
    table.spend_activations(std::ssize(units_), out_shape().dim, "FusionLevel");
    selections_ = Selections(selected, bank_.size());
    join_gates(table);
  }

  Shape in_shape() const { return bank_.in_shape(); }
  Shape out_shape() const { return {std::ssize(units_), bank_.out_shape().dim}; }

  // Of the level's experts and gates, and of those gates alone that read the model's input.
  bool visit_input_linears(VisitLinear visit) const {
    return bank_.visit_input_linears(visit) && visit_gate_linears(visit);
  }
  // False for a gate that reads several slots: its weights have other columns than the input.
  bool visit_gate_linears(VisitLinear visit) const {
    return std::ranges::all_of(units_, [&](const Unit& unit) {
      return !unit.has_gate() ||
             (unit.reads_one_slot() && gate_of(unit).visit_input_linears(visit));
    });
  }
  bool gates_read_input() const { return gates_read_input_; }
  bool draws() const {
    return bank_.draws() ||
           std::ranges::any_of(gates_, [](const auto& gate) { return gate.draws(); });
  }

  // As core/watch.hpp has it.
  PLAIT_COLD WatchedLevel watched() const {
    WatchedLevel result{.experts = bank_.size()};
    for (std::size_t u = 0; u < units_.size(); ++u) {
      auto& selection = result.selections.emplace_back();
      for (Index j = 0; j < selections_.count(static_cast<Index>(u)); ++j)
        selection.push_back(expert_at(u, j));
      result.gated.push_back(units_[u].has_gate());
      result.stopped.push_back(units_[u].stopped);
    }
    return result;
  }
  void watch(ParamView<Scalar> theta, const Workspace& workspace, Scratch& scratch, Index level,
             ShowLevel<Scalar> show) const {
    const Scratch::Frame frame(scratch);
    const auto statics = scratch.take<Scalar>(1, 1, selections_.columns());
    static_weights(theta, statics);
    show(level, workspace.experts.slot_major(), workspace.gate_weights, statics);
  }

  // As core/reach.hpp has it; `live` units. Both the state and, where gates read it, the model's
  // input are reached.
  void reach(Flags live, std::span<bool> live_state, std::span<bool> live_input, MarkRange mark,
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
      if (!gate_of(unit).reads_input()) continue;
      for (const Index slot : unit.gate_slots)
        (gates_read_input_ ? live_input : live_state)[static_cast<std::size_t>(slot)] = true;
    }
  }

  // As the Layer concept's and core/reach.hpp's, with the model's `input` [B, S_0, D_0] beside the
  // level's state x [B, S, D]; y [B, U, H].
  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar> input,
               View3<Scalar> y, Workspace* workspace, Scratch& scratch,
               const ForwardOptions& options) const {
    const Scratch::Frame frame(scratch);
    const auto experts = keep_slot_major(part(workspace, &Workspace::experts), scratch, x.batch(),
                                         bank_.size(), y.dim());
    const auto gate_weights = keep(part(workspace, &Workspace::gate_weights), scratch, x.batch(), 1,
                                   selections_.columns());
    if (workspace != nullptr) at_least(workspace->gates, gates_.size());

    // Without a backward pass an expert is computed for the rows alone in which it has weight,
    // where gates leave some out: what is not finite there spoils no row that does without it.
    const bool some = workspace == nullptr && leaves_out_ && !(options.draws && bank_.draws());
    if (!some)
      bank_.forward(theta, x, experts, part(workspace, &Workspace::bank), scratch, options);
    const View3<const Scalar> gate_input = gates_read_input_ ? input : x;
    ForwardOptions own = options.inside(bank_.size());
    const auto* joint = packed_gates(theta);
    if (joint != nullptr)
      kernels::linear(gate_input.slot(units_.front().gate_slots.front()), *joint, nullptr,
                      gate_weights);
    for (std::size_t u = 0; u < units_.size(); ++u) {
      const Unit& unit = units_[u];
      const auto g = static_cast<std::size_t>(unit.gate);
      const View3<Scalar> weights = columns_of(u, gate_weights);
      if (joint != nullptr) {
        gates_[g].softmax()->normalise(weights);
      } else if (unit.has_gate()) {
        if (options.draws) own = options.inside(bank_.size() + unit.gate);
        gates_[g].forward(theta, read_by(unit, gate_input, scratch), weights,
                          part(workspace, &Workspace::gates, g), scratch, own);
      } else if (!gates_.empty()) {
        kernels::set_zero(weights);
      }
      if (unit.has_gate())
        drop_experts(options.expert_dropout, weights, options.first_row,
                     selections_.first(static_cast<Index>(u)), gates_[g].ends_in_softmax());
    }
    const View3<const Scalar> weights = mixing_weights(theta, gate_weights, scratch);
    const bool of_all = some && scratch.is_largest(this, x.batch());
    for (Index e = 0; some && e < bank_.size(); ++e) {
      const auto needs = [&](Index b) {
        return std::ranges::any_of(selections_.uses(e), [&](const Selections::Use& use) {
          return weights(b, 0, use.column) != 0;
        });
      };
      bank_.forward_some(e, needs, of_all, theta, x, experts, scratch, options);
    }
    kernels::mix<Scalar>(experts, selections_, weights, y);
  }

  // Overwrites dx and adds the gates' share to dinput when they read the input; either may be
  // empty.
  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar> input,
                View3<const Scalar> dy, View3<Scalar> dx, View3<Scalar> dinput,
                const Workspace& workspace, GradView<Scalar> grad, Scratch& scratch,
                Flags live = {}) const {
    const Scratch::Frame frame(scratch);
    const bool whole = std::ranges::all_of(live, std::identity());  // or empty
    const auto is_live = [&](std::size_t u) { return whole || live[u]; };
    const View3<const Scalar> experts = workspace.experts.slot_major();
    const View3<const Scalar> gate_weights = workspace.gate_weights;
    const auto dexperts =
        scratch.take_slot_major<Scalar>(x.batch(), kernels::experts_together, experts.dim());
    const auto dweights = scratch.take<Scalar>(x.batch(), 1, selections_.columns());
    const std::span<bool> written = take_flags(scratch, x.slots());

    // y_u = Σ_j (g_u,j + s_u,j) E_j, and E_e = expert_e(x[slot(e)])
    const View3<const Scalar> weights =
        passing_weights(mixing_weights(theta, gate_weights, scratch), scratch);
    const bool relu = bank_.ends_in_relu();
    const auto pass_on = [&](Index e, View3<const Scalar> dexpert) {
      bank_.backward_one(e, theta, x, experts, dexpert, dx, workspace.bank, grad, scratch, written,
                         relu);
    };
    if (whole) {
      kernels::mix_backward_each<Scalar>(experts, selections_, weights, dy, dexperts, dweights,
                                         relu, pass_on);
    } else {
      const Flags reached = experts_of(live, scratch);
      for (Index e = 0; e < bank_.size(); ++e) {
        const View3<Scalar> dexpert = dexperts.slot(0);
        const bool used = mix_backward_live(experts.slot(e), e, weights, dy, dexpert, dweights,
                                            scratch, live, relu);
        if (used && reached[static_cast<std::size_t>(e)]) pass_on(e, dexpert);
      }
    }
    for (std::size_t u = 0; u < units_.size(); ++u) {
      const auto& route = units_[u].statics;
      if (!is_live(u) || !route || !route->weights) continue;
      kernels::add_batch_sums<Scalar>(
          statics_of(*route, columns_of(u, View3<const Scalar>(dweights))),
          grad.add_to(*route->weights).data + route->row * route->weights->cols);
    }

    // g_u = gate_u(x[gate slot(u)])
    const View3<const Scalar> gate_input = gates_read_input_ ? input : x;
    const View3<Scalar> dgate_input = gates_read_input_ ? dinput : dx;
    for (std::size_t u = 0; u < units_.size(); ++u) {
      const Unit& unit = units_[u];
      if (!unit.has_gate() || !is_live(u)) continue;
      const auto g = static_cast<std::size_t>(unit.gate);
      if (!unit.reads_one_slot()) {
        backward_of_several(u, theta, gate_input, gate_weights, dweights, dgate_input, workspace,
                            grad, scratch, written);
        continue;
      }
      const Index slot = unit.gate_slots.front();
      const bool reads = gates_[g].reads_input();
      const bool adds = !reads || gates_read_input_ ||
                        std::exchange(written[static_cast<std::size_t>(slot)], true);
      gates_[g].backward(theta, gate_input.slot(slot), columns_of(u, gate_weights),
                         columns_of(u, View3<const Scalar>(dweights)),
                         reads && dgate_input ? dgate_input.slot(slot) : View3<Scalar>(),
                         workspace.gates[g], grad, scratch, {.adds_to_dx = adds});
    }
    if (whole) ExpertBank<Scalar>::clear_unwritten(written, dx);
  }

 private:
  struct Unit {
    std::optional<StaticRoute> statics{};
    std::vector<Index> stopped{};
    Index gate = -1;                  // index into gates_, or -1
    std::vector<Index> gate_slots{};  // that it reads
    ParamRange gate_params{};

    bool has_gate() const { return gate >= 0; }
    bool reads_one_slot() const { return gate_slots.size() == 1; }
    bool stops(Index position) const {
      return std::ranges::find(stopped, position) != stopped.end();
    }
  };

  PLAIT_COLD void check(const UnitRoute& unit, Shape gate_input) const {
    const auto require = [](bool condition, const char* argument, Index got, Index below) {
      if (!condition)
        throw ConfigError("FusionLevel", argument, text(got), text("at least 0, below ", below));
    };
    const auto inside = [](Index i, Index size) { return 0 <= i && i < size; };
    for (const Index e : unit.experts)
      require(inside(e, bank_.size()), "expert of a unit", e, bank_.size());
    const Index selected = std::ssize(unit.experts);
    for (const Index j : unit.stopped)
      require(inside(j, selected), "stopped position", j, selected);
    if (unit.gate) {
      require(inside(unit.gate->slot, gate_input.slots), "slot of a gate", unit.gate->slot,
              gate_input.slots);
      for (const Index slot : unit.gate->more_slots)
        require(inside(slot, gate_input.slots), "slot of a gate", slot, gate_input.slots);
    }
    if (unit.statics)
      require(unit.statics->first >= 0 && unit.statics->count >= 0 &&
                  unit.statics->first <= selected - unit.statics->count,
              "static weights up to", unit.statics->first + unit.statics->count, selected + 1);
    require_config(unit.gate || unit.statics, "FusionLevel", "unit",
                   "neither gate nor static weights", "one of them");
  }

  // s of all units side by side [1, 1, Σ_u n_u], 0 where a unit has none.
  void static_weights(ParamView<Scalar> theta, View3<Scalar> statics) const {
    kernels::set_zero(statics);
    for (std::size_t u = 0; u < units_.size(); ++u) {
      const auto& route = units_[u].statics;
      if (!route) continue;
      Scalar* const row = statics_of(*route, columns_of(u, statics)).data();
      if (route->weights) {
        std::copy_n(theta.data(*route->weights) + route->row * route->weights->cols, route->count,
                    row);
      } else {
        std::fill_n(row, route->count, Scalar(1));
      }
    }
  }

  // The expert at a position of the unit's selection.
  Index expert_at(std::size_t u, Index position) const {
    return selections_.expert(selections_.first(static_cast<Index>(u)) + position);
  }

  // The experts that live units select and pass a gradient to.
  std::span<bool> experts_of(Flags live, Scratch& scratch) const {
    const std::span<bool> experts = take_flags(scratch, bank_.size());
    for (std::size_t u = 0; u < units_.size(); ++u)
      for (Index j = 0; live[u] && j < selections_.count(static_cast<Index>(u)); ++j)
        if (!units_[u].stops(j)) experts[static_cast<std::size_t>(expert_at(u, j))] = true;
    return experts;
  }

  // mix_backward over the live units that select expert e, one after the other; false without any.
  bool mix_backward_live(View3<const Scalar> expert, Index e, View3<const Scalar> weights,
                         View3<const Scalar> dy, View3<Scalar> dexpert, View3<Scalar> dweights,
                         Scratch& scratch, Flags live, bool relu) const {
    const Scratch::Frame frame(scratch);
    const auto share = scratch.take<Scalar>(dexpert.batch(), 1, dexpert.dim());
    bool first = true;
    std::span<const Selections::Use> uses = selections_.uses(e);
    while (!uses.empty()) {
      const Index unit = uses.front().unit;
      const auto of_unit = uses.first(static_cast<std::size_t>(
          std::ranges::find_if(uses, [&](const auto& use) { return use.unit != unit; }) -
          uses.begin()));
      uses = uses.subspan(of_unit.size());
      if (!live[static_cast<std::size_t>(unit)]) continue;
      const bool writes = std::exchange(first, false);
      kernels::mix_backward<Scalar>(expert, of_unit, weights, dy, writes ? dexpert : share,
                                    dweights, relu);
      if (!writes) kernels::add(share, dexpert);
    }
    return !first;
  }

  const Gate<Scalar>& gate_of(const Unit& unit) const {
    return gates_[static_cast<std::size_t>(unit.gate)];
  }

  // What the unit's gate reads: a slot, or several side by side [B, 1, slots D].
  View3<const Scalar> read_by(const Unit& unit, View3<const Scalar> gate_input,
                              Scratch& scratch) const {
    if (unit.reads_one_slot()) return gate_input.slot(unit.gate_slots.front());
    const auto joined =
        scratch.take<Scalar>(gate_input.batch(), 1, std::ssize(unit.gate_slots) * gate_input.dim());
    Index column = 0;
    for (const Index slot : unit.gate_slots) {
      kernels::copy<Scalar>(gate_input.slot(slot), joined.columns(column, gate_input.dim()));
      column += gate_input.dim();
    }
    return joined;
  }
  // Backward of a gate that reads several slots: each of them takes its columns.
  void backward_of_several(std::size_t u, ParamView<Scalar> theta, View3<const Scalar> gate_input,
                           View3<const Scalar> gate_weights, View3<const Scalar> dweights,
                           View3<Scalar> dgate_input, const Workspace& workspace,
                           GradView<Scalar> grad, Scratch& scratch, std::span<bool> written) const {
    const Scratch::Frame frame(scratch);
    const Unit& unit = units_[u];
    const View3<const Scalar> joined = read_by(unit, gate_input, scratch);
    const bool passes = dgate_input && gate_of(unit).reads_input();
    View3<Scalar> djoined;
    if (passes) djoined = scratch.take<Scalar>(joined.batch(), 1, joined.dim());
    gate_of(unit).backward(theta, joined, columns_of(u, gate_weights), columns_of(u, dweights),
                           djoined, workspace.gates[static_cast<std::size_t>(unit.gate)], grad,
                           scratch);
    Index column = 0;
    for (const Index slot : unit.gate_slots) {
      if (!passes) break;
      const View3<Scalar> from = djoined.columns(column, gate_input.dim());
      column += gate_input.dim();
      const bool adds =
          gates_read_input_ || std::exchange(written[static_cast<std::size_t>(slot)], true);
      if (adds)
        kernels::add<Scalar>(from, dgate_input.slot(slot));
      else
        kernels::copy<Scalar>(from, dgate_input.slot(slot));
    }
  }

  // Softmax gates of all units that read one slot, without hidden layers, multiply as one.
  PLAIT_COLD void join_gates(ParamTable& table) {
    if (units_.size() < 2 || gates_.size() != units_.size()) return;
    ParamTable::Joint joint;
    for (const Unit& unit : units_) {
      const auto* gate = gate_of(unit).plain_softmax();
      if (gate == nullptr || !unit.reads_one_slot() || unit.gate_slots != units_.front().gate_slots)
        return;
      joint.weights.push_back(gate->linear().weight());
      if (const auto bias = gate->linear().bias()) joint.biases.push_back(*bias);
    }
    joint_gates_ = joint.weights.front();
    table.join(std::move(joint));
  }
  const PackedWeight<Scalar>* packed_gates(ParamView<Scalar> theta) const {
    return joint_gates_ ? theta.packed(*joint_gates_, selections_.columns()) : nullptr;
  }

  // g + s for every unit: the gates' own numbers when no unit has static weights, one row for all
  // samples when none has a gate, else from scratch.
  View3<const Scalar> mixing_weights(ParamView<Scalar> theta, View3<const Scalar> gate_weights,
                                     Scratch& scratch) const {
    if (!has_statics_) return gate_weights;
    const auto statics = scratch.take<Scalar>(1, 1, selections_.columns());
    static_weights(theta, statics);
    if (gates_.empty()) return {statics.data(), gate_weights.batch(), 1, statics.dim(), 0, 0};
    const auto weights = scratch.take<Scalar>(gate_weights.batch(), 1, statics.dim());
    kernels::copy(gate_weights, weights);
    for (Index b = 0; b < weights.batch(); ++b)
      kernels::add(weights.dim(), statics.data(), weights.row(b));
    return weights;
  }

  // The weights by which gradients flow back to the experts: 0 where a unit stops them.
  View3<const Scalar> passing_weights(View3<const Scalar> weights, Scratch& scratch) const {
    if (!has_stopped_) return weights;
    const auto passing = scratch.take<Scalar>(weights.batch(), 1, weights.dim());
    kernels::copy(weights, passing);
    for (std::size_t u = 0; u < units_.size(); ++u)
      for (const Index j : units_[u].stopped)
        kernels::set_zero(columns_of(u, passing).columns(j, 1));
    return passing;
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

  ExpertBank<Scalar> bank_;
  std::vector<Gate<Scalar>> gates_;
  std::vector<Unit> units_;
  Selections selections_;               // of all units, gated or not
  std::optional<ParamId> joint_gates_;  // the first of the weights that were joined
  bool has_statics_ = false;
  bool has_stopped_ = false;
  bool leaves_out_ = false;  // some gate does
  bool gates_read_input_;
};

}  // namespace plait
