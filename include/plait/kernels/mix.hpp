// Mixing: one unit's output as a weighted sum of the experts that it selects,
//
//   y_b = Σ_j (g_bj + s_j) E_b,selection(j),
//
// with gate weights g (one per sample and selected expert) and static weights s (one per selected
// expert, zero outside a range): MMoE, CGC and PLE have only g, cross-stitch and shared bottom only
// s, AdaTT both (its native-expert weights). math.md P4 and P5.
#pragma once
#include <span>
#include <type_traits>

#include "plait/core/config.hpp"
#include "plait/core/view.hpp"

namespace plait {

// Static weights for positions first ... first + count - 1 of a selection; null means ones.
template <class Scalar>
struct StaticWeights {
  Index first = 0;
  Index count = 0;
  const Scalar* values = nullptr;

  bool covers(Index j) const { return first <= j && j < first + count; }
  Scalar at(Index j) const { return values == nullptr ? Scalar(1) : values[j - first]; }
};

namespace detail {

// (g_bj + s_j) for one sample; gate_row is null without a gate.
template <class Scalar>
Scalar mixing_weight(const Scalar* gate_row, const StaticWeights<Scalar>& statics, Index j) {
  const Scalar gated = gate_row == nullptr ? Scalar(0) : gate_row[j];
  return statics.covers(j) ? gated + statics.at(j) : gated;
}

}  // namespace detail

// experts [B, E, H], selection [n] of expert indices, gate [B, 1, n] or empty, y [B, 1, H]
// overwritten.
template <class Scalar>
void mix(ConstView3<Scalar> experts, std::span<const Index> selection, ConstView3<Scalar> gate,
         const StaticWeights<Scalar>& statics, View3<Scalar> y) {
  const auto n = static_cast<Index>(selection.size());
  PLAIT_ASSERT(experts.batch() == y.batch() && experts.dim() == y.dim() && y.slots() == 1);
  PLAIT_ASSERT(!gate || (gate.batch() == y.batch() && gate.dim() == n));
  PLAIT_ASSERT(statics.first >= 0 && statics.first + statics.count <= n);
  const Index first = gate ? 0 : statics.first;
  const Index last = gate ? n : statics.first + statics.count;
  for (Index b = 0; b < y.batch(); ++b) {
    const Scalar* gate_row = gate ? gate.row(b) : nullptr;
    VectorMap<Scalar> out(y.row(b), y.dim());
    out.setZero();
    for (Index j = first; j < last; ++j) {
      const Index expert = selection[static_cast<std::size_t>(j)];
      out += detail::mixing_weight(gate_row, statics, j) *
             VectorMap<const Scalar>(experts.row(b, expert), y.dim());
    }
  }
}

// Reverses mix. With r_bj = <dy_b, E_b,selection(j)>:
//   dE_b,selection(j) += (g_bj + s_j) dy_b;   dg_bj = r_bj (overwritten);   ds_j += Σ_b r_bj.
// dgate is empty without a gate; dstatics points at ds of the covered range, or is null when s is
// constant.
template <class Scalar>
void mix_backward(ConstView3<Scalar> experts, std::span<const Index> selection,
                  ConstView3<Scalar> gate, const StaticWeights<Scalar>& statics,
                  ConstView3<Scalar> dy, View3<Scalar> dexperts, View3<Scalar> dgate,
                  std::type_identity_t<Scalar>* dstatics) {
  const auto n = static_cast<Index>(selection.size());
  PLAIT_ASSERT(experts.batch() == dy.batch() && experts.dim() == dy.dim() && dy.slots() == 1);
  PLAIT_ASSERT(dexperts.batch() == dy.batch() && dexperts.shape() == experts.shape());
  PLAIT_ASSERT(!gate || (gate.batch() == dy.batch() && gate.dim() == n && dgate.dim() == n));
  PLAIT_ASSERT(statics.first >= 0 && statics.first + statics.count <= n);
  const Index first = gate ? 0 : statics.first;
  const Index last = gate ? n : statics.first + statics.count;
  for (Index b = 0; b < dy.batch(); ++b) {
    const Scalar* gate_row = gate ? gate.row(b) : nullptr;
    const VectorMap<const Scalar> upstream(dy.row(b), dy.dim());
    for (Index j = first; j < last; ++j) {
      const Index expert = selection[static_cast<std::size_t>(j)];
      VectorMap<Scalar>(dexperts.row(b, expert), dy.dim()) +=
          detail::mixing_weight(gate_row, statics, j) * upstream;
      const bool learned_static = dstatics != nullptr && statics.covers(j);
      if (!gate && !learned_static) continue;
      const Scalar r = upstream.dot(VectorMap<const Scalar>(experts.row(b, expert), dy.dim()));
      if (gate) dgate(b, 0, j) = r;
      if (learned_static) dstatics[j - statics.first] += r;
    }
  }
}

}  // namespace plait
