// DSelect-k's selectors: one expert of n, chosen by the bits of its number, each of them a smooth
// step between 0 and 1.
//
//   S(t) = v² (3 - 2v),  v = t / γ + 1/2 held to [0, 1]         so 0 for t <= -γ/2, 1 for t >= γ/2
//   r(e) = Π_j ( S(z_j) where bit j of e is 1, else 1 - S(z_j) )            e = 0 ... n - 1
//
// with m = ⌈log2 n⌉ bits, the most significant first. r is exactly 0 for every number that a
// saturated bit rules out. Where n is no power of two, numbers from n on have what is left of 1.
//
// The products are those along the paths of a binary tree, which holds n leaves and, whole levels
// and all, less than 4n nodes: O(n) for all of them instead of O(n m). Its backward sums on the way
// back to the root, so that a product without one of its factors is never a quotient.
#pragma once
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "plait/core/config.hpp"

namespace plait::kernels {

// ⌈log2 n⌉, for n >= 1.
constexpr Index code_bits(Index n) {
  return static_cast<Index>(std::bit_width(static_cast<std::uint64_t>(n - 1)));
}

// S(t), 1 - S(t), each exact to rounding near its zero, and S'(t) = 6 v (1 - v) / γ.
template <class Scalar>
struct SmoothStep {
  Scalar one;
  Scalar zero;
  Scalar slope;

  SmoothStep() = default;
  SmoothStep(Scalar t, Scalar gamma) : one(0), zero(1), slope(0) {
    const Scalar v = t / gamma + Scalar(0.5);
    if (v <= 0) return;
    if (v >= 1) {
      one = 1;
      zero = 0;
      return;
    }
    const Scalar u = 1 - v;
    one = v * v * (1 + 2 * u);
    zero = u * u * (1 + 2 * v);
    slope = 6 * v * u / gamma;
  }
};

// The steps of one selector: any Index has fewer bits.
template <class Scalar>
using SmoothSteps = std::array<SmoothStep<Scalar>, 64>;

template <class Scalar>
void smooth_steps(Index bits, const Scalar* z, Scalar gamma, SmoothSteps<Scalar>& steps) {
  for (Index j = 0; j < bits; ++j)
    steps[static_cast<std::size_t>(j)] = SmoothStep<Scalar>(z[j], gamma);
}

// Numbers that a selector of n experts takes for its tree: node i has the children 2i and 2i + 1,
// the root is 1, leaf e is 2^m + e.
constexpr Index selector_nodes(Index n) { return Index{2} << code_bits(n); }

// Nodes of the tree at a depth: those above one of the n leaves.
constexpr Index nodes_at(Index depth, Index n) { return ((n - 1) >> (code_bits(n) - depth)) + 1; }

// Fills the tree; returns its leaves, r [n].
template <class Scalar>
const Scalar* selector(Index n, const SmoothSteps<Scalar>& steps, Scalar* nodes) {
  const Index bits = code_bits(n);
  nodes[1] = 1;
  for (Index j = 0; j < bits; ++j) {
    const auto& step = steps[static_cast<std::size_t>(j)];
    const Scalar* const above = nodes + (Index{1} << j);
    Scalar* const below = nodes + (Index{2} << j);
    const Index count = nodes_at(j + 1, n);
    for (Index c = 0; c < count; ++c) below[c] = above[c / 2] * (c % 2 == 0 ? step.zero : step.one);
  }
  return nodes + (Index{1} << bits);
}

// Reverses selector: dz_j = S'(z_j) Σ_e dr_e ∂r(e)/∂S_j is written times `scale`. dr [n] is used
// up. Returns Σ_e dr_e r(e).
template <class Scalar>
Scalar selector_backward(Index n, const SmoothSteps<Scalar>& steps, const Scalar* nodes,
                         Scalar scale, Scalar* dr, Scalar* dz) {
  for (Index j = code_bits(n); j-- > 0;) {
    const auto& step = steps[static_cast<std::size_t>(j)];
    const Scalar* const above = nodes + (Index{1} << j);
    const Index below = nodes_at(j + 1, n);
    Scalar dstep = 0;
    for (Index c = 0; c < nodes_at(j, n); ++c) {
      const Scalar zero = dr[2 * c];
      const Scalar one = 2 * c + 1 < below ? dr[2 * c + 1] : Scalar(0);
      dstep += above[c] * (one - zero);
      dr[c] = step.one * one + step.zero * zero;
    }
    dz[j] = scale * step.slope * dstep;
  }
  return dr[0];
}

}  // namespace plait::kernels
