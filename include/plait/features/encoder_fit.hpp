// EncoderFit: one pass over rows, after which there is an encoder.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/counter_random.hpp"
#include "plait/core/error.hpp"
#include "plait/core/hash.hpp"
#include "plait/features/check_features.hpp"
#include "plait/features/column_layout.hpp"
#include "plait/features/feature.hpp"
#include "plait/features/feature_encoder.hpp"
#include "plait/features/raw_value.hpp"
#include "plait/features/text_table.hpp"
#include "plait/features/values.hpp"

namespace plait {

namespace detail {

// Mean and deviation in one pass (Welford 1962).
class RunningMoments {
 public:
  void add(double x) {
    ++count_;
    const double difference = x - mean_;
    mean_ += difference / static_cast<double>(count_);
    squares_ += difference * (x - mean_);
  }
  double mean() const { return mean_; }
  // Of all numbers, not of a sample of them; 1 where all are equal, or as good as equal.
  double deviation() const {
    const double result = count_ > 0 ? std::sqrt(squares_ / static_cast<double>(count_)) : 0;
    return result < (std::numeric_limits<double>::min)() ? 1 : result;
  }

 private:
  std::int64_t count_ = 0;
  double mean_ = 0, squares_ = 0;
};

// Numbers for quantiles: all of them, up to 2^20; from then on each number so far is in the sample
// with the same probability (Vitter 1985, algorithm R), by its place alone.
class QuantileSample {
 public:
  void add(double x) {
    if (numbers_.size() < capacity) {
      numbers_.push_back(x);
    } else {
      const double place = CounterRandom(capacity).at(seen_).uniform() * static_cast<double>(seen_);
      if (place < double{capacity}) numbers_[static_cast<std::size_t>(place)] = x;
    }
    ++seen_;
  }

  // Those that differ, and have numbers below them.
  std::vector<double> boundaries(Index buckets) const {
    std::vector<double> sorted = numbers_, result;
    std::ranges::sort(sorted);
    const auto count = static_cast<std::uint64_t>(buckets);
    for (std::uint64_t i = 1; i < count && !sorted.empty(); ++i) {
      const double x = sorted[static_cast<std::size_t>(sorted.size() * i / count)];
      if (x > (result.empty() ? sorted.front() : result.back())) result.push_back(x);
    }
    return result;
  }

 private:
  static constexpr std::uint32_t capacity = std::uint32_t{1} << 20;

  std::uint64_t seen_ = 1;  // with the next one
  std::vector<double> numbers_;
};

// The values of a vocabulary's table and how often each feature on it had them.
struct ValueCounts {
  std::size_t features = 0;
  TextTable texts = {};
  std::vector<std::uint64_t> counts = {};  // [texts, features]

  void add(std::string_view text, std::size_t feature) {
    const auto at = static_cast<std::size_t>(texts.insert(text));
    if (at * features == counts.size()) counts.resize(counts.size() + features);
    ++counts[at * features + feature];
  }
};

}  // namespace detail

// Add the training rows, once each, then finish. The state is that of a stream: rows are not kept.
// Memory: per different value of a vocabulary 32 to 60 bytes and the value's own; per different
// value of hash, growing and direct features, which are counted for the report, about 40; 8 MB for
// a feature of quantiles.
//
//   EncoderFit fit(config);
//   const ColumnLayout layout = fit.layout(names);
//   while (...) fit.add(row, layout);
//   const FeatureEncoder encoder = fit.finish();
class EncoderFit {
 public:
  // Throws ConfigError as check_features does.
  PLAIT_COLD explicit EncoderFit(EncoderConfig config) : config_(std::move(config)) {
    check_features(config_);
    columns_ = columns_of(config_);
    const detail::Positions positions = detail::positions_of(columns_);
    std::map<std::string_view, std::size_t> tables;
    for (const Feature* first : tables_of(config_)) tables.emplace(table_of(*first), tables.size());
    tables_.resize(tables.size());
    for (const Feature& feature : config_.features) {
      Counting counting{.feature = feature, .values = {feature, positions}};
      counting.seed = xxh64(table_of(feature));
      counting.report.name = feature.name;
      if (!is_number(feature)) {
        counting.table = tables.at(table_of(feature));
        counting.place = tables_[counting.table].features++;
      }
      features_.push_back(std::move(counting));
    }
  }

  std::span<const std::string> columns() const { return columns_; }
  ColumnLayout layout(std::span<const std::string> names, Absent absent = Absent::refused) const {
    return {columns(), names, absent};
  }
  Index rows() const { return rows_; }

  // Throws as FeatureEncoder::encode does; nothing of the row is then counted.
  void add(RawRow row, const ColumnLayout& layout) {
    const detail::RowValues values(row, layout, columns_.size(), config_.missing);
    for (const Counting& counting : features_) check(counting, values);
    for (Counting& counting : features_) count(counting, values);
    ++rows_;
  }

  // The encoder of the rows so far; more may follow, for another one. Throws ValueError without
  // any rows, and for numbers whose deviation exceeds a double's range.
  PLAIT_COLD FeatureEncoder finish() const {
    if (rows_ == 0) throw ValueError("EncoderFit", "rows", "none", "at least one");
    EncoderState state{.config = config_};
    std::vector<std::vector<Index>> ranks(tables_.size());
    const auto tables = tables_of(config_);
    for (std::size_t t = 0; t < tables_.size(); ++t) {
      if (tables[t]->kind != FeatureKind::vocabulary) continue;
      state.vocabularies.push_back(vocabulary(t, ranks[t]));
    }
    for (const Counting& counting : features_) {
      FittedFeature fitted{.report = counting.report};
      fitted.report.rows = rows_;
      finish(counting, ranks, fitted);
      state.fitted.push_back(std::move(fitted));
    }
    return FeatureEncoder(std::move(state));
  }

 private:
  struct Counting {
    Feature feature;
    detail::ValuePlan values;
    std::size_t table = 0;  // of ids
    std::uint64_t seed = 0;
    std::size_t place = 0;  // among the table's features
    detail::RunningMoments moments = {};
    detail::QuantileSample sample = {};
    std::unordered_set<std::uint64_t> distinct = {};  // hashes of values; ids
    FeatureReport report = {};
  };

  // Of what a row may have wrong.
  void check(const Counting& counting, const detail::RowValues& values) {
    const Feature& feature = counting.feature;
    const std::string& column = counting.values.names[0];
    const auto see = [&](std::string_view text) {
      if (feature.kind == FeatureKind::direct)
        detail::direct_id(text, static_cast<std::uint64_t>(feature.rows), column);
      else
        detail::number_of(text, column);
    };
    switch (feature.kind) {
      case FeatureKind::vocabulary:
      case FeatureKind::hash:
      case FeatureKind::growing:
        if (feature.bag) return;
        for (std::size_t i = 0; i < counting.values.columns.size(); ++i)
          detail::single_text(values(counting.values.columns[i]), counting.values.names[i]);
        return;
      default:
        detail::for_each_text(counting.values, values, joined_, see);
    }
  }

  void count(Counting& counting, const detail::RowValues& values) {
    FeatureReport& report = counting.report;
    const Index before = report.ids;
    const bool is_there =
        detail::for_each_text(counting.values, values, joined_, [&](std::string_view text) {
          ++report.ids;
          count(counting, text);
        });
    if (!is_there)
      ++report.missing;
    else if (report.ids == before)
      ++report.empty;
  }

  void count(Counting& counting, std::string_view text) {
    const Feature& feature = counting.feature;
    const std::string& column = counting.values.names[0];
    switch (feature.kind) {
      case FeatureKind::vocabulary:
        return tables_[counting.table].add(text, counting.place);
      case FeatureKind::direct:
        counting.distinct.insert(
            detail::direct_id(text, static_cast<std::uint64_t>(feature.rows), column));
        return;
      case FeatureKind::bucket:
        return counting.sample.add(detail::number_of(text, column));
      case FeatureKind::number: {
        const double x = detail::number_of(text, column);
        return counting.moments.add(feature.log1p ? detail::signed_log1p(x) : x);
      }
      default:
        counting.distinct.insert(xxh64(text, counting.seed));
    }
  }

  // Of a table, and the rank of each of its texts there, -1 for those that have none.
  TextTable vocabulary(std::size_t table, std::vector<Index>& ranks) const {
    const detail::ValueCounts& values = tables_[table];
    const auto size = static_cast<std::size_t>(values.texts.size());
    std::vector<std::uint64_t> counts(size);
    const Feature* settings = nullptr;
    for (const Counting& counting : features_) {
      if (is_number(counting.feature) || counting.table != table) continue;
      settings = &counting.feature;
      if (!counting.feature.counts) continue;
      for (std::size_t i = 0; i < size; ++i)
        counts[i] += values.counts[i * values.features + counting.place];
    }
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < size; ++i)
      if (std::cmp_greater_equal(counts[i], settings->min_count)) order.push_back(i);
    const auto text = [&](std::size_t i) { return values.texts[static_cast<Index>(i)]; };
    std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
      return counts[a] != counts[b] ? counts[a] > counts[b] : text(a) < text(b);
    });
    if (settings->max_size > 0 && std::cmp_greater(order.size(), settings->max_size))
      order.resize(static_cast<std::size_t>(settings->max_size));
    TextTable kept;
    ranks.assign(size, TextTable::none);
    for (const std::size_t i : order) ranks[i] = kept.insert(text(i));
    return kept;
  }

  void finish(const Counting& counting, const std::vector<std::vector<Index>>& ranks,
              FittedFeature& fitted) const {
    const Feature& feature = counting.feature;
    FeatureReport& report = fitted.report;
    report.distinct = report.kept = std::ssize(counting.distinct);
    switch (feature.kind) {
      case FeatureKind::vocabulary: {
        const detail::ValueCounts& values = tables_[counting.table];
        for (std::size_t i = 0; i < ranks[counting.table].size(); ++i) {
          const auto count = values.counts[i * values.features + counting.place];
          const bool is_kept = ranks[counting.table][i] != TextTable::none;
          report.distinct += count > 0 ? 1 : 0;
          report.kept += count > 0 && is_kept ? 1 : 0;
          if (!is_kept) report.unknown += static_cast<Index>(count);
        }
        return;
      }
      case FeatureKind::hash: {
        std::unordered_set<std::uint64_t> taken;
        for (const std::uint64_t hash : counting.distinct)
          taken.insert(in_range(hash, static_cast<std::uint64_t>(feature.buckets)));
        report.kept = std::ssize(taken);
        report.collisions = report.distinct - report.kept;
        return;
      }
      case FeatureKind::bucket:
        fitted.boundaries = feature.boundaries.empty() ? counting.sample.boundaries(feature.buckets)
                                                       : feature.boundaries;
        return;
      case FeatureKind::number:
        if (!feature.standardise) return;
        fitted.mean = counting.moments.mean();
        fitted.deviation = counting.moments.deviation();
        if (!std::isfinite(fitted.mean) || !std::isfinite(fitted.deviation))
          throw ValueError("EncoderFit", "feature " + in_quotes(feature.name),
                           "numbers of a deviation beyond a double's range", "smaller ones");
        return;
      default:
        return;
    }
  }

  EncoderConfig config_;
  std::vector<std::string> columns_;
  std::vector<Counting> features_;
  std::vector<detail::ValueCounts> tables_;
  std::string joined_;
  Index rows_ = 0;
};

}  // namespace plait
