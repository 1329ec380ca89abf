// The description of features: how columns of raw rows become the ids and numbers of a model. A
// FeatureEncoder is what is fitted by it.
//
//   EncoderConfig config;
//   config.features = {
//       {.name = "user", .columns = {"userId"}, .dim = 16, .side = Side::user},
//       {.name = "genres", .dim = 8, .pooling = Pooling::mean, .bag = Bag{"|"}},
//       {.name = "seen", .kind = FeatureKind::number, .log1p = true}};
//
// A text that is empty, or one of EncoderConfig::missing, is missing: there is no value.
#pragma once
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/fields.hpp"
#include "plait/sparse/embedding_config.hpp"

namespace plait {

// What a feature makes of a value. All but numbers are ids, rows of a table:
//
// * vocabulary: the values of the fitted rows that are frequent enough, by count descending and
//   then by bytes, have rows 2, 3, ...; rare and unknown ones row 0, which the rare ones train;
//   missing is row 1. Frequent first, so that hot rows share pages and cache lines.
// * hash: 2 + floor(h buckets / 2^64), h = xxh64(text, seed = xxh64(table name)); missing is row 1.
// * direct: the number that the text is, below `rows`; a missing one is a bag without ids.
// * growing: h itself, an id that a growing table of `rows` rows has a row for or not; missing is
//   the h of the empty text.
// * bucket: 2 + the number of boundaries <= x; missing is row 1. The boundaries are given, or
//   quantiles of the fitted rows: exact for the first 2^20 values, of a random sample of as many
//   from then on.
// * number: (x - mean) / deviation over the fitted rows, 0 when missing.
enum class FeatureKind { vocabulary, hash, direct, growing, bucket, number };
template <>
struct EnumNames<FeatureKind> {
  static constexpr std::array<std::string_view, 6> names{"vocabulary", "hash",   "direct",
                                                         "growing",    "bucket", "number"};
};

// A value that holds several: texts are cut at the separator (none: they are one item), lists are
// as they come. Empty items do not count; an empty text or list is a bag without ids, while a
// missing value is what it is without bags.
struct Bag {
  std::string separator = "|";
  Index max_length = 0;  // the last so many are kept; 0: all

  bool operator==(const Bag&) const = default;
  void fields(FieldVisitor& visit) {
    visit.unless_default("separator", separator, std::string("|"));
    visit.unless_default("max_length", max_length, Index{0});
  }
};

// One feature. Settings of other kinds than its own have to stay at their defaults.
struct Feature {
  std::string name = {};
  FeatureKind kind = FeatureKind::vocabulary;
  // Empty: the one of this name. Several are one value, a combination, their texts joined by the
  // byte 0x1f; it is missing when all of them are. Of vocabulary, hash and growing.
  std::vector<std::string> columns = {};
  Side side = Side::item;

  // Of ids. Features on one table have the same kind and sizes; their vocabulary is one.
  std::string table = {};  // empty: the one of this name
  Index dim = 0;           // up to largest_embedding_dim
  Pooling pooling = Pooling::sum;
  std::optional<Bag> bag = {};

  Index min_count = 2;  // vocabulary: of a value, over all features of the table that count
  Index max_size = 0;   // vocabulary: values that are kept; 0: all
  bool counts = true;   // vocabulary: false: other features of the table say what it holds
  Index buckets = 0;    // hash, up to 2^32 - 2; bucket: of quantiles, which may coincide
  Index rows = 0;       // direct, up to 2^32; growing, row 0 of ids without a row included, to 2^30
  Index admission = 1;  // growing: a value is seen so often before it gets a row
  std::vector<double> boundaries = {};  // bucket: ascending; instead of quantiles

  // Of numbers.
  bool log1p = false;         // sign(x) log(1 + |x|) first
  bool standardise = true;    // false: x itself
  double clip = 0;            // at so many deviations; 0: none
  bool missing_flag = false;  // a second number: 1 if missing, else 0

  void fields(FieldVisitor& visit) {
    visit("name", name);
    visit("kind", kind);
    visit.unless_default("columns", columns, {});
    visit.unless_default("side", side, Side::item);
    visit.unless_default("table", table, {});
    visit.unless_default("dim", dim, Index{0});
    visit.unless_default("pooling", pooling, Pooling::sum);
    visit.unless_default("bag", bag, {});
    visit.unless_default("min_count", min_count, Index{2});
    visit.unless_default("max_size", max_size, Index{0});
    visit.unless_default("counts", counts, true);
    visit.unless_default("buckets", buckets, Index{0});
    visit.unless_default("rows", rows, Index{0});
    visit.unless_default("admission", admission, Index{1});
    visit.unless_default("boundaries", boundaries, {});
    visit.unless_default("log1p", log1p, false);
    visit.unless_default("standardise", standardise, true);
    visit.unless_default("clip", clip, 0.0);
    visit.unless_default("missing_flag", missing_flag, false);
  }
};

inline bool is_number(const Feature& feature) { return feature.kind == FeatureKind::number; }
// Of ids: the table's name.
inline const std::string& table_of(const Feature& feature) {
  return feature.table.empty() ? feature.name : feature.table;
}
inline std::vector<std::string> columns_of(const Feature& feature) {
  return feature.columns.empty() ? std::vector{feature.name} : feature.columns;
}

struct EncoderConfig {
  std::vector<Feature> features = {};
  std::vector<std::string> missing = {};  // texts that mean nothing: "NA", "?", "NULL"

  void fields(FieldVisitor& visit) {
    visit("features", features);
    visit.unless_default("missing", missing, {});
  }
};

}  // namespace plait
