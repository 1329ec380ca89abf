#include "ranker.hpp"

#include <algorithm>
#include <cmath>

#include "dense_ranker.hpp"
#include "errors.hpp"
#include "plait/core/tensor.hpp"
#include "plait/io/encoded_model_file.hpp"
#include "plait/io/model_file.hpp"
#include "plait/losses/predict.hpp"
#include "raw_ranker.hpp"

namespace service {
namespace {

void check_scores(const Ranker& ranker, const std::string& path, std::size_t contexts) {
  const Interface& interface = ranker.interface();
  Request request;
  request.user.resize(static_cast<std::size_t>(interface.user_features));
  request.candidates.resize(static_cast<std::size_t>(interface.candidate_features));
  request.rows = 1;
  for (plait::RawRows* rows : {&request.raw_user, &request.raw_candidates}) {
    *rows = plait::RawRows(interface.raw.size());
    rows->begin_row();
  }
  plait::Tensor<float> scores(1, 1, std::ssize(interface.columns));
  for (std::size_t context = 0; context < contexts; ++context) {
    ranker.score(context, request, scores);
    const std::span all(scores.view().row(0), interface.columns.size());
    if (!std::ranges::all_of(all, [](float score) { return std::isfinite(score); }))
      throw ModelError(path + ": scores of a row of " +
                       (interface.takes_raw() ? "missing values" : "zeros") +
                       ": got NaN or infinity, expected numbers");
  }
}

void require_heads(const std::vector<plait::Head>& heads, const std::string& path) {
  if (heads.empty())
    throw ModelError(path + ": got no heads, expected one per task: what its scores mean");
}

std::unique_ptr<const Ranker> load_any(const std::string& path, const RankerOptions& options) {
  const bool mapped = options.tables == TableRows::mapped;
  auto reader = mapped ? plait::SafetensorsReader::mapped(path) : plait::SafetensorsReader(path);
  if (!plait::has_encoder(reader.header())) {
    if (options.tables != TableRows::floats)
      throw ModelError(path + ": got no tables, expected some with --tables " +
                       (mapped ? "mapped" : "bytes"));
    auto loaded = plait::load<float>(std::move(reader));
    require_heads(loaded.heads, path);
    return std::make_unique<const DenseRanker>(std::move(loaded.model), std::move(loaded.heads),
                                               options);
  }
  if (!options.user_columns.empty())
    throw ModelError(path +
                     ": got --user-columns, expected none: its features say which are the "
                     "user's");
  auto loaded = plait::load_with_encoder<float>(
      std::move(reader), {}, mapped ? plait::Verify::unmapped : plait::Verify::all);
  require_heads(loaded.heads, path);
  return std::make_unique<const RawRanker>(std::move(loaded), options);
}

}  // namespace

void Ranker::score(std::size_t context, Request& request, plait::View3<float> scores) const {
  compute_logits(context, request, scores);
  plait::predict(heads_, scores, scores);
}

std::unique_ptr<const Ranker> load_ranker(const std::string& path, const RankerOptions& options) {
  auto ranker = load_any(path, options);
  check_scores(*ranker, path, options.contexts);
  return ranker;
}

}  // namespace service
