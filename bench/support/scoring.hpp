// The one place where the benchmarks say how plait scores.
#pragma once
#include <utility>

#include "plait/serve/scorer.hpp"

namespace bench {

// A model ready to be scored by one thread.
class Scoring {
 public:
  explicit Scoring(plait::Model<float> model, plait::ScorerOptions options = {})
      : scorer_(std::move(model), std::move(options)) {}

  const plait::Model<float>& model() const { return scorer_.model(); }

  void score(plait::View3<const float> x, plait::View3<float> logits) { context_.score(x, logits); }
  // With the shared columns of the options once, and the others row by row.
  void score(plait::View3<const float> shared, plait::View3<const float> rows,
             plait::View3<float> logits) {
    context_.score(shared, rows, logits);
  }

 private:
  const plait::Scorer<float> scorer_;
  plait::ScoringContext<float> context_ = scorer_.context();
};

}  // namespace bench
