// Scorer: a model ready to serve, its weights packed once for the product kernels.
//
//   const plait::Scorer scorer(std::move(model));          // shared by all threads
//   auto context = scorer.context();                       // one per thread
//   context.score(x, logits);                              // no allocation, no lock
//
// With `shared_inputs`, a request that scores many candidates of one user passes the user's columns
// once: context.score(user, candidates, logits).
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plait/kernels/packed_weights.hpp"
#include "plait/model/model.hpp"
#include "plait/model/precision.hpp"
#include "plait/serve/input_split.hpp"
#include "plait/serve/scoring_context.hpp"

namespace plait {

struct ScorerOptions {
  std::vector<Index> shared_inputs = {};  // input columns that are equal for all rows of a request
  Precision precision = Precision::full;
  std::vector<std::string> keep = {};  // patterns of weights that stay in full precision
};

template <class Scalar_>
class Scorer {
 public:
  using Scalar = Scalar_;
  using Context = ScoringContext<Scalar>;

  // Takes the model and packs its weights. Throws ConfigError for shared_inputs that cannot be
  // split from the rest (see InputSplit), for bf16 of a model of doubles, and for a pattern of
  // `keep` that matches no weight.
  PLAIT_COLD explicit Scorer(Model<Scalar> model, ScorerOptions options = {});

  // Contexts point into the scorer, which therefore stays where it is: hold it by std::unique_ptr
  // or std::shared_ptr to hand it around.
  Scorer(const Scorer&) = delete;
  Scorer& operator=(const Scorer&) = delete;

  const Model<Scalar>& model() const { return model_; }

  // Takes other values of the same parameters, those of a model that is being trained:
  // scorer.refresh(model.values()). Contexts stay good; none may score meanwhile (to exchange
  // weights while threads score, see live.hpp). Throws ShapeError for others, and has changed
  // nothing then.
  void refresh(const ParamBuffer<Scalar>& values);

  // What one thread needs to score; the scorer must outlive it. Any number of contexts may score at
  // the same time. Throws ConfigError for tile_rows below 1.
  Context context(Index tile_rows = 64) const&;
  Context context(Index = 64) const&& = delete;  // the scorer would not outlive the call

 private:
  Model<Scalar> model_;
  PackedWeights<Scalar> packed_;
  std::optional<InputSplit<Scalar>> split_;
};

template <class Scalar>
Scorer<Scalar>::Scorer(Model<Scalar> model, ScorerOptions options)
    : model_(std::move(model)),
      packed_(model_.table(),
              reduced_weights<Scalar>(model_.table(), options.precision, options.keep)) {
  packed_.pack(model_.values());
  if (!options.shared_inputs.empty())
    split_.emplace(model_.network(), model_.values(), std::move(options.shared_inputs),
                   reduced_weights<Scalar>(model_.table(), options.precision, options.keep));
}

template <class Scalar>
void Scorer<Scalar>::refresh(const ParamBuffer<Scalar>& values) {
  model_.load(values);
  packed_.pack(model_.values());
  if (split_) split_->pack(model_.values());
}

template <class Scalar>
ScoringContext<Scalar> Scorer<Scalar>::context(Index tile_rows) const& {
  return Context(model_, &packed_, split_ ? &*split_ : nullptr, tile_rows);
}

#ifdef PLAIT_COMPILED
extern template class Scorer<float>;
extern template class Scorer<double>;
#endif

}  // namespace plait
