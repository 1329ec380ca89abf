#include "raw_ranker.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "errors.hpp"
#include "plait/core/error.hpp"
#include "plait/features/column_error.hpp"
#include "plait/sparse/serving_tables.hpp"

namespace service {
namespace {

using plait::Side;

Interface interface_of(const plait::FeatureEncoder& encoder,
                       const std::vector<plait::Head>& heads) {
  std::map<std::string, bool> columns;  // whether a feature of the user's reads it
  for (const plait::Feature& feature : encoder.config().features)
    for (const std::string& column : plait::columns_of(feature))
      columns[column] |= feature.side == Side::user;
  Interface interface { .columns = plait::column_names(heads) };
  for (const auto& [name, is_user] : columns) interface.raw.push_back({name, is_user});
  return interface;
}

plait::ColumnLayout layout_of(const plait::FeatureEncoder& encoder, const Interface& interface) {
  std::vector<std::string> names;
  for (const RawColumn& column : interface.raw) names.push_back(column.name);
  return encoder.layout(names);
}

plait::ServingTables<float> serving_tables(plait::EmbeddingTables<float> tables, TableRows rows) {
  if (rows == TableRows::bytes) return plait::ServingTables<float>::quantised(tables);
  return plait::ServingTables<float>(
      std::make_shared<const plait::EmbeddingTables<float>>(std::move(tables)));
}

// What use() throws of a value becomes a RequestError of its row.
template <class Where, class Use>
void of_row(const Where& where, const Use& use) {
  try {
    use();
  } catch (const plait::ColumnError& error) {
    throw RequestError(422, where() + ": " + error.column() + ": got " + error.got() +
                                ", expected " + error.expected());
  }
}

// Beyond one id of every feature.
void require_few_items(const plait::EncodedRows& user, const plait::EncodedRows& candidates,
                       std::size_t features) {
  const std::size_t ids = user.num_ids() + candidates.num_ids();
  const auto rows = static_cast<std::size_t>(user.size() + candidates.size());
  if (ids > most_items + rows * features)
    throw RequestError(413, plait::text("candidates: got lists of more than ", most_items,
                                        " items, the user's counted for every candidate, expected "
                                        "at most ",
                                        most_items));
}

}  // namespace

RawRanker::Context::Context(const plait::FeatureEncoder& encoder,
                            const plait::EmbeddingScorer<float>& scorer)
    : scoring(scorer.context()),
      user(encoder.rows(Side::user)),
      candidates(scorer.has_user() ? encoder.rows(Side::item) : encoder.rows()),
      values(encoder.columns().size()) {}

RawRanker::RawRanker(plait::LoadedWithEncoder<float> loaded, const RankerOptions& options)
    : Ranker(loaded.heads, interface_of(loaded.encoder, loaded.heads)),
      encoder_(std::move(loaded.encoder)),
      layout_(layout_of(encoder_, interface())),
      scorer_(std::move(loaded.model), serving_tables(std::move(loaded.tables), options.tables)) {
  for (std::size_t i = 0; i < options.contexts; ++i)
    contexts_.push_back(std::make_unique<Context>(encoder_, scorer_));
}

void RawRanker::encode(Request& request, Context& context) const {
  context.user.clear();
  context.candidates.clear();
  const std::size_t features = encoder_.config().features.size();
  const plait::RawRow user = request.raw_user.row(0);
  if (scorer_.has_user())
    of_row([] { return std::string("user"); },
           [&] { encoder_.encode(user, layout_, context.user); });
  for (Index b = 0; b < request.rows; ++b) {
    // A candidate has what user has as well: features of items may combine the two.
    const plait::RawRow own = request.raw_candidates.row(b);
    std::ranges::transform(own, user, context.values.begin(),
                           [](const plait::RawValue& value, const plait::RawValue& common) {
                             return value.is_missing() ? common : value;
                           });
    of_row([&] { return plait::text("candidates[", b, "]"); },
           [&] { encoder_.encode(context.values, layout_, context.candidates); });
    require_few_items(context.user, context.candidates, features);
  }
}

void RawRanker::compute_logits(std::size_t which, Request& request,
                               plait::View3<float> logits) const {
  Context& context = *contexts_[which];
  encode(request, context);
  if (scorer_.has_user())
    context.scoring.score(context.user.batch(), context.candidates.batch(), logits);
  else
    context.scoring.score(context.candidates.batch(), logits);
}

}  // namespace service
