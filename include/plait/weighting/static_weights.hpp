// Fixed weights.
#pragma once
#include <Eigen/Core>
#include <vector>

#include "plait/core/per_task.hpp"
#include "plait/weighting/weighting.hpp"

namespace plait {

// w_t as given, 1 each when none are.
struct StaticWeights {
  std::vector<double> values = {};  // [T]

  static constexpr bool needs_losses = false;
  static constexpr bool needs_gradient_norms = false;

  // Throws ConfigError for values that are not one finite number of at least 0 per task.
  void validate(Index tasks) const {
    detail::validate_per_task("StaticWeights", "values", values, tasks);
  }

  Eigen::VectorXd weights(const WeightingInput& input, MethodState&) const {
    Eigen::VectorXd w(input.tasks);
    for (Index t = 0; t < input.tasks; ++t) w[t] = detail::per_task(values, t, 1);
    return w;
  }
};

static_assert(Weighting<StaticWeights>);

}  // namespace plait
