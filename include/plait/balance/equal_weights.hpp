// Equal weights: the plain sum, the baseline of every balancing method.
#pragma once
#include <Eigen/Core>

#include "plait/balance/balancer.hpp"

namespace plait {

// α_t = 1. Needs nothing: one backward pass of the summed losses gives d.
struct EqualWeights {
  static constexpr bool needs_gramian = false;

  void validate(Index) const {}
  Eigen::VectorXd weights(const BalancerInput& input, MethodState&) const {
    return Eigen::VectorXd::Ones(input.tasks);
  }
};

static_assert(Balancer<EqualWeights>);

}  // namespace plait
