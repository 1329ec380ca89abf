// The one place where the benchmarks say how plait scores.
#pragma once
#include "plait/serve/scoring_context.hpp"

namespace bench {

// A model ready to be scored by one thread. The model outlives it.
template <class Model>
class Scoring {
 public:
  explicit Scoring(const Model& model) : context_(model) {}

  void score(plait::View3<const float> x, plait::View3<float> logits) { context_.score(x, logits); }

 private:
  plait::ScoringContext<Model> context_;
};

}  // namespace bench
