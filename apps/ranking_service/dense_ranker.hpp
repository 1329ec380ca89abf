// A model whose requests have numbers.
#pragma once
#include <cstddef>
#include <memory>
#include <vector>

#include "plait/serve/scorer.hpp"
#include "plait/serve/scoring_context.hpp"
#include "ranker.hpp"

namespace service {

class DenseRanker final : public Ranker {
 public:
  // Throws as plait::Scorer does.
  DenseRanker(plait::Model<float> model, std::vector<plait::Head> heads,
              const RankerOptions& options);

  const plait::Model<float>& model() const override { return scorer_.model(); }

 private:
  void compute_logits(std::size_t context, Request& request,
                      plait::View3<float> logits) const override;

  plait::Scorer<float> scorer_;
  // Behind pointers, since scoring changes a context and not the ranker.
  std::vector<std::unique_ptr<plait::ScoringContext<float>>> contexts_;
};

}  // namespace service
