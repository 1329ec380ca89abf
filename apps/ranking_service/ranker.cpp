#include "ranker.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "errors.hpp"
#include "plait/core/tensor.hpp"
#include "plait/io/model_file.hpp"
#include "plait/losses/predict.hpp"

namespace service {
namespace {

void check_scores(const Ranker& ranker, const std::string& path, std::size_t contexts) {
  const Interface& interface = ranker.interface();
  const plait::Tensor<float> user(1, 1, interface.user_features);
  const plait::Tensor<float> candidate(1, 1, interface.candidate_features);
  plait::Tensor<float> scores(1, 1, std::ssize(interface.columns));
  for (std::size_t context = 0; context < contexts; ++context) {
    ranker.score(context, user, candidate, scores);
    const std::span all(scores.view().row(0), interface.columns.size());
    if (!std::ranges::all_of(all, [](float score) { return std::isfinite(score); }))
      throw ModelError(path + ": scores of a row of zeros: got NaN or infinity, expected numbers");
  }
}

}  // namespace

Ranker::Ranker(plait::Model<float> model, std::vector<plait::Head> heads,
               const RankerOptions& options)
    : scorer_(std::move(model), {.shared_inputs = options.user_columns}), heads_(std::move(heads)) {
  const plait::Shape in = scorer_.model().in_shape();
  interface_.user_features = std::ssize(options.user_columns);
  interface_.candidate_features = in.slots * in.dim - interface_.user_features;
  interface_.columns = plait::column_names(heads_);
  for (std::size_t i = 0; i < options.contexts; ++i)
    contexts_.push_back(std::make_unique<plait::ScoringContext<float>>(scorer_.context()));
}

void Ranker::score(std::size_t which, plait::View3<const float> user,
                   plait::View3<const float> candidates, plait::View3<float> scores) const {
  plait::ScoringContext<float>& context = *contexts_[which];
  if (interface_.user_features > 0) {
    context.score(user, candidates, scores);
  } else {
    const plait::Shape in = model().in_shape();
    context.score({candidates.data(), candidates.batch(), in.slots, in.dim}, scores);
  }
  plait::predict(heads_, scores, scores);
}

std::unique_ptr<const Ranker> load_ranker(const std::string& path, const RankerOptions& options) {
  auto loaded = plait::load<float>(path);
  if (loaded.heads.empty())
    throw ModelError(path + ": got no heads, expected one per task: what its scores mean");
  auto ranker =
      std::make_unique<const Ranker>(std::move(loaded.model), std::move(loaded.heads), options);
  check_scores(*ranker, path, options.contexts);
  return ranker;
}

}  // namespace service
