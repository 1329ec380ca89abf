// ScoringContext: what one thread needs to score a shared model without allocating.
//
// A batch is scored in row tiles, so the context's memory does not depend on the batch, and is
// allocated on construction. Any number of contexts may score one model from as many threads, as
// long as nobody changes the model's values meanwhile; one context serves one thread at a time. A
// context moves and is not copied: construct one per thread.
#pragma once
#include <algorithm>
#include <memory>

#include "plait/core/error.hpp"
#include "plait/core/layer.hpp"
#include "plait/core/params.hpp"
#include "plait/core/scratch.hpp"
#include "plait/core/tensor.hpp"

namespace plait {

template <class ModelType>
class ScoringContext {
 public:
  using Scalar = typename ModelType::Scalar;

  // The model must outlive the context. Scores one tile of zeros, which plans all memory. Throws
  // ConfigError for tile_rows below 1.
  explicit ScoringContext(const ModelType& model, Index tile_rows = 64)
      : model_(&model), table_(model.values().shared_table()), tile_rows_(tile_rows) {
    require_config(tile_rows >= 1, "ScoringContext", "tile_rows", text(tile_rows), "at least 1");
    const Shape in = model.in_shape();
    const Shape out = model.out_shape();
    const Tensor<Scalar> x(tile_rows, in.slots, in.dim);
    Tensor<Scalar> logits(tile_rows, out.slots, out.dim);
    score(x, logits);
  }

  explicit ScoringContext(const ModelType&&, Index = 0) = delete;  // it would not outlive the call
  ScoringContext(const ScoringContext&) = delete;
  ScoringContext& operator=(const ScoringContext&) = delete;
  ScoringContext(ScoringContext&&) = default;
  ScoringContext& operator=(ScoringContext&&) = default;

  // logits [B, 1, Σ_t C_t] = network(x [B, S, D]), any B, bit for bit what forward computes on the
  // same tiles. A row with NaN or infinity spoils its own logits only. Throws ShapeError, and then
  // leaves logits as they were. Never allocates otherwise, takes no lock.
  void score(View3<const Scalar> x, View3<Scalar> logits) {
    require_schema("ScoringContext", "model", model_->values().shared_table(), table_);
    check("x", x, x.batch(), model_->in_shape());
    check("logits", logits, x.batch(), model_->out_shape());
    for (Index first = 0; first < x.batch(); first += tile_rows_) {
      const Index rows = std::min(tile_rows_, x.batch() - first);
      model_->network().infer(model_->values(), x.rows(first, rows), logits.rows(first, rows),
                              scratch_);
    }
  }

 private:
  static void check(const char* argument, View3<const Scalar> view, Index batch, Shape expected) {
    if (view.batch() == batch && view.shape() == expected) return;
    throw ShapeError("ScoringContext", argument,
                     text("[", view.batch(), ", ", view.slots(), ", ", view.dim(), "]"),
                     text("[", batch, ", ", expected.slots, ", ", expected.dim, "]"));
  }

  const ModelType* model_;
  std::shared_ptr<const ParamTable> table_;
  Index tile_rows_;
  Scratch scratch_;
};

}  // namespace plait
