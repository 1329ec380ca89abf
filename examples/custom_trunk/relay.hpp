// Relay: tasks in a row, a network each; what a task has understood decides, number by number, how
// much of the next one's network gets through.                    x [B, 1, D] -> y [B, T, H]
//
//   h_t = network_t(x)
//   y_0 = h_0,   y_t = h_t ⊙ g_t,   g_t = σ(y_{t-1} Wᵀ + b)
//
// with one W for all pairs of tasks. A route mixes experts and cannot multiply them, so this is a
// layer of its own. Parameters: networks.{t}.mlp_net.{2j}.weight|bias, pass.mlp_net.0.weight|bias.
#pragma once
#include <algorithm>
#include <plait/plait.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

template <class Scalar>
class RelayNetworks;

struct Relay {
  plait::Index input_dim = 0;
  plait::Index num_tasks = 0;
  plait::Body expert{};  // every network's layers

  template <class Scalar>
  using Layer = RelayNetworks<Scalar>;
  // To be saved.
  static constexpr std::string_view name = "Relay";
  void fields(plait::FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("expert", expert);
  }
};

template <class Scalar_>
class RelayNetworks {
 public:
  using Scalar = Scalar_;
  using Values = plait::ParamView<Scalar>;
  using In = plait::View3<const Scalar>;
  using Out = plait::View3<Scalar>;
  using Index = plait::Index;

  struct Workspace {
    typename plait::ExpertBank<Scalar>::Workspace bank;
    plait::Tensor<Scalar> networks;  // h [B, T, H]
    plait::Tensor<Scalar> passed;    // g [B, T, H], from task 1 on
    // Of `pass`, which is called once per task: a workspace holds what one call recorded.
    std::vector<typename plait::Network<Scalar>::Workspace> calls;
  };

  // Throws plait::ConfigError for sizes below 1.
  RelayNetworks(plait::ParamTable& table, const std::string& prefix, const Relay& config)
      : bank_(table, routes(table, prefix, config), {1, config.input_dim}, config.expert),
        pass_params_{table.buffer_size(), 0},
        pass_(plait::Body({width()}, plait::Activation::sigmoid)
                  .build<Scalar>(table, plait::join_name(prefix, "pass"), width())) {
    pass_params_ = table.range_from(pass_params_.offset);
  }

  plait::Shape in_shape() const { return bank_.in_shape(); }
  plait::Shape out_shape() const { return bank_.out_shape(); }

  // As what is inside: dropout, say.
  bool draws() const { return bank_.draws(); }

  // The networks alone read x.
  bool visit_input_linears(plait::VisitLinear visit) const {
    return bank_.visit_input_linears(visit);
  }

  // One level of networks, which no unit weighs.
  std::vector<plait::WatchedLevel> watched() const { return {{.experts = bank_.size()}}; }
  void watch(Values, const Workspace& workspace, plait::Scratch&,
             plait::ShowLevel<Scalar> show) const {
    show(0, workspace.networks.slot_major(), {}, {});
  }

  // A task's gradient reaches its own network, those of the tasks before it, and what is between.
  bool reach(plait::Flags live, std::span<bool> live_in, plait::MarkRange mark,
             plait::Scratch& scratch) const {
    const plait::Scratch::Frame frame(scratch);
    if (last_of(live) > 0) mark(pass_params_);
    return bank_.reach(networks_of(live, scratch), live_in, mark, scratch);
  }

  void forward(Values theta, In x, Out y, Workspace* workspace, plait::Scratch& scratch,
               const plait::ForwardOptions& options = {}) const {
    const plait::Scratch::Frame frame(scratch);
    const auto h = keep_slot_major(part(workspace, &Workspace::networks), scratch, x.batch(),
                                   y.slots(), y.dim());
    const auto g = keep_slot_major(part(workspace, &Workspace::passed), scratch, x.batch(),
                                   y.slots(), y.dim());
    if (workspace != nullptr) workspace->calls.resize(static_cast<std::size_t>(y.slots()));
    bank_.forward(theta, x, h, part(workspace, &Workspace::bank), scratch, options);
    y.of_slot(0) = h.of_slot(0);
    for (Index t = 1; t < y.slots(); ++t) {
      pass_.forward(theta, y.slot(t - 1), g.slot(t),
                    part(workspace, &Workspace::calls, static_cast<std::size_t>(t)), scratch);
      y.of_slot(t) = h.of_slot(t).cwiseProduct(g.of_slot(t));
    }
  }

  // Of dy the live tasks alone are read; without `live` all are.
  void backward(Values theta, In x, In y, In dy, Out dx, const Workspace& workspace,
                plait::GradView<Scalar> grad, plait::Scratch& scratch,
                plait::Flags live = {}) const {
    const plait::Scratch::Frame frame(scratch);
    const In h = workspace.networks.slot_major();
    const In g = workspace.passed.slot_major();
    const auto dstate = scratch.take_slot_major<Scalar>(x.batch(), y.slots(), y.dim());
    const auto dh = scratch.take_slot_major<Scalar>(x.batch(), y.slots(), y.dim());
    const auto dg = scratch.take<Scalar>(x.batch(), 1, y.dim());
    const Index last = last_of(live);
    for (Index t = 0; t <= last; ++t) {
      if (live.empty() || live[static_cast<std::size_t>(t)]) {
        dstate.of_slot(t) = dy.of_slot(t);
      } else {
        dstate.of_slot(t).setZero();
      }
    }
    for (Index t = last; t > 0; --t) {
      // y_t = h_t ⊙ g_t
      dh.of_slot(t) = dstate.of_slot(t).cwiseProduct(g.of_slot(t));
      dg.of_slot(0) = dstate.of_slot(t).cwiseProduct(h.of_slot(t));
      // g_t = pass(y_{t-1}); y_{t-1} has its own gradient already, to which this one is added
      pass_.backward(theta, y.slot(t - 1), g.slot(t), dg, dstate.slot(t - 1),
                     workspace.calls[static_cast<std::size_t>(t)], grad, scratch,
                     {.adds_to_dx = true});
    }
    if (last >= 0) dh.of_slot(0) = dstate.of_slot(0);
    bank_.backward(theta, x, h, dh, dx, workspace.bank, grad, scratch,
                   live.empty() ? live : networks_of(live, scratch));
  }

 private:
  static std::vector<plait::ExpertRoute> routes(const plait::ParamTable& table,
                                                const std::string& prefix, const Relay& config) {
    plait::check_trunk(table, "Relay", config.input_dim, config.num_tasks, 1);
    std::vector<plait::ExpertRoute> result;
    for (Index t = 0; t < config.num_tasks; ++t)
      result.push_back({plait::join_name(prefix, plait::text("networks.", t))});
    return result;
  }
  Index width() const { return bank_.out_shape().dim; }

  // The last live task, -1 without one.
  Index last_of(plait::Flags live) const {
    Index last = bank_.size() - 1;
    while (!live.empty() && last >= 0 && !live[static_cast<std::size_t>(last)]) --last;
    return last;
  }
  plait::Flags networks_of(plait::Flags live, plait::Scratch& scratch) const {
    const std::span<bool> networks = take_flags(scratch, bank_.size());
    std::ranges::fill(networks.first(static_cast<std::size_t>(last_of(live) + 1)), true);
    return networks;
  }

  plait::ExpertBank<Scalar> bank_;
  plait::ParamRange pass_params_;
  plait::Network<Scalar> pass_;
};

static_assert(plait::DescribesTrunk<Relay, float>);
static_assert(plait::TellsReach<RelayNetworks<float>> && plait::Watchable<RelayNetworks<float>>);
