#include "dense_ranker.hpp"

#include <utility>

namespace service {
namespace {

Interface interface_of(const plait::Model<float>& model, const std::vector<plait::Head>& heads,
                       const RankerOptions& options) {
  const plait::Shape in = model.in_shape();
  const Index user = std::ssize(options.user_columns);
  return {.user_features = user,
          .candidate_features = in.slots * in.dim - user,
          .columns = plait::column_names(heads)};
}

}  // namespace

DenseRanker::DenseRanker(plait::Model<float> model, std::vector<plait::Head> heads,
                         const RankerOptions& options)
    : Ranker(heads, interface_of(model, heads, options)),
      scorer_(std::move(model), {.shared_inputs = options.user_columns}) {
  for (std::size_t i = 0; i < options.contexts; ++i)
    contexts_.push_back(std::make_unique<plait::ScoringContext<float>>(scorer_.context()));
}

void DenseRanker::compute_logits(std::size_t which, Request& request,
                                 plait::View3<float> logits) const {
  plait::ScoringContext<float>& context = *contexts_[which];
  const float* const candidates = request.candidates.data();
  if (interface().user_features > 0) {
    context.score({request.user.data(), 1, 1, interface().user_features},
                  {candidates, request.rows, 1, interface().candidate_features}, logits);
  } else {
    const plait::Shape in = model().in_shape();
    context.score({candidates, request.rows, in.slots, in.dim}, logits);
  }
}

}  // namespace service
