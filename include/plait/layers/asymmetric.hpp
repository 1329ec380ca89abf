// Asymmetric sharing: a network per task; along a directed graph, a task also sees others'.
//                                                               x [B, 1, D] -> y [B, T, H]
//   h_t = network_t(x),   S_t = sources(t)
//   concat   y_t = [h_t; sg(h_s) for s in S_t] Pᵀ + p    (y_t = h_t when S_t is empty)
//   sum      y_t = h_t + Σ_s sg(h_s)
//   mean     y_t = (h_t + Σ_s sg(h_s)) / (1 + |S_t|)
//
// sg is the stop-gradient: on by default, so that a task learns from its sources without disturbing
// them; `stop_gradient = false` lets the gradient through. The paper draws the arrows and gives no
// equation; the projection and the stop-gradient are one published realisation of it.
// Parameters: bottoms.{t}.mlp_net.{2j}.weight|bias; with concat projections.{t}.weight
// [H, (1 + |S_t|) H] and .bias for tasks with sources.
// Source: Tang et al. (PLE), RecSys 2020, figure 1(b) and section 3.2.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plait/core/reach.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/layers/expert_bank.hpp"
#include "plait/layers/linear.hpp"
#include "plait/layers/mlp.hpp"
#include "plait/layers/routing.hpp"

namespace plait {

enum class Fusion { concat, sum, mean };

template <class Scalar_, Body Expert_ = MLP<Scalar_>>
class AsymmetricSharing {
 public:
  using Scalar = Scalar_;
  struct Config {
    Index input_dim = 0;
    Index num_tasks = 0;
    typename Expert_::Config expert{};          // every network's layers
    std::vector<std::vector<Index>> sources{};  // for each task, the tasks that it sees
    Fusion fusion = Fusion::concat;
    bool stop_gradient = true;
  };
  struct Workspace {
    typename ExpertBank<Expert_>::Workspace bank;
    Tensor<Scalar> networks;                   // h [B, T, H]
    std::vector<Tensor<Scalar>> concatenated;  // per task [B, 1, (1 + |S_t|) H]
  };

  // Throws ConfigError for sizes below 1, and unless sources has one list per task, each of other
  // tasks without repetition.
  AsymmetricSharing(ParamTable& table, const std::string& name, const Config& config)
      : sources_(config.sources),
        fusion_(config.fusion),
        stop_gradient_(config.stop_gradient),
        bank_(table, routes(name, config), {1, config.input_dim}, config.expert),
        projections_(sources_.size()) {
    for (std::size_t t = 0; t < sources_.size(); ++t) {
      const Index before = table.buffer_size();
      if (projects(t))
        projections_[t].emplace(table, join_name(name, text("projections.", t)),
                                concatenated_width(t), width());
      projection_params_.push_back(table.range_from(before));
    }
  }

  Shape in_shape() const { return bank_.in_shape(); }
  Shape out_shape() const { return bank_.out_shape(); }
  Index num_networks() const { return bank_.size(); }

  template <class F>
  bool visit_input_linears(const F& f) const {
    return bank_.visit_input_linears(f);
  }

  // As core/reach.hpp has it.
  template <class Mark>
  bool reach(Live live, std::span<bool> live_in, const Mark& mark, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    for (std::size_t t = 0; t < sources_.size(); ++t)
      if (live[t] && projects(t)) mark(projection_params_[t]);
    return bank_.reach(networks_of(live, scratch), live_in, mark, scratch);
  }

  void infer(ParamView<const Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
             Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const auto networks = scratch.take_slot_major<Scalar>(x.batch(), bank_.size(), width());
    bank_.infer(theta, x, networks, scratch);
    fuse<false>(theta, networks, y, nullptr, scratch);
  }
  void forward(ParamView<const Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace& workspace, Scratch& scratch) const {
    workspace.networks.resize(x.batch(), bank_.size(), width());
    workspace.concatenated.resize(sources_.size());
    bank_.forward(theta, x, workspace.networks.slot_major(), workspace.bank, scratch);
    fuse<true>(theta, workspace.networks.slot_major(), y, &workspace, scratch);
  }

  void backward(ParamView<const Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                ParamView<Scalar> grad, Scratch& scratch, Live live = {}) const {
    const Scratch::Frame frame(scratch);
    const auto dnetworks = scratch.take_slot_major<Scalar>(x.batch(), bank_.size(), width());
    set_zero(dnetworks);
    for (std::size_t t = 0; t < sources_.size(); ++t) {
      if (!live.empty() && !live[t]) continue;
      const Scratch::Frame task_frame(scratch);
      const auto task = static_cast<Index>(t);
      const View3<const Scalar> upstream = dy.slot(task);
      if (projects(t)) {
        // y_t = [h_t; h_s ...] Pᵀ + p
        const View3<const Scalar> joined = workspace.concatenated[t];
        const auto djoined = scratch.take<Scalar>(x.batch(), 1, joined.dim());
        projections_[t]->backward(theta, joined, y.slot(task), upstream, djoined, {}, grad,
                                  scratch);
        add(djoined.columns(0, width()), dnetworks.slot(task));
        if (stop_gradient_) continue;
        Index column = width();
        for (const Index s : sources_[t]) {
          add(djoined.columns(column, width()), dnetworks.slot(s));
          column += width();
        }
      } else {
        // y_t = scale (h_t + Σ_s h_s)
        add_scaled(scale(t), upstream, dnetworks.slot(task));
        if (stop_gradient_) continue;
        for (const Index s : sources_[t]) add_scaled(scale(t), upstream, dnetworks.slot(s));
      }
    }
    bank_.backward(theta, x, workspace.networks.slot_major(), dnetworks, dx, workspace.bank, grad,
                   scratch, live.empty() ? live : networks_of(live, scratch));
  }

 private:
  static std::vector<ExpertRoute> routes(const std::string& name, const Config& config) {
    check_trunk("AsymmetricSharing", config.input_dim, config.num_tasks, 1);
    const Index tasks = config.num_tasks;
    require_config(static_cast<Index>(config.sources.size()) == tasks, "AsymmetricSharing",
                   "sources", text(config.sources.size(), " lists"), text(tasks, ", one per task"));
    std::vector<ExpertRoute> result;
    for (Index t = 0; t < tasks; ++t) {
      std::vector<bool> seen(static_cast<std::size_t>(tasks), false);
      for (const Index s : config.sources[static_cast<std::size_t>(t)]) {
        const bool another = 0 <= s && s < tasks && s != t;
        require_config(another && !seen[static_cast<std::size_t>(s)], "AsymmetricSharing",
                       text("sources of task ", t), text(s), "other tasks, each once");
        seen[static_cast<std::size_t>(s)] = true;
      }
      result.push_back({join_name(name, text("bottoms.", t)), 0});
    }
    return result;
  }

  // The networks that the gradient of live tasks flows to.
  Live networks_of(Live live, Scratch& scratch) const {
    const std::span<bool> networks = take_flags(scratch, bank_.size());
    for (std::size_t t = 0; t < sources_.size(); ++t) {
      if (!live[t]) continue;
      networks[t] = true;
      if (stop_gradient_) continue;
      for (const Index s : sources_[t]) networks[static_cast<std::size_t>(s)] = true;
    }
    return networks;
  }
  Index width() const { return bank_.out_shape().dim; }
  bool projects(std::size_t t) const { return fusion_ == Fusion::concat && !sources_[t].empty(); }
  Index concatenated_width(std::size_t t) const {
    return (1 + static_cast<Index>(sources_[t].size())) * width();
  }
  Scalar scale(std::size_t t) const {
    return fusion_ == Fusion::mean ? 1 / static_cast<Scalar>(1 + sources_[t].size()) : Scalar(1);
  }

  template <bool Record>
  void fuse(ParamView<const Scalar> theta, View3<const Scalar> networks, View3<Scalar> y,
            Workspace* workspace, Scratch& scratch) const {
    for (std::size_t t = 0; t < sources_.size(); ++t) {
      const Scratch::Frame frame(scratch);
      const auto task = static_cast<Index>(t);
      const View3<Scalar> out = y.slot(task);
      if (projects(t)) {
        View3<Scalar> joined;
        if constexpr (Record) {
          workspace->concatenated[t].resize(y.batch(), 1, concatenated_width(t));
          joined = workspace->concatenated[t];
        } else {
          joined = scratch.take<Scalar>(y.batch(), 1, concatenated_width(t));
        }
        copy(networks.slot(task), joined.columns(0, width()));
        Index column = width();
        for (const Index s : sources_[t]) {
          copy(networks.slot(s), joined.columns(column, width()));
          column += width();
        }
        projections_[t]->infer(theta, joined, out, scratch);
      } else {
        set_zero(out);
        add_scaled(scale(t), networks.slot(task), out);
        for (const Index s : sources_[t]) add_scaled(scale(t), networks.slot(s), out);
      }
    }
  }

  std::vector<std::vector<Index>> sources_;
  Fusion fusion_;
  bool stop_gradient_;
  ExpertBank<Expert_> bank_;
  std::vector<std::optional<Linear<Scalar>>> projections_;
  std::vector<ParamRange> projection_params_;
};

static_assert(TellsReach<AsymmetricSharing<float>>);

}  // namespace plait
