// With which probabilities a layer draws its routes: what training has learned of them so far, by
// the parameters alone, without rows and without a draw. Optional for a layer of one's own:
//
//   drawn_routes(theta)             as below
//
// During a warm-up training draws otherwise; scoring draws nothing.
#pragma once
#include <concepts>
#include <vector>

#include "plait/core/layer.hpp"
#include "plait/core/param_view.hpp"
#include "plait/core/view.hpp"

namespace plait {

// Empty where a layer draws nothing of the kind.
struct DrawnRoutes {
  // By level, [units, experts], in the order of core/watch.hpp: that the unit is connected to the
  // expert (SNR: P(z ≠ 0)), or takes it and no other (learning to branch: rows sum to 1).
  std::vector<Matrix<double>> levels{};
  // [tasks, blocks]: that the task executes the block (AdaShare).
  Matrix<double> blocks{};
};

template <class L>
concept TellsDrawnRoutes = Layer<L> &&
    requires(const L& layer, ParamView<typename L::Scalar> theta) {
  { layer.drawn_routes(theta) } -> std::same_as<DrawnRoutes>;
};

}  // namespace plait
