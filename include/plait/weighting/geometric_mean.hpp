// The geometric mean of the losses (GLS, Chennupati et al., CVPR workshops 2019).
#pragma once
#include <Eigen/Core>
#include <cmath>
#include <cstddef>

#include "plait/core/error.hpp"
#include "plait/weighting/weighting.hpp"

namespace plait {

//   total = (Π_t L_t)^(1/T),  w_t = ∂total/∂L_t = total / (T L_t)
//
// over the tasks with a loss in the batch; the others' weight is 0.
struct GeometricMean {
  static constexpr bool needs_losses = true;
  static constexpr bool needs_gradient_norms = false;

  void validate(Index) const {}

  // Throws ValueError for a loss below 0, or one so small that its weight would not be finite.
  Eigen::VectorXd weights(const WeightingInput& input, MethodState&) const {
    const auto require = [](bool condition, double loss) {
      if (!condition)
        throw ValueError("GeometricMean", "losses", text(loss), "0 or numbers well above 0");
    };
    double sum = 0;
    double count = 0;
    for (const double loss : input.losses) {
      require(loss >= 0, loss);
      if (loss == 0) continue;
      sum += std::log(loss);
      count += 1;
    }
    Eigen::VectorXd w = Eigen::VectorXd::Zero(input.tasks);
    for (Index t = 0; t < input.tasks; ++t) {
      const double loss = input.losses[static_cast<std::size_t>(t)];
      if (loss == 0) continue;
      w[t] = std::exp(sum / count - std::log(loss)) / count;
      require(std::isfinite(w[t]), loss);
    }
    return w;
  }
};

static_assert(Weighting<GeometricMean>);

}  // namespace plait
