// Random loss weighting (Lin et al., TMLR 2022).
#pragma once
#include <cstddef>
#include <span>
#include <string_view>

#include "plait/methods/memory.hpp"
#include "plait/methods/numbers.hpp"
#include "plait/methods/weighting_method.hpp"

namespace plait {

// w = softmax(x), x_t ~ N(0, 1) drawn anew for every step; Σ_t w_t = 1.
struct RandomWeights {
  static constexpr std::string_view name = "RandomWeights";
  static constexpr bool needs_losses = false;
  static constexpr bool needs_gradient_norms = false;

  void validate(Index) const {}

  void weights(const WeightingInput& input, MethodState& state, std::span<double> out,
               Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    detail::Numbers w = detail::take_numbers(scratch, input.tasks);
    for (double& x : w) x = state.random.normal();
    const double top = detail::largest(w);
    for (double& x : w) x -= top;
    detail::exp_all(w);
    const double sum = detail::sum(w);
    for (Index t = 0; t < input.tasks; ++t) out[static_cast<std::size_t>(t)] = w[t] / sum;
  }
};

static_assert(WeightingMethod<RandomWeights>);

}  // namespace plait
