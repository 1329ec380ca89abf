// Random loss weighting (Lin et al., TMLR 2022).
#pragma once
#include <Eigen/Core>

#include "plait/weighting/weighting.hpp"

namespace plait {

// w = softmax(x), x_t ~ N(0, 1) drawn anew for every step; Σ_t w_t = 1.
struct RandomWeights {
  static constexpr bool needs_losses = false;
  static constexpr bool needs_gradient_norms = false;

  void validate(Index) const {}

  Eigen::VectorXd weights(const WeightingInput& input, MethodState& state) const {
    Eigen::ArrayXd w(input.tasks);
    for (double& x : w) x = state.random.normal();
    w = (w - w.maxCoeff()).exp();
    return (w / w.sum()).matrix();
  }
};

static_assert(Weighting<RandomWeights>);

}  // namespace plait
