// RoutedNetworks: levels of small networks, nodes, each of which reads a weighted sum of the nodes
// below, with weights that are learned and drawn. It computes SNR and LearningToBranch, whose
// headers have the equations; how weights are drawn is fusion/hard_concrete.hpp and
// fusion/branch_choice.hpp.
//
//   v^l_i = Σ_j z^l_ij c^l_ij(u^{l-1}_j)        c the identity, or a matrix per connection
//   u^l_i = relu(A v^l_i + b), relu(v^l_i + b) or v^l_i,   u^0_j = relu(A x + b)
//
// A connection of weight 0 is not computed, nor is a node that none leads to from a task: a network
// whose routes have vanished costs what is left of it in scoring. In training, too, but for weights
// that learn from what they did not take (a BranchChoice that is drawn).
//
// Backward: dz_ij = Σ_b ⟨dv_i, c_ij(u_j)⟩ and du_j = Σ_i z_ij c_ijᵀ(dv_i), both summed over the
// batch in the scalar, tile by tile.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "plait/core/counter_random.hpp"
#include "plait/core/drawn_routes.hpp"
#include "plait/core/error.hpp"
#include "plait/core/reach.hpp"
#include "plait/core/watch.hpp"
#include "plait/core/workspace.hpp"
#include "plait/fusion/units.hpp"
#include "plait/kernels/activation.hpp"
#include "plait/kernels/mix.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/kernels/selections.hpp"
#include "plait/layers/linear.hpp"

namespace plait {

// What becomes of a node's sum v: relu(A v + b), relu(v + b) or v.
enum class NodeKind { network, relu, sum };

struct RoutedLevel {
  Index nodes = 0;
  Index width = 0;
  NodeKind kind = NodeKind::network;
};

// What SNR and LearningToBranch say of themselves; the last level has a node per task.
template <class Weights>
struct RoutedPlan {
  std::string where;
  Index input_dim = 0;
  std::vector<RoutedLevel> levels;
  bool transforms = false;  // c are matrices
  Weights weights{};
  std::string logits;  // the name of a
};

template <class Scalar_, class Weights>
class RoutedNetworks {
 public:
  using Scalar = Scalar_;
  struct Level {
    Tensor<Scalar> v, u, c;  // [B, N, width below], [B, N, width], [B, N · nodes below, width]
  };
  struct Workspace {
    Tensor<Scalar> z, kept;  // of all levels
    std::vector<Level> levels;
  };

  // A description with routes(), which gives a RoutedPlan. Throws ConfigError for sizes below 1 and
  // weights out of range.
  template <class Description>
  PLAIT_COLD RoutedNetworks(ParamTable& table, const std::string& prefix,
                            const Description& description)
      : RoutedNetworks(table, prefix, description.routes(table)) {}

  Shape in_shape() const { return {1, input_dim_}; }
  Shape out_shape() const { return {parts_.back().of.nodes, parts_.back().of.width}; }
  bool draws() const { return z_size_ > 0; }
  bool visit_input_linears(VisitLinear visit) const {
    return std::ranges::all_of(parts_.front().networks, [&](const Linear<Scalar>& network) {
      return network.visit_input_linears(visit);
    });
  }

  // As core/watch.hpp has it: the experts of a level, but of the last, are its nodes, its units the
  // nodes above, and the static weights z. Nodes that nothing leads to show zeros.
  PLAIT_COLD std::vector<WatchedLevel> watched() const {
    std::vector<WatchedLevel> result;
    for (std::size_t l = 0; l + 1 < parts_.size(); ++l) {
      const Part& above = parts_[l + 1];
      std::vector<Index> all(at(above.below.nodes));
      std::iota(all.begin(), all.end(), Index{0});
      result.push_back({.experts = above.below.nodes,
                        .selections = std::vector(at(above.of.nodes), all),
                        .gated = std::vector<bool>(at(above.of.nodes)),
                        .makes_output = l + 2 == parts_.size() && above.transforms.empty() &&
                                        above.of.kind == NodeKind::sum});
    }
    return result;
  }
  void watch(ParamView<Scalar>, const Workspace& workspace, Scratch&,
             ShowLevel<Scalar> show) const {
    for (std::size_t l = 0; l + 1 < parts_.size(); ++l) {
      const Part& above = parts_[l + 1];
      const View3<const Scalar> z(workspace.z.view().data() + above.first_z, 1, 1,
                                  above.of.nodes * above.below.nodes);
      show(static_cast<Index>(l), workspace.levels[l].u.slot_major(), {}, z);
    }
  }

  // As core/drawn_routes.hpp has it.
  PLAIT_COLD DrawnRoutes drawn_routes(ParamView<Scalar> theta) const {
    DrawnRoutes result;
    for (std::size_t l = 1; l < parts_.size(); ++l) {
      const Part& p = parts_[l];
      const Index n = p.below.nodes;
      Matrix<double>& level = result.levels.emplace_back(p.of.nodes, n);
      for (Index i = 0; i < p.of.nodes; ++i)
        weights_.probabilities(n, theta.data(p.logits) + i * n, level.row(i).data());
    }
    return result;
  }

  // As core/reach.hpp has it: a task reaches all below its own node, whatever is drawn.
  bool reach(Flags live, std::span<bool> live_in, MarkRange mark, Scratch&) const {
    live_in[0] = std::ranges::any_of(live, std::identity());
    if (!live_in[0]) return true;
    for (std::size_t l = 0; l + 1 < parts_.size(); ++l) mark(parts_[l].all);
    const Part& top = parts_.back();
    for (std::size_t i = 0; i < live.size(); ++i) {
      if (!live[i]) continue;
      mark(top.of_node[i]);
      if (parts_.size() > 1)
        mark(ParamRange{top.logits.offset + static_cast<Index>(i) * top.below.nodes,
                        top.below.nodes});
    }
    return true;
  }

  // x [B, 1, D], y [B, T, H].
  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace* workspace, Scratch& scratch, const ForwardOptions& options = {}) const {
    const Scratch::Frame frame(scratch);
    if (workspace != nullptr) workspace->levels.resize(parts_.size());
    const auto z = keep(part(workspace, &Workspace::z), scratch, 1, 1, z_size_);
    const auto kept = keep(part(workspace, &Workspace::kept), scratch, 1, 1, kept_size_);
    weigh(theta, options.draws, z.data(), kept.data());
    const std::span<bool> needed =
        needed_nodes({}, z.data(), kept.data(), workspace != nullptr, scratch);
    View3<const Scalar> from = x;
    for (std::size_t l = 0; l < parts_.size(); ++l) {
      const Part& p = parts_[l];
      Level* const level = workspace == nullptr ? nullptr : &workspace->levels[l];
      const auto take = [&](Tensor<Scalar> Level::*member, Index slots, Index width) {
        return keep_slot_major(part(level, member), scratch, x.batch(), slots, width);
      };
      const View3<Scalar> u = l + 1 == parts_.size() ? y : take(&Level::u, p.of.nodes, p.of.width);
      View3<Scalar> v = u, c;
      if (l > 0 && p.of.kind == NodeKind::network) v = take(&Level::v, p.of.nodes, p.below.width);
      if (!p.transforms.empty()) c = take(&Level::c, p.of.nodes * p.below.nodes, p.of.width);
      for (Index i = 0; i < p.of.nodes; ++i) {
        if (!needed[at(p.first_node + i)]) {
          if (level != nullptr) kernels::set_zero(u.slot(i));
          continue;
        }
        if (l > 0) {
          start_sum(theta, p, i, v.slot(i));
          const Scalar* const row = z.data() + p.first_z + i * p.below.nodes;
          for (Index j = 0; j < p.below.nodes; ++j) {
            if (!is_used(p, i, j, row, kept.data(), workspace != nullptr)) continue;
            View3<const Scalar> source = from.slot(j);
            if (!p.transforms.empty()) {
              const Index k = i * p.below.nodes + j;
              p.transforms[at(k)].apply(theta, source, c.slot(k), Activation::identity);
              source = c.slot(k);
            }
            if (row[j] != 0) kernels::add_scaled<Scalar>(row[j], source, v.slot(i));
          }
        }
        if (p.of.kind == NodeKind::network)
          p.networks[at(i)].apply(theta, l > 0 ? v.slot(i) : x, u.slot(i), Activation::relu);
        if (p.of.kind == NodeKind::relu) kernels::activate(Activation::relu, u.slot(i));
      }
      from = u;
    }
  }

  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                GradView<Scalar> grad, Scratch& scratch, Flags live = {}) const {
    if (!live.empty() && std::ranges::none_of(live, std::identity())) return;
    const Scratch::Frame frame(scratch);
    const Scalar* const z = workspace.z.view().data();
    const Scalar* const kept = workspace.kept.view().data();
    const std::span<bool> needed = needed_nodes(live, z, kept, true, scratch);
    View3<const Scalar> u = y, du = dy;
    for (std::size_t l = parts_.size(); l-- > 1;) {
      const Part& p = parts_[l];
      const Level& level = workspace.levels[l];
      const View3<const Scalar> from = workspace.levels[l - 1].u.slot_major();
      const auto dfrom = scratch.take_slot_major<Scalar>(x.batch(), p.below.nodes, p.below.width);
      const auto take = [&](Index dim) { return scratch.take<Scalar>(x.batch(), 1, dim); };
      const Rooms rooms{take(p.of.width), take(p.sum_width()), take(p.sum_width()), take(1),
                        scratch.take<Scalar>(1, 1, p.below.nodes)};
      kernels::set_zero(dfrom);
      for (Index i = 0; i < p.of.nodes; ++i) {
        if (!needed[at(p.first_node + i)]) continue;
        const View3<const Scalar> dv =
            sum_gradient(theta, p, i, level, u.slot(i), du.slot(i), rooms, grad, scratch);
        sources_backward(theta, p, i, level, from, dv, z, kept, dfrom, rooms, grad, scratch);
      }
      u = from;
      du = dfrom;
    }
    const Part& p = parts_.front();
    const auto da = scratch.take<Scalar>(x.batch(), 1, p.of.width);
    if (dx) kernels::set_zero(dx);
    for (Index i = 0; i < p.of.nodes; ++i) {
      if (!needed[at(i)]) continue;
      kernels::activate_backward<Scalar>(Activation::relu, u.slot(i), du.slot(i), da);
      p.networks[at(i)].backward(theta, x, u.slot(i), da, dx, {}, grad, scratch,
                                 {.adds_to_dx = true});
    }
  }

 private:
  struct Part {
    RoutedLevel of, below;
    Index first_node, first_z, first_kept;  // among those of all levels
    ParamId logits;                         // a [nodes, nodes below], but of the first level
    std::vector<Linear<Scalar>> networks, transforms;  // transforms by node and node below
    std::vector<ParamId> biases;
    std::vector<ParamRange> of_node;  // a node's parameters, but for its logits
    ParamRange all;

    Index sum_width() const { return of.kind == NodeKind::network ? below.width : of.width; }
  };
  // What the backward of a level works in, taken once: what is drawn does not change how much.
  struct Rooms {
    View3<Scalar> da, dv, share, dz_rows, dz;
  };

  PLAIT_COLD RoutedNetworks(ParamTable& table, const std::string& prefix,
                            const RoutedPlan<Weights>& plan)
      : input_dim_(plan.input_dim), weights_(plan.weights) {
    weights_.validate(plan.where);
    for (std::size_t l = 0; l < plan.levels.size(); ++l) {
      const RoutedLevel& of = plan.levels[l];
      const Index before = table.buffer_size();
      Part part{of, below(l), nodes_, z_size_, kept_size_, {}, {}, {}, {}, {}, {}};
      const auto named = [&](const std::string& name) { return join_name(prefix, name); };
      if (l > 0) {
        const Index sources = part.below.nodes;
        table.spend_routes(of.nodes, plan.where);
        require_config(of.nodes <= table.budget().routes / sources, plan.where, "connections",
                       text(of.nodes, " by ", sources), text("at most ", table.budget().routes));
        table.spend_routes(of.nodes * sources, plan.where);
        table.spend_terms(of.nodes * sources, of.width, plan.where);
        const Index widest = (std::max)(of.width, part.below.width);
        table.spend_activations(of.nodes, widest, plan.where);
        table.spend_activations(of.nodes, widest, plan.where);
        if (plan.transforms) table.spend_activations(of.nodes * sources, of.width, plan.where);
        part.logits = table.add_matrix(named(text(plan.logits, ".", l)), of.nodes, sources,
                                       Init::constant(0));
        z_size_ += of.nodes * sources;
        kept_size_ += of.nodes * Weights::kept_size(sources);
      } else {
        table.spend_routes(of.nodes, plan.where);
        table.spend_activations(of.nodes, of.width, plan.where);
      }
      for (Index i = 0; i < of.nodes; ++i) {
        const Index first = table.buffer_size();
        const Index in = l > 0 ? part.below.width : input_dim_;
        const auto linear = [&](const std::string& name, bool bias) {
          return Linear<Scalar>(table, named(name) + ".mlp_net.0", in, of.width, bias);
        };
        for (Index j = 0; l > 0 && plan.transforms && j < part.below.nodes; ++j)
          part.transforms.push_back(linear(text("transforms.", l, ".", i, ".", j), false));
        if (of.kind == NodeKind::network)
          part.networks.push_back(linear(text("experts.", l, ".", i), true));
        if (of.kind == NodeKind::relu)
          part.biases.push_back(
              table.add_vector(named(text("biases.", l, ".", i)), of.width, Init::constant(0)));
        part.of_node.push_back(table.range_from(first));
      }
      part.all = table.range_from(before);
      nodes_ += of.nodes;
      parts_.push_back(std::move(part));
    }
  }

  static std::size_t at(Index i) { return static_cast<std::size_t>(i); }
  RoutedLevel below(std::size_t l) const { return l > 0 ? parts_[l - 1].of : RoutedLevel{}; }

  void weigh(ParamView<Scalar> theta, const Draws& draws, Scalar* z, Scalar* kept) const {
    const CounterRandom stream = stream_of(draws);
    for (std::size_t l = 1; l < parts_.size(); ++l) {
      const Part& p = parts_[l];
      const Index n = p.below.nodes;
      for (Index i = 0; i < p.of.nodes; ++i)
        weights_.weigh(n, theta.data(p.logits) + i * n, draws,
                       stream.at(l).at(static_cast<std::uint64_t>(i)), z + p.first_z + i * n,
                       kept + p.first_kept + i * Weights::kept_size(n));
    }
  }
  // Whether connection (i, j) has to be computed; `row` are z of node i.
  static bool is_used(const Part& p, Index i, Index j, const Scalar* row, const Scalar* kept,
                      bool backward_follows) {
    const Index n = p.below.nodes;
    return row[j] != 0 ||
           (backward_follows &&
            Weights::learns_from_unused(n, kept + p.first_kept + i * Weights::kept_size(n)));
  }
  // Of all levels' nodes, those that the live tasks lead down to.
  std::span<bool> needed_nodes(Flags live, const Scalar* z, const Scalar* kept,
                               bool backward_follows, Scratch& scratch) const {
    const std::span<bool> needed = take_flags(scratch, nodes_);
    std::ranges::fill(needed, false);
    const auto top = needed.last(at(parts_.back().of.nodes));
    if (live.empty())
      std::ranges::fill(top, true);
    else
      std::ranges::copy(live, top.begin());
    for (std::size_t l = parts_.size(); l-- > 1;) {
      const Part& p = parts_[l];
      for (Index i = 0; i < p.of.nodes; ++i)
        for (Index j = 0; needed[at(p.first_node + i)] && j < p.below.nodes; ++j)
          if (is_used(p, i, j, z + p.first_z + i * p.below.nodes, kept, backward_follows))
            needed[at(p.first_node - p.below.nodes + j)] = true;
    }
    return needed;
  }

  // What a node's sum starts from: its bias where that stands alone.
  static void start_sum(ParamView<Scalar> theta, const Part& p, Index i, View3<Scalar> v) {
    if (p.biases.empty()) {
      kernels::set_zero(v);
      return;
    }
    const Scalar* const bias = theta.data(p.biases[at(i)]);
    for (Index b = 0; b < v.batch(); ++b) std::copy_n(bias, v.dim(), v.row(b));
  }
  // dv of node i from du.
  View3<const Scalar> sum_gradient(ParamView<Scalar> theta, const Part& p, Index i,
                                   const Level& level, View3<const Scalar> u,
                                   View3<const Scalar> du, const Rooms& rooms,
                                   GradView<Scalar> grad, Scratch& scratch) const {
    if (p.of.kind == NodeKind::sum) return du;
    kernels::activate_backward<Scalar>(Activation::relu, u, du, rooms.da);
    if (p.of.kind == NodeKind::relu) {
      kernels::add_batch_sums<Scalar>(rooms.da, grad.add_to(p.biases[at(i)]).data);
      return rooms.da;
    }
    p.networks[at(i)].backward(theta, level.v.slot_major().slot(i), u, rooms.da, rooms.dv, {}, grad,
                               scratch);
    return rooms.dv;
  }
  // Reverses v_i = Σ_j z_ij c_ij(u_j); adds to dfrom.
  void sources_backward(ParamView<Scalar> theta, const Part& p, Index i, const Level& level,
                        View3<const Scalar> from, View3<const Scalar> dv, const Scalar* z,
                        const Scalar* kept, View3<Scalar> dfrom, const Rooms& rooms,
                        GradView<Scalar> grad, Scratch& scratch) const {
    constexpr std::array<Selections::Use, 1> one{{{0, 0}}};
    const Index n = p.below.nodes;
    const Scalar* const row = z + p.first_z + i * n;
    const View3<Scalar> share = rooms.share, dz_rows = rooms.dz_rows, dz = rooms.dz;
    kernels::set_zero(dz);
    for (Index j = 0; j < n; ++j) {
      if (!is_used(p, i, j, row, kept, true)) continue;
      const auto k = i * n + j;
      const View3<const Scalar> source =
          p.transforms.empty() ? from.slot(j) : level.c.slot_major().slot(k);
      kernels::mix_backward<Scalar>(
          source, one, View3<const Scalar>(row + j, dv.batch(), 1, 1, 0, 0), dv, share, dz_rows);
      kernels::add_batch_sums<Scalar>(dz_rows, dz.data() + j);
      if (row[j] == 0) continue;
      if (p.transforms.empty())
        kernels::add<Scalar>(share, dfrom.slot(j));
      else
        p.transforms[at(k)].backward(theta, from.slot(j), source, share, dfrom.slot(j), {}, grad,
                                     scratch, {.adds_to_dx = true});
    }
    weights_.backward(n, kept + p.first_kept + i * Weights::kept_size(n), dz.data(),
                      grad.add_to(p.logits).data + i * n);
  }

  Index input_dim_;
  Weights weights_;
  std::vector<Part> parts_;  // by level
  Index nodes_ = 0, z_size_ = 0, kept_size_ = 0;
};

}  // namespace plait
