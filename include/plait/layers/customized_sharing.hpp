// Customized sharing: a network per task beside one for all; towers see both.
//                                                               x [B, 1, D] -> y [B, T, 2H]
//   y_t = [network_t(x); shared(x)]
//
// Parameters: bottoms.{t}.mlp_net.{2j}.weight|bias, shared_bottom.mlp_net.{2j}.weight|bias.
// Source: Tang et al. (PLE), RecSys 2020, figure 1(c) and section 3.2.
#pragma once
#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "plait/core/reach.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/layers/expert_bank.hpp"
#include "plait/layers/mlp.hpp"
#include "plait/layers/routing.hpp"

namespace plait {

template <class Scalar_, Body Expert_ = MLP<Scalar_>>
class CustomizedSharing {
 public:
  using Scalar = Scalar_;
  struct Config {
    Index input_dim = 0;
    Index num_tasks = 0;
    typename Expert_::Config expert{};  // every network's layers
  };
  struct Workspace {
    typename ExpertBank<Expert_>::Workspace bank;
    Tensor<Scalar> networks;  // [B, T + 1, H], the shared one last
  };

  // Throws ConfigError for sizes below 1.
  CustomizedSharing(ParamTable& table, const std::string& name, const Config& config)
      : num_tasks_(config.num_tasks),
        bank_(table, routes(name, config), {1, config.input_dim}, config.expert) {}

  Shape in_shape() const { return bank_.in_shape(); }
  Shape out_shape() const { return {num_tasks_, 2 * width()}; }
  Index num_networks() const { return bank_.size(); }

  template <class F>
  bool visit_input_linears(const F& f) const {
    return bank_.visit_input_linears(f);
  }

  // As core/reach.hpp has it.
  template <class Mark>
  bool reach(Live live, std::span<bool> live_in, const Mark& mark, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    return bank_.reach(networks_of(live, scratch), live_in, mark, scratch);
  }

  void infer(ParamView<const Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
             Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const auto networks = scratch.take_slot_major<Scalar>(x.batch(), bank_.size(), width());
    bank_.infer(theta, x, networks, scratch);
    concatenate(networks, y);
  }
  void forward(ParamView<const Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace& workspace, Scratch& scratch) const {
    workspace.networks.resize(x.batch(), bank_.size(), width());
    bank_.forward(theta, x, workspace.networks.slot_major(), workspace.bank, scratch);
    concatenate(workspace.networks.slot_major(), y);
  }

  void backward(ParamView<const Scalar> theta, View3<const Scalar> x, View3<const Scalar>,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                ParamView<Scalar> grad, Scratch& scratch, Live live = {}) const {
    const Scratch::Frame frame(scratch);
    // y_t = [networks_t; networks_T]
    const auto dnetworks = scratch.take_slot_major<Scalar>(x.batch(), bank_.size(), width());
    if (live.empty()) {
      copy(dy.columns(0, width()), dnetworks.slot_range(0, num_tasks_));
      sum_slots(dy.columns(width(), width()), dnetworks.slot(num_tasks_));
    } else {
      set_zero(dnetworks.slot(num_tasks_));
      for (Index t = 0; t < num_tasks_; ++t) {
        if (!live[static_cast<std::size_t>(t)]) continue;
        copy<Scalar>(dy.slot(t).columns(0, width()), dnetworks.slot(t));
        add<Scalar>(dy.slot(t).columns(width(), width()), dnetworks.slot(num_tasks_));
      }
      live = networks_of(live, scratch);
    }
    bank_.backward(theta, x, workspace.networks.slot_major(), dnetworks, dx, workspace.bank, grad,
                   scratch, live);
  }

 private:
  static std::vector<ExpertRoute> routes(const std::string& name, const Config& config) {
    check_trunk("CustomizedSharing", config.input_dim, config.num_tasks, 1);
    std::vector<ExpertRoute> result;
    for (Index t = 0; t < config.num_tasks; ++t)
      result.push_back({join_name(name, text("bottoms.", t)), 0});
    result.push_back({join_name(name, "shared_bottom"), 0});
    return result;
  }
  // The networks that live tasks see.
  Live networks_of(Live live, Scratch& scratch) const {
    const std::span<bool> networks = take_flags(scratch, bank_.size());
    std::ranges::copy(live, networks.begin());
    networks.back() = std::ranges::any_of(live, std::identity());
    return networks;
  }
  Index width() const { return bank_.out_shape().dim; }

  void concatenate(View3<const Scalar> networks, View3<Scalar> y) const {
    copy(networks.slot_range(0, num_tasks_), y.columns(0, width()));
    copy(networks.slot(num_tasks_).broadcast(num_tasks_), y.columns(width(), width()));
  }

  Index num_tasks_;
  ExpertBank<Expert_> bank_;
};

static_assert(TellsReach<CustomizedSharing<float>>);

}  // namespace plait
