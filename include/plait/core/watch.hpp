// What a layer with gates and experts lets others see of them. Optional for a layer of one's own,
// which is watched (inspect/expert_watch.hpp) as soon as it has
//
//   watched()                                      what there is to see, level by level
//   watch(theta, workspace, scratch, show)         after a forward with this workspace: calls
//                                                  show(l, experts, gate_weights, statics) for
//                                                  every level
//
// experts [B, E, H]; gate_weights [B, 1, columns], read for units with a gate alone (empty where
// there is none); statics [1, 1, columns], 0 where a unit has none.
#pragma once
#include <concepts>
#include <vector>

#include "plait/core/function_ref.hpp"
#include "plait/core/layer.hpp"
#include "plait/core/param_view.hpp"
#include "plait/core/scratch.hpp"
#include "plait/core/view.hpp"

namespace plait {

struct WatchedLevel {
  Index experts = 0;                             // E
  std::vector<std::vector<Index>> selections{};  // of each unit, the experts that it weighs: as
                                                 // many columns, unit by unit
  std::vector<bool> gated{};                     // of each unit, whether it has a gate
  std::vector<std::vector<Index>> stopped{};     // of each unit, positions of its selection whose
                                                 // experts it passes no gradient to; or empty
  bool makes_output = false;  // the layer's outputs are the units' sums, Σ_j (gate + static) E_j,
                              // a slot for each unit; of the last level alone
};

template <class Scalar>
using ShowLevel =
    FunctionRef<void(Index, View3<const Scalar>, View3<const Scalar>, View3<const Scalar>)>;

template <class L>
concept Watchable = Layer<L> && requires(const L& layer, ParamView<typename L::Scalar> theta,
                                         const typename L::Workspace& recorded, Scratch& scratch,
                                         ShowLevel<typename L::Scalar> show) {
  { layer.watched() } -> std::same_as<std::vector<WatchedLevel>>;
  layer.watch(theta, recorded, scratch, show);
};

}  // namespace plait
