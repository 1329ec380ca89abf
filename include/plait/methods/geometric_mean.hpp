// The geometric mean of the losses (GLS, Chennupati et al., CVPR workshops 2019).
#pragma once
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>

#include "plait/core/error.hpp"
#include "plait/methods/factor.hpp"
#include "plait/methods/weighting_method.hpp"

namespace plait {

//   total = (Π_t L_t)^(1/T),  w_t = ∂total/∂L_t = total / (T L_t)
//
// over the tasks with a loss in the batch; the others' weight is 0.
struct GeometricMean {
  static constexpr std::string_view name = "GeometricMean";
  static constexpr bool needs_losses = true;
  static constexpr bool needs_gradient_norms = false;

  void validate(Index) const {}

  // Throws ValueError for a loss below 0, or one so small that float could not hold its weight.
  void weights(const WeightingInput& input, MethodState&, std::span<double> out, Scratch&) const {
    double sum = 0;
    double count = 0;
    for (const double loss : input.losses) {
      if (!(loss >= 0)) refuse(loss);
      if (loss == 0) continue;
      sum += std::log(loss);
      count += 1;
    }
    for (std::size_t t = 0; t < out.size(); ++t) {
      const double loss = input.losses[t];
      out[t] = loss == 0 ? 0 : std::exp(sum / count - std::log(loss)) / count;
      if (!(out[t] <= detail::largest_factor)) refuse(loss);
    }
  }

 private:
  [[noreturn]] static void refuse(double loss) {
    throw ValueError("GeometricMean", "losses", text(loss), "0 or numbers well above 0");
  }
};

static_assert(WeightingMethod<GeometricMean>);

}  // namespace plait
