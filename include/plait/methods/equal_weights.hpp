// Equal weights: the plain sum, the baseline of every balancing method.
#pragma once
#include <algorithm>
#include <span>
#include <string_view>

#include "plait/methods/balancing_method.hpp"

namespace plait {

// α_t = 1. Needs nothing: one backward pass of the summed losses gives d.
struct EqualWeights {
  static constexpr std::string_view name = "EqualWeights";
  static constexpr bool needs_gramian = false;

  void validate(Index) const {}
  void weights(const BalancingInput&, MethodState&, std::span<double> out, Scratch&) const {
    std::ranges::fill(out, 1.0);
  }
};

static_assert(BalancingMethod<EqualWeights>);

}  // namespace plait
