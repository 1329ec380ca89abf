// AsymmetricNetworks: what computes AsymmetricSharing (architectures/asymmetric.hpp has the
// equations). A layer of its own rather than a route, because it joins and projects.
#pragma once
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plait/architectures/asymmetric.hpp"
#include "plait/core/reach.hpp"
#include "plait/core/watch.hpp"
#include "plait/core/workspace.hpp"
#include "plait/fusion/bank.hpp"
#include "plait/fusion/units.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/layers/linear.hpp"

namespace plait {

template <class Scalar_>
class AsymmetricNetworks {
 public:
  using Scalar = Scalar_;
  struct Workspace {
    typename ExpertBank<Scalar>::Workspace bank;
    Tensor<Scalar> networks;                   // h [B, T, H]
    std::vector<Tensor<Scalar>> concatenated;  // per task [B, 1, (1 + |S_t|) H]
  };

  // Throws ConfigError for sizes below 1, and unless sources has one list per task, each of other
  // tasks without repetition.
  AsymmetricNetworks(ParamTable& table, const std::string& name, const AsymmetricSharing& config)
      : sources_(config.sources),
        fusion_(config.fusion),
        stop_gradient_(config.stop_gradient),
        bank_(table, routes(table, name, config), {1, config.input_dim}, config.expert),
        projections_(sources_.size()) {
    table.spend_activations(std::ssize(sources_), width(), "AsymmetricSharing");
    for (std::size_t t = 0; t < sources_.size(); ++t) {
      table.spend_terms(1 + std::ssize(sources_[t]), width(), "AsymmetricSharing");
      const Index before = table.buffer_size();
      if (projects(t))
        projections_[t].emplace(table, join_name(name, text("projections.", t)),
                                concatenated_width(t), width());
      projection_params_.push_back(table.range_from(before));
    }
  }

  Shape in_shape() const { return bank_.in_shape(); }
  Shape out_shape() const { return bank_.out_shape(); }
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
    for (std::size_t t = 0; t < sources_.size(); ++t)
      if (live[t] && projects(t)) mark(projection_params_[t]);
    return bank_.reach(networks_of(live, scratch), live_in, mark, scratch);
  }

  // x [B, 1, D], y [B, T, H].
  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace* workspace, Scratch& scratch, const ForwardOptions& options = {}) const {
    const Scratch::Frame frame(scratch);
    const auto networks = keep_slot_major(part(workspace, &Workspace::networks), scratch, x.batch(),
                                          bank_.size(), width());
    if (workspace != nullptr) workspace->concatenated.resize(sources_.size());
    bank_.forward(theta, x, networks, part(workspace, &Workspace::bank), scratch, options);
    for (std::size_t t = 0; t < sources_.size(); ++t) {
      const Scratch::Frame task_frame(scratch);
      const auto task = static_cast<Index>(t);
      const View3<Scalar> out = y.slot(task);
      if (projects(t)) {
        const View3<Scalar> joined = keep(part(workspace, &Workspace::concatenated, t), scratch,
                                          x.batch(), 1, concatenated_width(t));
        kernels::copy<Scalar>(networks.slot(task), joined.columns(0, width()));
        Index column = width();
        for (const Index s : sources_[t]) {
          kernels::copy<Scalar>(networks.slot(s), joined.columns(column, width()));
          column += width();
        }
        projections_[t]->apply(theta, joined, out, Activation::identity);
      } else {
        kernels::set_zero(out);
        kernels::add_scaled<Scalar>(scale(t), networks.slot(task), out);
        for (const Index s : sources_[t])
          kernels::add_scaled<Scalar>(scale(t), networks.slot(s), out);
      }
    }
  }

  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                GradView<Scalar> grad, Scratch& scratch, Flags live = {}) const {
    const Scratch::Frame frame(scratch);
    const auto dnetworks = scratch.take_slot_major<Scalar>(x.batch(), bank_.size(), width());
    kernels::set_zero(dnetworks);
    for (std::size_t t = 0; t < sources_.size(); ++t) {
      if (!live.empty() && !live[t]) continue;
      const Scratch::Frame task_frame(scratch);
      const auto task = static_cast<Index>(t);
      const View3<const Scalar> upstream = dy.slot(task);
      if (projects(t)) {
        // y_t = [h_t; h_s ...] Pᵀ + p
        const View3<const Scalar> joined = workspace.concatenated[t];
        const View3<Scalar> djoined = scratch.take<Scalar>(x.batch(), 1, joined.dim());
        projections_[t]->backward(theta, joined, y.slot(task), upstream, djoined, {}, grad,
                                  scratch);
        kernels::add(djoined.columns(0, width()), dnetworks.slot(task));
        if (stop_gradient_) continue;
        Index column = width();
        for (const Index s : sources_[t]) {
          kernels::add(djoined.columns(column, width()), dnetworks.slot(s));
          column += width();
        }
      } else {
        // y_t = scale (h_t + Σ_s h_s)
        kernels::add_scaled(scale(t), upstream, dnetworks.slot(task));
        if (stop_gradient_) continue;
        for (const Index s : sources_[t])
          kernels::add_scaled(scale(t), upstream, dnetworks.slot(s));
      }
    }
    bank_.backward(theta, x, workspace.networks.slot_major(), dnetworks, dx, workspace.bank, grad,
                   scratch, live.empty() ? live : networks_of(live, scratch));
  }

 private:
  static std::vector<ExpertRoute> routes(const ParamTable& table, const std::string& name,
                                         const AsymmetricSharing& config) {
    check_trunk(table, "AsymmetricSharing", config.input_dim, config.num_tasks, 1);
    const Index tasks = config.num_tasks;
    require_config(static_cast<Index>(config.sources.size()) == tasks, "AsymmetricSharing",
                   "sources", text(config.sources.size(), " lists"), text(tasks, ", one per task"));
    std::vector<ExpertRoute> result;
    std::vector<Index> seen_by(static_cast<std::size_t>(tasks), -1);
    for (Index t = 0; t < tasks; ++t) {
      for (const Index s : config.sources[static_cast<std::size_t>(t)]) {
        const bool another = 0 <= s && s < tasks && s != t;
        require_config(another && seen_by[static_cast<std::size_t>(s)] != t, "AsymmetricSharing",
                       text("sources of task ", t), text(s), "other tasks, each once");
        seen_by[static_cast<std::size_t>(s)] = t;
      }
      result.push_back({join_name(name, text("bottoms.", t)), 0});
    }
    return result;
  }

  // The networks that the gradient of live tasks flows to.
  Flags networks_of(Flags live, Scratch& scratch) const {
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

  std::vector<std::vector<Index>> sources_;
  Fusion fusion_;
  bool stop_gradient_;
  ExpertBank<Scalar> bank_;
  std::vector<std::optional<Linear<Scalar>>> projections_;
  std::vector<ParamRange> projection_params_;
};

static_assert(TellsReach<AsymmetricNetworks<float>> && Watchable<AsymmetricNetworks<float>>);

}  // namespace plait
