// A model of any architecture, loaded from its file and ready to score.
#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "interface.hpp"
#include "plait/core/view.hpp"
#include "plait/losses/head.hpp"
#include "plait/model/model.hpp"
#include "plait/serve/scorer.hpp"
#include "plait/serve/scoring_context.hpp"

namespace service {

struct RankerOptions {
  std::vector<Index> user_columns = {};  // of the input, the same for all candidates of a request
  std::size_t contexts = 1;              // requests that are scored at the same time
};

class Ranker {
 public:
  // Throws as plait::Scorer does.
  Ranker(plait::Model<float> model, std::vector<plait::Head> heads, const RankerOptions& options);

  const Interface& interface() const { return interface_; }
  const plait::Model<float>& model() const { return scorer_.model(); }

  // scores [B, 1, columns] of candidates [B, 1, features]; user [1, 1, features] is read only where
  // the interface has user features. Calls with different contexts may run at the
  // same time. Does not allocate or lock.
  void score(std::size_t context, plait::View3<const float> user,
             plait::View3<const float> candidates, plait::View3<float> scores) const;

 private:
  plait::Scorer<float> scorer_;
  std::vector<plait::Head> heads_;
  Interface interface_;
  // Behind pointers, since scoring changes a context and not the ranker.
  std::vector<std::unique_ptr<plait::ScoringContext<float>>> contexts_;
};

// Loads a model file, which replays its self-test rows, and scores a row of zeros with every
// context. Throws ModelError when the file says not what the model predicts or the row's scores are
// not finite, and as plait::load and plait::Scorer do.
std::unique_ptr<const Ranker> load_ranker(const std::string& path, const RankerOptions& options);

}  // namespace service
