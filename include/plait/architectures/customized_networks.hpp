// CustomizedNetworks: what computes CustomizedSharing (architectures/customized_sharing.hpp has the
// equations). A layer of its own rather than a route, because it joins.
#pragma once
#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "plait/architectures/customized_sharing.hpp"
#include "plait/core/reach.hpp"
#include "plait/core/watch.hpp"
#include "plait/core/workspace.hpp"
#include "plait/fusion/bank.hpp"
#include "plait/fusion/units.hpp"
#include "plait/kernels/reduce.hpp"

namespace plait {

template <class Scalar_>
class CustomizedNetworks {
 public:
  using Scalar = Scalar_;
  struct Workspace {
    typename ExpertBank<Scalar>::Workspace bank;
    Tensor<Scalar> networks;  // [B, T + 1, H], the shared one last
  };

  // Throws ConfigError for sizes below 1.
  CustomizedNetworks(ParamTable& table, const std::string& name, const CustomizedSharing& config)
      : num_tasks_(config.num_tasks),
        bank_(table, routes(table, name, config), {1, config.input_dim}, config.expert) {
    table.spend_activations(num_tasks_, width(), "CustomizedSharing");
    table.spend_activations(num_tasks_, width(), "CustomizedSharing");
  }

  Shape in_shape() const { return bank_.in_shape(); }
  Shape out_shape() const { return {num_tasks_, 2 * width()}; }
  bool draws() const { return bank_.draws(); }
  bool visit_input_linears(VisitLinear visit) const { return bank_.visit_input_linears(visit); }

  // As core/watch.hpp has it: one level, of networks and without units.
  std::vector<WatchedLevel> watched() const { return {{.experts = bank_.size()}}; }
  void watch(ParamView<Scalar>, const Workspace& workspace, Scratch&,
             ShowLevel<Scalar> show) const {
    show(0, workspace.networks.slot_major(), {}, {});
  }

  // As core/reach.hpp has it.
  bool reach(Flags live, std::span<bool> live_in, MarkRange mark, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    return bank_.reach(networks_of(live, scratch), live_in, mark, scratch);
  }

  // x [B, 1, D], y [B, T, 2H].
  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace* workspace, Scratch& scratch, const ForwardOptions& options = {}) const {
    const Scratch::Frame frame(scratch);
    const View3<const Scalar> networks = compute_networks(theta, x, workspace, scratch, options);
    kernels::copy(networks.slot_range(0, num_tasks_), y.columns(0, width()));
    kernels::copy(networks.slot(num_tasks_).broadcast(num_tasks_), y.columns(width(), width()));
  }

  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar>,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                GradView<Scalar> grad, Scratch& scratch, Flags live = {}) const {
    const Scratch::Frame frame(scratch);
    // y_t = [networks_t; networks_T]
    const auto dnetworks = scratch.take_slot_major<Scalar>(x.batch(), bank_.size(), width());
    if (live.empty()) {
      kernels::copy(dy.columns(0, width()), dnetworks.slot_range(0, num_tasks_));
      kernels::sum_slots(dy.columns(width(), width()), dnetworks.slot(num_tasks_));
    } else {
      kernels::set_zero(dnetworks.slot(num_tasks_));
      for (Index t = 0; t < num_tasks_; ++t) {
        if (!live[static_cast<std::size_t>(t)]) continue;
        kernels::copy<Scalar>(dy.slot(t).columns(0, width()), dnetworks.slot(t));
        kernels::add<Scalar>(dy.slot(t).columns(width(), width()), dnetworks.slot(num_tasks_));
      }
      live = networks_of(live, scratch);
    }
    bank_.backward(theta, x, workspace.networks.slot_major(), dnetworks, dx, workspace.bank, grad,
                   scratch, live);
  }

 private:
  static std::vector<ExpertRoute> routes(const ParamTable& table, const std::string& name,
                                         const CustomizedSharing& config) {
    check_trunk(table, "CustomizedSharing", config.input_dim, config.num_tasks, 1);
    std::vector<ExpertRoute> result;
    for (Index t = 0; t < config.num_tasks; ++t)
      result.push_back({join_name(name, text("bottoms.", t)), 0});
    result.push_back({join_name(name, "shared_bottom"), 0});
    return result;
  }
  // The networks that live tasks see.
  Flags networks_of(Flags live, Scratch& scratch) const {
    const std::span<bool> networks = take_flags(scratch, bank_.size());
    std::ranges::copy(live, networks.begin());
    networks.back() = std::ranges::any_of(live, std::identity());
    return networks;
  }
  Index width() const { return bank_.out_shape().dim; }

  View3<Scalar> compute_networks(ParamView<Scalar> theta, View3<const Scalar> x,
                                 Workspace* workspace, Scratch& scratch,
                                 const ForwardOptions& options) const {
    const auto networks = keep_slot_major(part(workspace, &Workspace::networks), scratch, x.batch(),
                                          bank_.size(), width());
    bank_.forward(theta, x, networks, part(workspace, &Workspace::bank), scratch, options);
    return networks;
  }

  Index num_tasks_;
  ExpertBank<Scalar> bank_;
};

static_assert(TellsReach<CustomizedNetworks<float>> && Watchable<CustomizedNetworks<float>>);

}  // namespace plait
