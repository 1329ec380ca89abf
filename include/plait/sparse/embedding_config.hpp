// What tables there are, and which feature looks up which: a description without numbers.
#pragma once
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/fields.hpp"

namespace plait {

// How the vectors of a bag become one: their sum, each times its weight if there are weights, or
// their mean, which counts repeated ids as often as they are there. A bag without ids is zeros.
enum class Pooling { sum, mean };
template <>
struct EnumNames<Pooling> {
  static constexpr std::array<std::string_view, 2> names{"sum", "mean"};
};

// Whether a feature is the same for all candidates of a request: the user's, which scorers look up
// once.
enum class Side { item, user };
template <>
struct EnumNames<Side> {
  static constexpr std::array<std::string_view, 2> names{"item", "user"};
};

// Numbers of a row at most: its gradient has room on the stack.
inline constexpr Index largest_embedding_dim = 4096;

struct TableConfig {
  std::string name;
  Index rows = 0;      // 1 to 2^32
  Index dim = 0;       // numbers of a row, 1 to largest_embedding_dim
  double bound = 0;    // rows start uniform in ±bound; 0: ±1/√rows
  Index reserved = 0;  // so many first rows start at zero (an encoder's: rare or unknown, missing)
  // Ids are any 64 bits, not rows: they get rows as they are seen (sparse/id_map.hpp), all but row
  // 0, the one that is reserved. `rows` is then 2 to 2^30.
  bool growing = false;
  Index admission = 1;  // growing: an id is seen so often before it gets a row; below 2^32

  bool operator==(const TableConfig&) const = default;
  void fields(FieldVisitor& visit) {
    visit("name", name);
    visit("rows", rows);
    visit("dim", dim);
    visit.unless_default("bound", bound, 0.0);
    visit.unless_default("reserved", reserved, Index{0});
    visit.unless_default("growing", growing, false);
    visit.unless_default("admission", admission, Index{1});
  }
};

struct FeatureConfig {
  std::string name;
  std::string table = {};  // several features may look up one table; empty: the one of this name
  Pooling pooling = Pooling::sum;
  Side side = Side::item;
  bool weighted = false;  // ids come with weights; of a sum only

  bool operator==(const FeatureConfig&) const = default;
  void fields(FieldVisitor& visit) {
    visit("name", name);
    visit.unless_default("table", table, {});
    visit.unless_default("pooling", pooling, Pooling::sum);
    visit.unless_default("side", side, Side::item);
    visit.unless_default("weighted", weighted, false);
  }
};

// The input of a network: numbers, then the features' vectors in their order,
//
//   x = [dense | feature 0 | feature 1 | ...]
struct EmbeddingConfig {
  std::vector<TableConfig> tables = {};
  std::vector<FeatureConfig> features = {};
  std::vector<Side> dense = {};  // one per number

  bool operator==(const EmbeddingConfig&) const = default;
  void fields(FieldVisitor& visit) {
    visit("tables", tables);
    visit("features", features);
    visit("dense", dense);
  }
};

}  // namespace plait
