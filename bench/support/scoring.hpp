// The one place where the benchmarks say how plait scores.
#pragma once
#include <utility>

#include "plait/serve/scorer.hpp"

namespace bench {

// A model ready to be scored by one thread.
template <class Model>
class Scoring {
 public:
  explicit Scoring(Model model, plait::ScorerOptions options = {})
      : scorer_(std::move(model), std::move(options)) {}

  const Model& model() const { return scorer_.model(); }

  void score(plait::View3<const float> x, plait::View3<float> logits) { context_.score(x, logits); }
  // With the shared columns of the options once, and the others row by row.
  void score(plait::View3<const float> shared, plait::View3<const float> rows,
             plait::View3<float> logits) {
    context_.score(shared, rows, logits);
  }

 private:
  const plait::Scorer<Model> scorer_;
  typename plait::Scorer<Model>::Context context_ = scorer_.context();
};

}  // namespace bench
