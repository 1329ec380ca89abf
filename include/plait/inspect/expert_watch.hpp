// ExpertWatch: a pass over data that looks at what a model's gates and experts do (core/watch.hpp).
// The report of a trunk that shows nothing has no levels.
//
//   ExpertWatch watch(model);
//   watch.add(x);                              // as many batches as you like
//   std::cout << watch.report().csv();
#pragma once
#include <algorithm>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/network.hpp"
#include "plait/core/one_user.hpp"
#include "plait/core/scratch.hpp"
#include "plait/core/tensor.hpp"
#include "plait/core/view.hpp"
#include "plait/core/view_argument.hpp"
#include "plait/core/watch.hpp"
#include "plait/inspect/expert_report.hpp"
#include "plait/inspect/level_sums.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/kernels/selections.hpp"
#include "plait/model/model.hpp"
#include "plait/model/model_link.hpp"

namespace plait {

// Reads `model`, which must outlive the watch; runs its trunk forward in
// row tiles, with memory of its own, and sums in double. The model may be trained between calls,
// the report is then the mean over what was seen. Not thread-safe, and the model is not to change
// during a call. Allocates on the first call.
template <class Scalar_>
class ExpertWatch {
 public:
  using Scalar = Scalar_;

  explicit ExpertWatch(const Model<Scalar>& model);
  explicit ExpertWatch(const Model<Scalar>&&) = delete;  // it would not outlive the call

  // x [B, S, D]. Throws before anything is added: ShapeError for other slots or another dim than
  // the model's, ValueError for NaN and infinity, ConfigError when the model was destroyed or moved
  // from.
  void add(ViewArgument<const Scalar> x);

  // Of all rows so far.
  ExpertReport report() const;

 private:
  static constexpr Index tile_rows = 128;

  detail::ModelLink<const Model<Scalar>> model_;
  detail::OneUser user_;
  std::vector<detail::LevelSums<Scalar>> sums_;
  Index rows_ = 0;
  typename Network<Scalar>::Workspace workspace_;
  Scratch scratch_;
  Tensor<Scalar> y_;
};

template <class Scalar>
ExpertWatch<Scalar>::ExpertWatch(const Model<Scalar>& model) : model_(model) {
  for (const WatchedLevel& level : model.trunk().watched())
    sums_.emplace_back(Selections(level.selections, level.experts), level.gated);
}

template <class Scalar>
void ExpertWatch<Scalar>::add(ViewArgument<const Scalar> x) {
  const detail::OneUser::Use use(user_);
  model_.require("ExpertWatch");
  const Shape expected = model_->in_shape();
  if (x.shape() != expected)
    throw ShapeError("ExpertWatch", "x", text("[", x.batch(), ", ", x.slots(), ", ", x.dim(), "]"),
                     text("[batch, ", expected.slots, ", ", expected.dim, "]"));
  for (Index s = 0; s < x.slots(); ++s)
    if (!kernels::all_finite(x.slot(s)))
      throw ValueError("ExpertWatch", "x", text("NaN or infinity in slot ", s), "finite numbers");
  const auto& trunk = model_->trunk();
  const Shape out = trunk.out_shape();
  for (Index first = 0; first < x.batch(); first += tile_rows) {
    const View3<const Scalar> tile = x.rows(first, (std::min)(tile_rows, x.batch() - first));
    y_.resize(tile.batch(), out.slots, out.dim);
    trunk.forward(model_->values(), tile, y_, &workspace_, scratch_);
    trunk.watch(model_->values(), workspace_, scratch_,
                [&](Index level, View3<const Scalar> experts, View3<const Scalar> gate_weights,
                    View3<const Scalar> statics) {
                  sums_[static_cast<std::size_t>(level)].add(experts, gate_weights, statics);
                });
  }
  rows_ += x.batch();
}

template <class Scalar>
ExpertReport ExpertWatch<Scalar>::report() const {
  ExpertReport result;
  result.rows = rows_;
  for (const auto& sums : sums_) result.levels.push_back(sums.report());
  return result;
}

#ifdef PLAIT_COMPILED
extern template class ExpertWatch<float>;
extern template class ExpertWatch<double>;
#endif

}  // namespace plait
