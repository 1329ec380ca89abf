// The checks that no mutation touches, in a translation unit of their own that is compiled once.
#pragma once
#include "plait/testing/gradcheck.hpp"
#include "plait/testing/layer_suite.hpp"
#include "support/any_layer.hpp"

namespace checks {

using Layer = support::AnyLayer<double>;

plait::testing::SuiteReport contract(const Layer& layer, const plait::ParamBuffer<double>& theta);
// On a batch of two.
plait::testing::GradientReport gradients(const Layer& layer,
                                         const plait::ParamBuffer<double>& theta);

}  // namespace checks
