// EmbeddingScorer: a model and the tables that its input is looked up in, ready to serve.
//
//   const plait::EmbeddingScorer<float> scorer(std::move(model),
//                                               plait::ServingTables<float>(tables));
//   auto context = scorer.context();                     // one per thread
//   context.score({ids, numbers}, logits);               // no allocation, no lock
//
// Where the description has features of the user (Side::user), a request passes them once:
//
//   context.score(user, candidates, logits);
//
// They are looked up once, and the first layer's share of them is computed once (InputSplit).
// Tables are shared: exchanging the weights of a scorer that serves (live.hpp) copies no table.
#pragma once
#include <algorithm>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/tensor.hpp"
#include "plait/core/view_argument.hpp"
#include "plait/model/model.hpp"
#include "plait/serve/scorer.hpp"
#include "plait/serve/scoring_context.hpp"
#include "plait/sparse/batch.hpp"
#include "plait/sparse/embedding_layout.hpp"
#include "plait/sparse/serving_tables.hpp"

namespace plait {

template <class Scalar>
class EmbeddingContext;

struct EmbeddingScorerOptions {
  ScorerOptions scorer = {};  // its shared_inputs follow from the tables' description
  UnknownIds unknown = UnknownIds::error;
};

// Immutable; stays where it is, as contexts point into it.
template <class Scalar_>
class EmbeddingScorer {
 public:
  using Scalar = Scalar_;

  // Throws ConfigError for a model whose input is not as wide as the tables', for shared_inputs,
  // and what Scorer throws.
  PLAIT_COLD EmbeddingScorer(Model<Scalar> model, ServingTables<Scalar> tables,
                             EmbeddingScorerOptions options = {});
  EmbeddingScorer(const EmbeddingScorer&) = delete;
  EmbeddingScorer& operator=(const EmbeddingScorer&) = delete;

  const Model<Scalar>& model() const { return scorer_.model(); }
  const ServingTables<Scalar>& tables() const { return tables_; }
  // What the two parts of a request hold. Where no feature is the user's, candidates() is the
  // whole.
  const EmbeddingLayout& user() const { return user_; }
  const EmbeddingLayout& candidates() const { return candidates_; }
  bool has_user() const { return user_.width() > 0 && candidates_.width() > 0; }

  // What one thread needs to score; the scorer must outlive it. Throws ConfigError for tile_rows
  // below 1.
  EmbeddingContext<Scalar> context(Index tile_rows = 64) const& {
    return EmbeddingContext<Scalar>(*this, tile_rows);
  }
  EmbeddingContext<Scalar> context(Index = 64) const&& = delete;

 private:
  friend class EmbeddingContext<Scalar>;

  PLAIT_COLD static ScorerOptions with_shared(ScorerOptions options, const Model<Scalar>& model,
                                              const EmbeddingLayout& layout);

  ServingTables<Scalar> tables_;
  EmbeddingLayout user_;
  EmbeddingLayout candidates_;
  UnknownIds unknown_;
  Scorer<Scalar> scorer_;
};

// Made by EmbeddingScorer::context. Serves one thread at a time; moves and is not copied.
template <class Scalar_>
class EmbeddingContext {
 public:
  using Scalar = Scalar_;

  // logits [B, 1, Σ_t C_t] of whole rows, any B: a row's depend on that row alone, to the last bit.
  // Throws what EmbeddingLayout::check does, and ShapeError for logits, and then leaves them as
  // they were. Never allocates otherwise, takes no lock.
  void score(const FeatureBatch<Scalar>& rows, ViewArgument<Scalar> logits);

  // The same for the rows of one request: `user`, one row of the features and numbers of the user,
  // and `candidates` [B], those of the candidates, each in the order of the description. Equal to
  // score on whole rows up to rounding. Throws ConfigError where the description has only one side.
  void score(const FeatureBatch<Scalar>& user, const FeatureBatch<Scalar>& candidates,
             ViewArgument<Scalar> logits);

 private:
  friend class EmbeddingScorer<Scalar>;

  PLAIT_COLD EmbeddingContext(const EmbeddingScorer<Scalar>& scorer, Index tile_rows);

  void check(const EmbeddingLayout& layout, const FeatureBatch<Scalar>& batch,
             View3<Scalar> logits) const;

  const EmbeddingScorer<Scalar>* scorer_;
  ScoringContext<Scalar> context_;
  Tensor<Scalar> x_;     // [tile, 1, width]
  Tensor<Scalar> user_;  // [1, 1, user's width]
  Index tile_rows_;
};

template <class Scalar>
ScorerOptions EmbeddingScorer<Scalar>::with_shared(ScorerOptions options,
                                                   const Model<Scalar>& model,
                                                   const EmbeddingLayout& layout) {
  const Shape in = model.in_shape();
  require_config(in == Shape{1, layout.width()}, "EmbeddingScorer", "tables",
                 text("a width of ", layout.width()),
                 text("the model's input, ", in.slots, " slot(s) of ", in.dim));
  require_config(options.shared_inputs.empty(), "EmbeddingScorer", "shared_inputs",
                 text(options.shared_inputs.size(), " columns"),
                 "none: they follow from the features' sides");
  options.shared_inputs = layout.shared_columns();
  if (std::ssize(options.shared_inputs) == layout.width()) options.shared_inputs.clear();
  return options;
}

template <class Scalar>
EmbeddingScorer<Scalar>::EmbeddingScorer(Model<Scalar> model, ServingTables<Scalar> tables,
                                         EmbeddingScorerOptions options)
    : tables_(std::move(tables)),
      user_(tables_.layout().part(Side::user)),
      candidates_(tables_.layout().part(Side::item)),
      unknown_(options.unknown),
      scorer_([&] {
        ScorerOptions scorer = with_shared(std::move(options.scorer), model, tables_.layout());
        return Scorer<Scalar>(std::move(model), std::move(scorer));
      }()) {}

template <class Scalar>
EmbeddingContext<Scalar>::EmbeddingContext(const EmbeddingScorer<Scalar>& scorer, Index tile_rows)
    : scorer_(&scorer),
      context_(scorer.scorer_.context(tile_rows)),
      x_(tile_rows, 1, scorer.tables_.layout().width()),
      user_(1, 1, scorer.user_.width()),
      tile_rows_(tile_rows) {}

template <class Scalar>
void EmbeddingContext<Scalar>::check(const EmbeddingLayout& layout,
                                     const FeatureBatch<Scalar>& batch,
                                     View3<Scalar> logits) const {
  layout.check(batch, "EmbeddingContext", scorer_->unknown_);
  const Shape out = scorer_->model().out_shape();
  if (logits.batch() != batch.batch() || !(logits.shape() == out))
    throw ShapeError("EmbeddingContext", "logits",
                     text("[", logits.batch(), ", ", logits.slots(), ", ", logits.dim(), "]"),
                     text("[", batch.batch(), ", ", out.slots, ", ", out.dim, "]"));
}

template <class Scalar>
void EmbeddingContext<Scalar>::score(const FeatureBatch<Scalar>& rows,
                                     ViewArgument<Scalar> logits) {
  const EmbeddingLayout& layout = scorer_->tables_.layout();
  check(layout, rows, logits);
  for (Index first = 0; first < rows.batch(); first += tile_rows_) {
    const Index count = (std::min)(tile_rows_, rows.batch() - first);
    x_.resize(count, 1, layout.width());
    scorer_->tables_.lookup(layout, rows.rows(first, count), x_);
    context_.score(x_, logits.rows(first, count));
  }
}

template <class Scalar>
void EmbeddingContext<Scalar>::score(const FeatureBatch<Scalar>& user,
                                     const FeatureBatch<Scalar>& candidates,
                                     ViewArgument<Scalar> logits) {
  require_config(scorer_->has_user(), "EmbeddingContext", "user", "a description of one side",
                 "features of the user and of the candidates");
  check(scorer_->candidates_, candidates, logits);
  if (user.batch() != 1)
    throw ShapeError("EmbeddingContext", "user", text(user.batch(), " rows"), "1");
  scorer_->user_.check(user, "EmbeddingContext", scorer_->unknown_);
  scorer_->tables_.lookup(scorer_->user_, user, user_);
  context_.start(user_);
  for (Index first = 0; first < candidates.batch(); first += tile_rows_) {
    const Index count = (std::min)(tile_rows_, candidates.batch() - first);
    x_.resize(count, 1, scorer_->candidates_.width());
    scorer_->tables_.lookup(scorer_->candidates_, candidates.rows(first, count), x_);
    context_.run_own(x_, logits.rows(first, count));
  }
}

#ifdef PLAIT_COMPILED
extern template class EmbeddingScorer<float>;
extern template class EmbeddingScorer<double>;
extern template class EmbeddingContext<float>;
extern template class EmbeddingContext<double>;
#endif

}  // namespace plait
