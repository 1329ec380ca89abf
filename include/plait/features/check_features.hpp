// What a description of features must be for an encoder to be made of it.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/features/feature.hpp"
#include "plait/sparse/id_map.hpp"

namespace plait {

namespace detail {

// Checks one feature by itself.
class FeatureCheck {
 public:
  explicit FeatureCheck(const Feature& feature) : feature_(feature) {}

  PLAIT_COLD void run() const {
    using enum FeatureKind;
    const Feature& f = feature_;
    require(!f.name.empty(), "name", "none", "a name");
    columns();
    belongs("dim", f.dim != 0, !is_number(f));
    belongs("table", !f.table.empty(), !is_number(f));
    belongs("pooling", f.pooling != Pooling::sum, !is_number(f));
    belongs("bag", f.bag.has_value(), !is_number(f));
    belongs("min_count", f.min_count != 2, f.kind == vocabulary);
    belongs("max_size", f.max_size != 0, f.kind == vocabulary);
    belongs("counts", !f.counts, f.kind == vocabulary);
    belongs("buckets", f.buckets != 0, f.kind == hash || f.kind == bucket);
    belongs("rows", f.rows != 0, f.kind == direct || f.kind == growing);
    belongs("admission", f.admission != 1, f.kind == growing);
    belongs("boundaries", !f.boundaries.empty(), f.kind == bucket);
    belongs("log1p", f.log1p, is_number(f));
    belongs("standardise", !f.standardise, is_number(f));
    belongs("clip", f.clip != 0, is_number(f));
    belongs("missing_flag", f.missing_flag, is_number(f));
    if (!is_number(f)) within("dim", f.dim, 1, largest_embedding_dim);
    if (f.bag) within("max_length", f.bag->max_length, 0, largest_count);
    switch (f.kind) {
      case vocabulary:
        within("min_count", f.min_count, 1, largest_count);
        return within("max_size", f.max_size, 0, largest_count);
      case hash:
        return within("buckets", f.buckets, 1, most_rows - 2);
      case direct:
        return within("rows", f.rows, 1, most_rows);
      case growing:
        within("admission", f.admission, 1, (std::numeric_limits<std::uint32_t>::max)());
        return within("rows", f.rows, 2, static_cast<std::int64_t>(IdMap::most_rows));
      case bucket:
        return boundaries();
      case number:
        require(f.clip >= 0 && std::isfinite(f.clip), "clip", text(f.clip), "0 or more");
        require(f.clip == 0 || f.standardise, "clip", text(f.clip) + " without standardise",
                "0: deviations are what standardise makes");
    }
  }

 private:
  static constexpr std::int64_t most_rows =
      (std::min)(std::int64_t{1} << 32, std::int64_t{PTRDIFF_MAX});

  void require(bool condition, const char* setting, std::string_view got,
               std::string_view expected) const {
    if (condition) return;
    throw ConfigError("EncoderConfig", text("feature ", in_quotes(feature_.name), ": ", setting),
                      got, expected);
  }
  void within(const char* setting, Index got, std::int64_t least, std::int64_t most) const {
    require(least <= got && got <= most, setting, text(got), text(least, " to ", most));
  }
  void belongs(const char* setting, bool is_set, bool may_be_set) const {
    const auto kind = EnumNames<FeatureKind>::names[static_cast<std::size_t>(feature_.kind)];
    require(!is_set || may_be_set, setting, text("one for the kind ", kind), "none");
  }

  void columns() const {
    using enum FeatureKind;
    const Feature& f = feature_;
    const std::set<std::string_view> names(f.columns.begin(), f.columns.end());
    require(!names.contains(""), "columns", "an empty name", "names");
    require(names.size() == f.columns.size(), "columns", "a name twice", "different ones");
    if (f.columns.size() < 2) return;
    const bool combines = f.kind == vocabulary || f.kind == hash || f.kind == growing;
    require(combines && !f.bag, "columns", text(f.columns.size(), " columns"),
            "one: combinations are of vocabulary, hash and growing, without a bag");
  }
  void boundaries() const {
    const Feature& f = feature_;
    require((f.buckets != 0) != !f.boundaries.empty(), "buckets",
            f.buckets == 0 ? "neither buckets nor boundaries" : "both buckets and boundaries",
            "one of them");
    if (f.buckets != 0) return within("buckets", f.buckets, 2, std::int64_t{1} << 20);
    require(std::ranges::all_of(f.boundaries, [](double x) { return std::isfinite(x); }),
            "boundaries", "one that is not finite", "finite ones");
    require(std::ranges::adjacent_find(f.boundaries, std::greater_equal<>()) == f.boundaries.end(),
            "boundaries", "others", "ascending ones");
  }

  const Feature& feature_;
};

// What features of one table must have in common.
PLAIT_COLD inline void check_shared_table(const Feature& first, const Feature& other) {
  const auto require = [&](bool same, const char* setting) {
    require_config(same, "EncoderConfig", text("feature ", in_quotes(other.name), ": ", setting),
                   "another one than that of feature " + in_quotes(first.name),
                   "the same: both are on table " + in_quotes(table_of(other)));
  };
  require(first.kind == other.kind, "kind");
  require_config(first.kind != FeatureKind::bucket, "EncoderConfig",
                 text("feature ", in_quotes(other.name), ": table"), in_quotes(table_of(other)),
                 "none: buckets are a feature's own");
  require(first.dim == other.dim, "dim");
  require(first.min_count == other.min_count, "min_count");
  require(first.max_size == other.max_size, "max_size");
  require(first.buckets == other.buckets, "buckets");
  require(first.rows == other.rows, "rows");
  require(first.admission == other.admission, "admission");
}

}  // namespace detail

// Throws ConfigError for a description that makes no sense: names used twice or empty, settings of
// another kind or outside their range, features on one table that differ.
PLAIT_COLD inline void check_features(const EncoderConfig& config) {
  require_config(!config.features.empty(), "EncoderConfig", "features", "none", "at least one");
  std::set<std::string_view> names, numbers;
  std::map<std::string_view, const Feature*> tables;
  std::set<std::string_view> counted;
  for (const Feature& feature : config.features) {
    detail::FeatureCheck(feature).run();
    require_config(names.insert(feature.name).second, "EncoderConfig", "features",
                   "feature " + in_quotes(feature.name) + " twice", "names of their own");
    if (is_number(feature)) continue;
    const auto [at, added] = tables.try_emplace(table_of(feature), &feature);
    if (!added) detail::check_shared_table(*at->second, feature);
    if (feature.counts) counted.insert(table_of(feature));
  }
  for (const auto& [table, feature] : tables)
    require_config(counted.contains(table), "EncoderConfig", "table " + in_quotes(table),
                   "no feature that counts", "at least one");
  const std::set<std::string_view> missing(config.missing.begin(), config.missing.end());
  require_config(!missing.contains("") && missing.size() == config.missing.size(), "EncoderConfig",
                 "missing", "an empty text or one twice", "different texts");
}

}  // namespace plait
