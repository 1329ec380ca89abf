// ExpertWatch: a pass over data that looks at what a model's gates and experts do.
//
//   ExpertWatch watch(model);
//   watch.add(x);                              // as many batches as you like
//   std::cout << watch.report().csv();
#pragma once
#include <algorithm>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/scratch.hpp"
#include "plait/core/tensor.hpp"
#include "plait/core/view.hpp"
#include "plait/inspect/expert_report.hpp"
#include "plait/inspect/level_sums.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/layers/asymmetric.hpp"
#include "plait/layers/customized_sharing.hpp"
#include "plait/layers/fusion_stack.hpp"

namespace plait {

namespace detail {

// The sums of a trunk's levels, empty, and what a forward pass adds to them. An architecture of
// fusion levels has as many levels; asymmetric and customized sharing have one, of networks and
// without units: they join the networks instead of weighing them.
template <class Expert, class GateBody>
std::vector<LevelSums> level_sums(const FusionStack<Expert, GateBody>& trunk) {
  std::vector<LevelSums> sums;
  for (const auto& level : trunk.levels()) {
    std::vector<bool> gated;
    for (Index u = 0; u < level.selections().units(); ++u) gated.push_back(level.has_gate(u));
    sums.emplace_back(level.selections(), std::move(gated));
  }
  return sums;
}
template <class Expert, class GateBody>
void add_levels(const FusionStack<Expert, GateBody>& trunk,
                ParamView<const typename Expert::Scalar> theta,
                const typename FusionStack<Expert, GateBody>::Workspace& workspace,
                Scratch& scratch, std::vector<LevelSums>& sums) {
  using Scalar = typename Expert::Scalar;
  for (std::size_t l = 0; l < sums.size(); ++l) {
    const Scratch::Frame frame(scratch);
    const auto& level = trunk.levels()[l];
    const auto statics = scratch.take<Scalar>(1, 1, level.selections().columns());
    level.static_weights(theta, statics);
    sums[l].add<Scalar>(workspace.levels[l].experts.slot_major(), workspace.levels[l].gate_weights,
                        statics);
  }
}

template <class Trunk>
concept JoinsNetworks = requires(const typename Trunk::Workspace& workspace) {
  workspace.networks;
};
template <JoinsNetworks Trunk>
std::vector<LevelSums> level_sums(const Trunk& trunk) {
  return {LevelSums(Selections({}, trunk.num_networks()), {})};
}
template <JoinsNetworks Trunk>
void add_levels(const Trunk&, ParamView<const typename Trunk::Scalar>,
                const typename Trunk::Workspace& workspace, Scratch&,
                std::vector<LevelSums>& sums) {
  sums.front().add<typename Trunk::Scalar>(workspace.networks.slot_major(), {}, {});
}

}  // namespace detail

// Reads `model`, a Model or AuxiliaryModel, which must outlive the watch; runs its trunk forward in
// row tiles, with memory of its own, and sums in double. The model may be trained between calls,
// the report is then the mean over what was seen. Not thread-safe, and the model is not to change
// during a call. Allocates on the first call.
template <class ModelType>
class ExpertWatch {
 public:
  using Scalar = typename ModelType::Scalar;

  explicit ExpertWatch(const ModelType& model)
      : model_(&model), sums_(detail::level_sums(model.trunk())) {}
  explicit ExpertWatch(const ModelType&&) = delete;  // it would not outlive the call

  // x [B, S, D]. Throws before anything is added: ShapeError for other slots or another dim than
  // the model's, ValueError for NaN and infinity.
  void add(View3<const Scalar> x) {
    const Shape expected = model_->in_shape();
    if (x.shape() != expected)
      throw ShapeError("ExpertWatch", "x",
                       text("[", x.batch(), ", ", x.slots(), ", ", x.dim(), "]"),
                       text("[batch, ", expected.slots, ", ", expected.dim, "]"));
    for (Index s = 0; s < x.slots(); ++s)
      if (!all_finite(x.slot(s)))
        throw ValueError("ExpertWatch", "x", text("NaN or infinity in slot ", s), "finite numbers");
    const auto& trunk = model_->trunk();
    const Shape out = trunk.out_shape();
    for (Index first = 0; first < x.batch(); first += tile_rows) {
      const View3<const Scalar> tile = x.rows(first, std::min(tile_rows, x.batch() - first));
      y_.resize(tile.batch(), out.slots, out.dim);
      trunk.forward(model_->values(), tile, y_, workspace_, scratch_);
      detail::add_levels(trunk, model_->values(), workspace_, scratch_, sums_);
    }
    rows_ += x.batch();
  }

  // Of all rows so far.
  ExpertReport report() const {
    ExpertReport result;
    result.rows = rows_;
    for (const auto& sums : sums_) result.levels.push_back(sums.report());
    return result;
  }

 private:
  static constexpr Index tile_rows = 128;

  const ModelType* model_;
  std::vector<detail::LevelSums> sums_;
  Index rows_ = 0;
  typename ModelType::Trunk::Workspace workspace_;
  Scratch scratch_;
  Tensor<Scalar> y_;
};

}  // namespace plait
