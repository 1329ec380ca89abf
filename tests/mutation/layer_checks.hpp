// Contract and gradient of a layer, in a translation unit of their own that no mutation touches and
// that is compiled once.
#pragma once
#include "plait/core/network.hpp"
#include "plait/testing/gradcheck.hpp"
#include "plait/testing/layer_suite.hpp"

namespace checks {

using Layer = plait::Network<double>;

plait::testing::SuiteReport contract(const Layer& layer, const plait::ParamBuffer<double>& theta);
// On a batch of two.
plait::testing::GradientReport gradients(const Layer& layer,
                                         const plait::ParamBuffer<double>& theta);

}  // namespace checks
