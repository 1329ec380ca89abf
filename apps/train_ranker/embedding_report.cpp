#include "embedding_report.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <set>
#include <string>
#include <unordered_set>

#include "format.hpp"
#include "plait/features/feature_report.hpp"
#include "plait/sparse/embedding_layout.hpp"
#include "plait/sparse/embedding_tables.hpp"
#include "report.hpp"

namespace ranker {
namespace {

// Calls visit(feature, id) for every id of some rows.
template <class Visit>
void for_each_id(const EncodedFeatures& data, std::span<const Index> rows, const Visit& visit) {
  const plait::SparseBatch& batch = data.rows().sparse;
  for (Index f = 0; f < batch.num_features(); ++f) {
    const plait::SparseFeature feature = batch.feature(f);
    for (const Index row : rows) {
      const plait::SparseFeature bag = batch.rows(row, 1).feature(f);
      if (feature.offsets.empty()) {
        visit(f, bag.ids[0]);
        continue;
      }
      for (std::int64_t i = bag.offsets[0]; i < bag.offsets[1]; ++i)
        visit(f, feature.ids[static_cast<std::size_t>(i)]);
    }
  }
}

// [tables], the ids that some rows name.
std::vector<std::unordered_set<std::uint64_t>> named_ids(const EncodedFeatures& data,
                                                         std::span<const Index> rows) {
  const plait::EmbeddingLayout layout(data.embeddings());
  std::vector<std::unordered_set<std::uint64_t>> named(data.embeddings().tables.size());
  for_each_id(data, rows, [&](Index f, std::uint64_t id) {
    named[static_cast<std::size_t>(layout.table_of(f))].insert(id);
  });
  return named;
}

std::string percent(double share) { return fixed(100 * share, 2); }

}  // namespace

std::vector<RowNorms> row_norms(const plait::EmbeddingTables<float>& tables,
                                const EncodedFeatures& data, std::span<const Index> rows) {
  const auto named = named_ids(data, rows);
  std::vector<RowNorms> result(named.size());
  for (std::size_t t = 0; t < named.size(); ++t) {
    RowNorms& norms = result[t];
    const plait::IdMap* const ids = tables.ids(static_cast<Index>(t));
    std::set<std::uint64_t> touched;  // in an order, as their norms are summed
    for (const std::uint64_t id : named[t]) touched.insert(ids == nullptr ? id : ids->row(id));
    for (const std::uint64_t row : touched) {
      double squares = 0;
      for (const float number : tables.row(static_cast<Index>(t), static_cast<Index>(row)))
        squares += double{number} * double{number};
      const double norm = std::sqrt(squares);
      ++norms.touched;
      norms.mean += (norm - norms.mean) / static_cast<double>(norms.touched);
      norms.largest = std::max(norms.largest, norm);
    }
  }
  return result;
}

Table feature_table(const Dataset& data) {
  const plait::EncoderState& state = data.encoded->encoder().state();
  std::vector<std::size_t> of_ids;  // positions among all features
  for (std::size_t f = 0; f < state.config.features.size(); ++f)
    if (!plait::is_number(state.config.features[f])) of_ids.push_back(f);

  const plait::EmbeddingLayout layout(data.encoded->embeddings());
  const auto trained = named_ids(*data.encoded, data.train);
  std::vector<Index> ids(of_ids.size()), unseen(of_ids.size());
  for_each_id(*data.encoded, data.test, [&](Index f, std::uint64_t id) {
    const auto i = static_cast<std::size_t>(f);
    const auto kind = state.config.features[of_ids[i]].kind;
    const auto& of_table = trained[static_cast<std::size_t>(layout.table_of(f))];
    ++ids[i];
    const bool is_unknown = kind == plait::FeatureKind::vocabulary && id == 0;
    if (is_unknown || !of_table.contains(id)) ++unseen[i];
  });

  Table table{
      {"feature", "kind", "table", "distinct", "missing %", "empty %", "collisions", "unseen %"},
      {}};
  for (std::size_t i = 0; i < of_ids.size(); ++i) {
    const plait::Feature& feature = state.config.features[of_ids[i]];
    const plait::FeatureReport& report = state.fitted[of_ids[i]].report;
    const auto kind = static_cast<std::size_t>(feature.kind);
    table.rows.push_back(
        {feature.name, std::string(plait::EnumNames<plait::FeatureKind>::names[kind]),
         plait::table_of(feature), grouped(report.distinct), percent(report.missing_share()),
         percent(report.empty_share()), grouped(report.collisions),
         percent(plait::FeatureReport::share(unseen[i], ids[i]))});
  }
  return table;
}

Table table_table(const Dataset& data, std::span<const Result> results) {
  Table table{{"table", "rows", "bytes", "touched"}, {}};
  for (const Result& result : results)
    if (!result.tables.empty()) table.header.push_back(result.model + " norm (largest)");
  const auto& tables = data.encoded->embeddings().tables;
  for (std::size_t t = 0; t < tables.size(); ++t) {
    const auto bytes = tables[t].rows * tables[t].dim * static_cast<Index>(sizeof(float));
    std::vector<std::string> row{tables[t].name, grouped(tables[t].rows), grouped(bytes), "-"};
    for (const Result& result : results) {
      if (result.tables.empty()) continue;
      const RowNorms& norms = result.tables[t];
      row[3] = grouped(norms.touched);
      row.push_back(fixed(norms.mean, 4) + " (" + fixed(norms.largest, 4) + ')');
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace ranker
