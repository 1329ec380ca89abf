// Representation: what a trunk's tasks have in common at its top, and the Gramian of their
// gradients with respect to it.
//
// Where tasks have slots of their own these are no place to look for conflicts: each is one task's.
// But all of them are sums over the experts of the last level,
//
//   y_u = Σ_j w_u,j E_j                w_u = g_u + s_u, the gate's and the static weights
//
// so z = E, the experts' outputs, is what they share: of a shared bottom its output, of MMoE the
// experts, of CGC, PLE and AdaTT the experts of all units, which only some tasks read. Task t's
// gradient there, and the Gramian of the batch, are
//
//   dL_t/dE_j = Σ_u w_u,j dL_t/dy_u
//   M_st = ⟨dL_s/dE, dL_t/dE⟩ = Σ_b Σ_u,v ⟨w_u, w_v⟩ ⟨dL_s/dy_u, dL_t/dy_v⟩
//
// which needs the towers' backward alone, whatever the trunk below. What gates pass on to the state
// that they read is not in z.
//
// Source: MGDA-UB (Sener and Koltun, Multi-Task Learning as Multi-Objective Optimization, NeurIPS
// 2018, section 3.3), for trunks without slots of their own, z = y.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/core/eigen.hpp"
#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/reach.hpp"
#include "plait/core/scratch.hpp"
#include "plait/core/view.hpp"
#include "plait/core/watch.hpp"
#include "plait/kernels/selections.hpp"
#include "plait/layers/sequential.hpp"
#include "plait/train/task_reach.hpp"

namespace plait {

// Where a method that balances tasks sees their gradients, and what it weighs.
//
//   parameters       exact: the gradients of the shared parameters, a backward pass per task
//   representation   their gradients with respect to the Representation, and one backward pass
enum class BalanceAt { parameters, representation };
template <>
struct EnumNames<BalanceAt> {
  static constexpr std::array<std::string_view, 2> names{"parameters", "representation"};
};

PLAIT_INTRINSICS_BEGIN

// Of one network, a trunk and its towers. A value, which does not change.
template <class Scalar>
class Representation {
 public:
  // Throws ConfigError for a trunk that does not tell (core/watch.hpp) that its outputs are sums
  // over experts, or tells of others than it has.
  PLAIT_COLD Representation(const Sequential<Scalar>& network, const TaskReach& reach) {
    const std::vector<WatchedLevel> levels = network.layer(0).watched();
    require_config(!levels.empty() && levels.back().makes_output, "Representation", "trunk",
                   "one whose outputs are not sums over experts",
                   "fusion levels, or a trunk that tells of such a level");
    const WatchedLevel& last = levels.back();
    const Index units = network.layer(0).out_shape().slots;
    require_config(std::ssize(last.selections) == units && std::ssize(last.gated) == units,
                   "Representation", "units of the last level", text(last.selections.size()),
                   text(units, ", as slots"));
    for (const auto& selection : last.selections)
      for (const Index e : selection)
        require_config(0 <= e && e < last.experts, "Representation", "expert of a unit", text(e),
                       text("at least 0, below ", last.experts));
    level_ = std::ssize(levels) - 1;
    selections_ = Selections(last.selections, last.experts);
    gated_ = last.gated;
    for (std::size_t u = 0; u < last.selections.size(); ++u)
      for (std::size_t j = 0; j < last.selections[u].size(); ++j)
        passes_.push_back(u >= last.stopped.size() ||
                          std::ranges::count(last.stopped[u], static_cast<Index>(j)) == 0);
    const Index tasks = reach.num_tasks();
    outputs_.resize(tasks, network.num_outputs());
    slots_.setConstant(tasks, network.layer(0).out_shape().slots, false);
    Scratch scratch;
    for (Index t = 0; t < tasks; ++t) {
      std::ranges::copy(reach.outputs_of(t), outputs_.data() + t * outputs_.cols());
      const std::span<bool> slots(slots_.data() + t * slots_.cols(),
                                  static_cast<std::size_t>(slots_.cols()));
      network.layer(1).reach(
          outputs_of(t), slots, [](const ParamRange&) {}, scratch);
      add_to_plane(t);
    }
  }

  Index num_tasks() const { return slots_.rows(); }
  // Which of the towers' outputs and of the trunk's task t's loss has a gradient in.
  Flags outputs_of(Index t) const { return row_of(outputs_, t); }
  Flags slots_of(Index t) const { return row_of(slots_, t); }
  // Gradients dL_t/dy of tasks that reach other slots fit into one block [B, T, H], a plane: task
  // t's is in plane plane_of(t), of `planes`.
  Index plane_of(Index t) const { return plane_of_[static_cast<std::size_t>(t)]; }
  Index planes() const { return planes_; }

  // M += that of some rows, after a forward with `workspace`, the trunk's. dy are the planes
  // [B, T, H]; a task that is not `present` has none there.
  void add_products(const Network<Scalar>& trunk, ParamView<Scalar> theta,
                    const typename Network<Scalar>::Workspace& workspace,
                    std::span<const View3<const Scalar>> dy, Flags present, Eigen::MatrixXd& m,
                    Scratch& scratch) const {
    trunk.watch(theta, workspace, scratch,
                [&](Index level, View3<const Scalar>, View3<const Scalar> gates,
                    View3<const Scalar> statics) {
                  if (level == level_) add_products(gates, statics, dy, present, m, scratch);
                });
  }

 private:
  static Flags row_of(const Matrix<bool>& flags, Index row) {
    return {flags.data() + row * flags.cols(), static_cast<std::size_t>(flags.cols())};
  }

  PLAIT_COLD void add_to_plane(Index task) {
    const auto overlaps = [&](Index other) {
      for (Index s = 0; s < slots_.cols(); ++s)
        if (slots_(task, s) && slots_(other, s)) return true;
      return false;
    };
    Index plane = 0;
    for (bool taken = true; taken; plane += taken ? 1 : 0) {
      taken = false;
      for (Index other = 0; other < task && !taken; ++other)
        taken = plane_of(other) == plane && overlaps(other);
    }
    plane_of_.push_back(plane);
    planes_ = (std::max)(planes_, plane + 1);
  }

  void add_products(View3<const Scalar> gates, View3<const Scalar> statics,
                    std::span<const View3<const Scalar>> dy, Flags present, Eigen::MatrixXd& m,
                    Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const Index units = selections_.units();
    const auto weights = scratch.take<double>(1, units, selections_.experts());
    const auto cotangents = scratch.take<double>(num_tasks(), units, dy.front().dim());
    for (Index b = 0; b < dy.front().batch(); ++b) {
      spread(gates, statics, b, weights);
      for (Index t = 0; t < num_tasks(); ++t)
        if (present[static_cast<std::size_t>(t)])
          for (Index u = 0; u < units; ++u)
            if (slots_(t, u))
              row(cotangents, t, u) =
                  row(dy[static_cast<std::size_t>(plane_of(t))], b, u).template cast<double>();
      for (Index t = 0; t < num_tasks(); ++t)
        for (Index s = 0; s <= t; ++s) {
          if (!present[static_cast<std::size_t>(s)] || !present[static_cast<std::size_t>(t)])
            continue;
          const double product = product_of(s, t, weights, cotangents);
          m(s, t) += product;
          if (s != t) m(t, s) += product;
        }
    }
    // What rounding leaves of gradients that cancel is no squared length below 0.
    for (Index t = 0; t < num_tasks(); ++t) m(t, t) = (std::max)(m(t, t), 0.0);
  }

  // w of row b, [unit, expert], 0 where a unit does not select an expert or teaches it nothing.
  void spread(View3<const Scalar> gates, View3<const Scalar> statics, Index b,
              View3<double> weights) const {
    std::fill_n(weights.data(), weights.slots() * weights.dim(), 0.0);
    for (Index u = 0; u < selections_.units(); ++u)
      for (Index c = selections_.first(u); c < selections_.first(u + 1); ++c) {
        if (!passes_[static_cast<std::size_t>(c)]) continue;
        double weight = static_cast<double>(statics(0, 0, c));
        if (gated_[static_cast<std::size_t>(u)]) weight += static_cast<double>(gates(b, 0, c));
        weights(0, u, selections_.expert(c)) += weight;
      }
  }

  // Σ_u,v ⟨w_u, w_v⟩ ⟨dL_s/dy_u, dL_t/dy_v⟩ of one row.
  double product_of(Index s, Index t, View3<const double> weights,
                    View3<const double> cotangents) const {
    double sum = 0;
    for (Index u = 0; u < slots_.cols(); ++u)
      for (Index v = 0; slots_(s, u) && v < slots_.cols(); ++v) {
        if (!slots_(t, v)) continue;
        const double shared = row(weights, 0, u).dot(row(weights, 0, v));
        if (shared != 0) sum += shared * row(cotangents, s, u).dot(row(cotangents, t, v));
      }
    return sum;
  }
  template <class T>
  static VectorMap<T> row(View3<T> view, Index b, Index s) {
    return {view.row(b, s), view.dim()};
  }

  Index level_ = 0;  // the last, its units' selections, which of them have gates,
  Selections selections_;
  std::vector<bool> gated_;
  std::vector<bool> passes_;  // and whether a column's expert learns from its unit
  Matrix<bool> outputs_;      // [task, output of the towers]
  Matrix<bool> slots_;        // [task, slot of y]
  std::vector<Index> plane_of_;
  Index planes_ = 0;
};

PLAIT_INTRINSICS_END

}  // namespace plait
