// ScoringContext: what one thread needs to score a shared model without allocating.
//
// A batch is scored in row tiles, so the context's memory does not depend on the batch, and is
// allocated on construction. A row's logits depend on that row alone, to the last bit: not on the
// rows beside it, the batch or the tiles. Any number of contexts may score one model from as many
// threads; one context serves one thread at a time, which is asserted where assertions are on, and
// so is that its scorer is still there. A context moves and is not copied: construct one per
// thread.
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

#include "plait/core/buffer.hpp"
#include "plait/core/error.hpp"
#include "plait/core/one_user.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/core/scratch.hpp"
#include "plait/core/tensor.hpp"
#include "plait/core/view_argument.hpp"
#include "plait/kernels/packed_weights.hpp"
#include "plait/model/model.hpp"
#include "plait/model/model_link.hpp"
#include "plait/serve/input_split.hpp"

namespace plait {

template <class Scalar>
class Scorer;
template <class Scalar>
class EmbeddingContext;

// Made by Scorer::context.
template <class Scalar_>
class ScoringContext {
 public:
  using Scalar = Scalar_;

  ScoringContext(const ScoringContext&) = delete;
  ScoringContext& operator=(const ScoringContext&) = delete;
  ScoringContext(ScoringContext&&) = default;
  ScoringContext& operator=(ScoringContext&&) = default;

  // logits [B, 1, Σ_t C_t] = network(x [B, S, D]), any B, bit for bit what forward computes, unless
  // the scorer has a reduced precision. A row with NaN or infinity spoils its own logits only.
  // Throws ShapeError, and then leaves logits as they were. Never allocates otherwise, takes no
  // lock.
  void score(ViewArgument<const Scalar> x, ViewArgument<Scalar> logits);

  // The same for the rows of one request: `shared` [1, 1, shared columns] holds the columns that
  // are equal for all of them, in the order of ScorerOptions::shared_inputs, `rows`
  // [B, 1, the other columns] the others, in their order in the input. Equal to score on whole rows
  // up to rounding. Throws ConfigError when the scorer was built without shared_inputs.
  void score(ViewArgument<const Scalar> shared, ViewArgument<const Scalar> rows,
             ViewArgument<Scalar> logits);

 private:
  friend class Scorer<Scalar>;
  friend class EmbeddingContext<Scalar>;

  PLAIT_COLD ScoringContext(const Model<Scalar>& model, const PackedWeights<Scalar>* packed,
                            const InputSplit<Scalar>* split, Index tile_rows);

  void run(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> logits);
  // The two halves of scoring a request: its shared columns once, then any number of its rows.
  void start(View3<const Scalar> shared);
  void run_own(View3<const Scalar> rows, View3<Scalar> logits);

  static void check(const char* argument, View3<const Scalar> view, Index batch, Shape expected);

  detail::ModelLink<const Model<Scalar>> model_;
  detail::OneUser user_;
  const PackedWeights<Scalar>* packed_;
  const InputSplit<Scalar>* split_;           // null: no columns are shared
  std::vector<PackedWeight<Scalar>> mirror_;  // packed_, with the split's parts in place
  AlignedVector<Scalar> starts_;              // of one request
  Index tile_rows_;
  Scratch scratch_;
};

template <class Scalar>
void ScoringContext<Scalar>::score(ViewArgument<const Scalar> x, ViewArgument<Scalar> logits) {
  const detail::OneUser::Use use(user_);
  PLAIT_ASSERT(model_.holds());
  check("x", x, x.batch(), model_->in_shape());
  check("logits", logits, x.batch(), model_->out_shape());
  run(packed_->view(model_->values()), x, logits);
}

template <class Scalar>
void ScoringContext<Scalar>::score(ViewArgument<const Scalar> shared,
                                   ViewArgument<const Scalar> rows, ViewArgument<Scalar> logits) {
  const detail::OneUser::Use use(user_);
  PLAIT_ASSERT(model_.holds());
  if (split_ == nullptr)
    throw ConfigError("ScoringContext", "shared", "a context without shared inputs",
                      "one of a Scorer with shared_inputs");
  check("shared", shared, 1, {1, split_->num_shared()});
  check("rows", rows, rows.batch(), {1, split_->num_own()});
  check("logits", logits, rows.batch(), model_->out_shape());
  start(shared);
  run_own(rows, logits);
}

template <class Scalar>
void ScoringContext<Scalar>::start(View3<const Scalar> shared) {
  split_->start(model_->values(), shared, starts_.data());
}

template <class Scalar>
void ScoringContext<Scalar>::run_own(View3<const Scalar> rows, View3<Scalar> logits) {
  const ParamView<Scalar> values = model_->values();
  run(values.with_packed(mirror_.data()), rows, logits);
}

template <class Scalar>
ScoringContext<Scalar>::ScoringContext(const Model<Scalar>& model,
                                       const PackedWeights<Scalar>* packed,
                                       const InputSplit<Scalar>* split, Index tile_rows)
    : model_(model), packed_(packed), split_(split), tile_rows_(tile_rows) {
  require_config(tile_rows >= 1, "ScoringContext", "tile_rows", text(tile_rows), "at least 1");
  if (split_ != nullptr) {
    starts_.resize(static_cast<std::size_t>(split_->starts_size()));
    mirror_.assign(packed_->weights().begin(), packed_->weights().end());
    split_->redirect(mirror_, starts_.data());
  }
  const Shape in = model.in_shape();
  const Shape out = model.out_shape();
  const Tensor<Scalar> x(tile_rows, in.slots, in.dim);
  Tensor<Scalar> logits(tile_rows, out.slots, out.dim);
  score(x, logits);
}

template <class Scalar>
void ScoringContext<Scalar>::run(ParamView<Scalar> theta, View3<const Scalar> x,
                                 View3<Scalar> logits) {
  for (Index first = 0; first < x.batch(); first += tile_rows_) {
    const Index rows = (std::min)(tile_rows_, x.batch() - first);
    model_->network().forward(theta, x.rows(first, rows), logits.rows(first, rows), nullptr,
                              scratch_);
  }
}

template <class Scalar>
void ScoringContext<Scalar>::check(const char* argument, View3<const Scalar> view, Index batch,
                                   Shape expected) {
  if (view.batch() == batch && view.shape() == expected) return;
  throw ShapeError("ScoringContext", argument,
                   text("[", view.batch(), ", ", view.slots(), ", ", view.dim(), "]"),
                   text("[", batch, ", ", expected.slots, ", ", expected.dim, "]"));
}

#ifdef PLAIT_COMPILED
extern template class ScoringContext<float>;
extern template class ScoringContext<double>;
#endif

}  // namespace plait
