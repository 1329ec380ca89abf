// FeatureEncoder: raw rows to ids and numbers, the same function in training and in serving.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/hash.hpp"
#include "plait/features/check_features.hpp"
#include "plait/features/column_error.hpp"
#include "plait/features/column_layout.hpp"
#include "plait/features/encoded_rows.hpp"
#include "plait/features/feature.hpp"
#include "plait/features/feature_report.hpp"
#include "plait/features/fingerprint.hpp"
#include "plait/features/raw_value.hpp"
#include "plait/features/text_table.hpp"
#include "plait/features/values.hpp"
#include "plait/sparse/embedding_config.hpp"

namespace plait {

// What fitting found of a feature, beside vocabularies.
struct FittedFeature {
  double mean = 0;  // of numbers
  double deviation = 1;
  std::vector<double> boundaries = {};  // of buckets
  FeatureReport report = {};

  void fields(FieldVisitor& visit) {
    visit("mean", mean);
    visit("deviation", deviation);
    visit("boundaries", boundaries);
    visit("report", report);
  }
};

// All that an encoder is: what files hold.
struct EncoderState {
  EncoderConfig config = {};
  std::vector<FittedFeature> fitted = {};    // of each feature
  std::vector<TextTable> vocabularies = {};  // of vocabulary tables, in the order of tables_of
};

// The tables of the features in the order in which they first occur, each by its first feature.
PLAIT_COLD inline std::vector<const Feature*> tables_of(const EncoderConfig& config) {
  std::vector<const Feature*> tables;
  std::set<std::string_view> names;
  for (const Feature& feature : config.features)
    if (!is_number(feature) && names.insert(table_of(feature)).second) tables.push_back(&feature);
  return tables;
}

// A value that never changes; copies share what they hold. Any number of threads may use one, each
// with rows of its own. Made by EncoderFit or from a file.
class FeatureEncoder {
 public:
  // Throws ConfigError for a state that no fit gives.
  PLAIT_COLD explicit FeatureEncoder(EncoderState state)
      : parts_(std::make_shared<const Parts>(std::move(state))) {}

  const EncoderState& state() const { return parts_->state; }
  const EncoderConfig& config() const { return state().config; }
  // The columns that rows have to have, and where they are in rows of these columns (ConfigError).
  std::span<const std::string> columns() const { return parts_->columns; }
  ColumnLayout layout(std::span<const std::string> names, Absent absent = Absent::refused) const {
    return {columns(), names, absent};
  }
  // The tables and features that the batches are for, and the sides of their numbers.
  const EmbeddingConfig& embeddings() const { return parts_->embeddings; }
  // The names of these numbers; a flag's is its feature's and " missing".
  std::span<const std::string> numbers() const { return parts_->numbers; }
  // Equal for encoders that encode alike; what they report does not count.
  std::uint64_t fingerprint() const { return parts_->fingerprint; }

  // No rows yet, of the shape that encode() appends to: of all features, or of one side's alone,
  // the batches of EmbeddingLayout::part, for a request whose user is encoded once.
  PLAIT_COLD EncodedRows rows(std::optional<Side> side = {}) const {
    EncodedRows rows;
    rows.encoder_ = fingerprint();
    rows.side_ = side;
    rows.width_ =
        std::ranges::count_if(parts_->embeddings.dense, [&](Side of) { return rows.holds(of); });
    for (const IdPlan& plan : parts_->ids) {
      if (!rows.holds(plan.side)) continue;
      const bool is_bag = plan.values.bag.has_value();
      const bool has_offsets = is_bag || plan.kind == FeatureKind::direct;
      rows.ids_.push_back({.is_bag = is_bag});
      if (has_offsets) rows.ids_.back().offsets.push_back(0);
    }
    rows.views_.resize(rows.ids_.size());
    rows.sought_.resize(rows.ids_.size());
    return rows;
  }

  // Appends a row. Throws ColumnError for a value that its feature cannot take, ShapeError for a
  // row of another width than the layout's, a layout of another number of columns or rows of
  // another encoder; `out` is then as it was.
  void encode(RawRow row, const ColumnLayout& layout, EncodedRows& out) const {
    const Parts& parts = *parts_;
    const detail::RowValues values(row, layout, parts.columns.size(), parts.state.config.missing);
    if (out.encoder_ != parts.fingerprint)
      throw ShapeError("FeatureEncoder", "rows", "those of another encoder", "its own");
    try {
      for_each_held(parts.ids, out, [&](const IdPlan& plan, std::size_t f) {
        if (plan.is_sought) out.sought_[f] = seek(plan, values);
      });
      for_each_held(parts.ids, out, [&](const IdPlan& plan, std::size_t f) {
        if (plan.is_sought)
          out.ids_[f].ids.push_back(plan.id(out.sought_[f]));
        else
          add_ids(plan, values, out.ids_[f], out.joined_);
      });
      for_each_held(parts.dense, out, [&](const NumberPlan& plan, std::size_t) {
        add_number(plan, values, out.dense_);
      });
    } catch (...) {
      out.truncate(out.size_);
      throw;
    }
    ++out.size_;
  }

 private:
  static constexpr std::uint64_t unknown_row = 0, missing_row = 1, reserved = 2;

  struct IdPlan {
    detail::ValuePlan values;
    FeatureKind kind;
    Side side;
    std::uint64_t seed = 0;  // of hash and growing
    std::uint64_t rows = 0;  // of direct; the buckets of hash
    std::uint64_t missing = missing_row;
    const TextTable* vocabulary = nullptr;
    std::span<const double> boundaries = {};
    // A text of one column in a vocabulary. Where it is looked up is scattered, and the first thing
    // that is not in the cache: asked for by all features together, a file of 26 such columns takes
    // 0.78 to 0.93 of the time.
    bool is_sought = false;

    std::uint64_t id(const EncodedRows::Sought& sought) const {
      if (sought.text.empty()) return missing;
      return row_of(vocabulary->find(sought.text, sought.hash));
    }
    // Of a text that is not empty.
    std::uint64_t id(std::string_view text) const {
      switch (kind) {
        case FeatureKind::vocabulary:
          return row_of(vocabulary->find(text));
        case FeatureKind::hash:
          return reserved + in_range(xxh64(text, seed), rows);
        case FeatureKind::direct:
          return detail::direct_id(text, rows, values.names[0]);
        case FeatureKind::bucket:
          return reserved + detail::bucket_of(detail::number_of(text, values.names[0]), boundaries);
        default:
          return xxh64(text, seed);
      }
    }
    static std::uint64_t row_of(Index rank) {
      return rank == TextTable::none ? unknown_row : reserved + static_cast<std::uint64_t>(rank);
    }
  };

  struct NumberPlan {
    detail::ValuePlan values;
    Side side;
    bool log1p, has_flag;
    double mean, scale, clip;  // clip: infinite for none
  };

  // use(plan, its place in the rows) for those that the rows hold.
  template <class Plan, class Use>
  static void for_each_held(const std::vector<Plan>& plans, const EncodedRows& rows,
                            const Use& use) {
    std::size_t place = 0;
    for (const Plan& plan : plans)
      if (rows.holds(plan.side)) use(plan, place++);
  }

  static EncodedRows::Sought seek(const IdPlan& plan, const detail::RowValues& values) {
    const std::string_view text =
        detail::single_text(values(plan.values.columns[0]), plan.values.names[0]);
    return {text, text.empty() ? 0 : plan.vocabulary->begin_find(text)};
  }

  static void add_ids(const IdPlan& plan, const detail::RowValues& values, EncodedRows::Ids& out,
                      std::string& joined) {
    const bool is_there =
        detail::for_each_text(plan.values, values, joined,
                              [&](std::string_view text) { out.ids.push_back(plan.id(text)); });
    if (!is_there && plan.kind != FeatureKind::direct) out.ids.push_back(plan.missing);
    if (!out.offsets.empty()) out.offsets.push_back(std::ssize(out.ids));
  }

  static void add_number(const NumberPlan& plan, const detail::RowValues& values,
                         std::vector<float>& out) {
    const std::string& column = plan.values.names[0];
    const std::string_view text = detail::single_text(values(plan.values.columns[0]), column);
    float number = 0;
    if (!text.empty()) {
      double x = detail::number_of(text, column);
      if (plan.log1p) x = detail::signed_log1p(x);
      x = std::clamp((x - plan.mean) * plan.scale, -plan.clip, plan.clip);
      if (std::abs(x) > double{(std::numeric_limits<float>::max)()})
        throw ColumnError(column, in_quotes(text), "a number that a float holds");
      number = static_cast<float>(x);
    }
    out.push_back(number);
    if (plan.has_flag) out.push_back(text.empty() ? 1.0f : 0.0f);
  }

  struct Parts {
    EncoderState state;
    std::vector<std::string> columns, numbers;
    std::vector<IdPlan> ids;
    std::vector<NumberPlan> dense;
    EmbeddingConfig embeddings;
    std::uint64_t fingerprint = 0;

    explicit Parts(EncoderState given) : state(std::move(given)) {
      check_features(state.config);
      const std::vector<Feature>& features = state.config.features;
      require(state.fitted.size() == features.size(), "fitted",
              text(state.fitted.size(), " entries"), text(features.size()));
      columns = columns_of(state.config);
      const detail::Positions positions = detail::positions_of(columns);
      for (std::size_t f = 0; f < features.size(); ++f) check(features[f], state.fitted[f]);
      for (std::size_t f = 0; f < features.size(); ++f)
        is_number(features[f]) ? add_number(features[f], positions, state.fitted[f])
                               : add_ids(features[f], positions, state.fitted[f]);
      add_tables();
      add_fingerprint();
    }
    Parts(const Parts&) = delete;  // plans point into the state
    Parts& operator=(const Parts&) = delete;

    static void require(bool condition, std::string_view argument, std::string_view got,
                        std::string_view expected) {
      require_config(condition, "FeatureEncoder", argument, got, expected);
    }

    static void check(const Feature& feature, const FittedFeature& fitted) {
      const std::string where = "feature " + in_quotes(feature.name);
      const bool is_standardised = is_number(feature) && feature.standardise;
      require(is_standardised || (fitted.mean == 0 && fitted.deviation == 1), where,
              "a mean and a deviation", "none");
      require(std::isfinite(fitted.mean) && std::isfinite(fitted.deviation) &&
                  fitted.deviation >= (std::numeric_limits<double>::min)(),
              where, text("mean ", fitted.mean, " and deviation ", fitted.deviation),
              "a finite mean and a positive deviation");
      const std::vector<double>& given = fitted.boundaries;
      require(given.empty() || feature.kind == FeatureKind::bucket, where, "boundaries", "none");
      require(std::ranges::all_of(given, [](double x) { return std::isfinite(x); }) &&
                  std::ranges::adjacent_find(given, std::greater_equal<>()) == given.end() &&
                  (feature.boundaries.empty() || feature.boundaries == given),
              where, "other boundaries", "ascending ones, those of the description if it has any");
      require(fitted.report.name == feature.name, where,
              "the report of " + in_quotes(fitted.report.name), "its own");
    }

    void add_number(const Feature& feature, const detail::Positions& positions,
                    const FittedFeature& fitted) {
      dense.push_back(
          {.values = {feature, positions},
           .side = feature.side,
           .log1p = feature.log1p,
           .has_flag = feature.missing_flag,
           .mean = fitted.mean,
           .scale = 1 / fitted.deviation,
           .clip = feature.clip > 0 ? feature.clip : std::numeric_limits<double>::infinity()});
      numbers.push_back(feature.name);
      embeddings.dense.push_back(feature.side);
      if (!feature.missing_flag) return;
      numbers.push_back(feature.name + " missing");
      embeddings.dense.push_back(feature.side);
    }

    void add_ids(const Feature& feature, const detail::Positions& positions,
                 const FittedFeature& fitted) {
      IdPlan plan{.values = {feature, positions}, .kind = feature.kind, .side = feature.side};
      plan.seed = xxh64(table_of(feature));
      plan.rows = static_cast<std::uint64_t>(feature.kind == FeatureKind::hash ? feature.buckets
                                                                               : feature.rows);
      if (feature.kind == FeatureKind::growing) plan.missing = xxh64("", plan.seed);
      plan.boundaries = fitted.boundaries;
      plan.is_sought = feature.kind == FeatureKind::vocabulary && !feature.bag &&
                       plan.values.columns.size() == 1;
      ids.push_back(std::move(plan));
      embeddings.features.push_back({.name = feature.name,
                                     .table = feature.table == feature.name ? "" : feature.table,
                                     .pooling = feature.pooling,
                                     .side = feature.side});
    }

    void add_tables() {
      std::map<std::string_view, const TextTable*> vocabularies;
      std::size_t vocabulary = 0;
      for (const Feature* first : tables_of(state.config)) {
        const std::string& name = table_of(*first);
        TableConfig table{.name = name, .dim = first->dim, .reserved = Index{reserved}};
        switch (first->kind) {
          case FeatureKind::vocabulary: {
            require(vocabulary < state.vocabularies.size(), "vocabularies", "no more",
                    "one for table " + in_quotes(name));
            const TextTable& texts = state.vocabularies[vocabulary++];
            table.rows = table.reserved + texts.size();
            vocabularies[name] = &texts;
            break;
          }
          case FeatureKind::hash:
            table.rows = table.reserved + first->buckets;
            break;
          case FeatureKind::bucket: {
            const auto f = static_cast<std::size_t>(first - state.config.features.data());
            table.rows = table.reserved + std::ssize(state.fitted[f].boundaries) + 1;
            break;
          }
          case FeatureKind::growing:
            table.rows = first->rows;
            table.reserved = 1;  // of ids without a row
            table.growing = true;
            table.admission = first->admission;
            break;
          default:
            table.rows = first->rows;
            table.reserved = 0;
        }
        embeddings.tables.push_back(std::move(table));
      }
      require(vocabulary == state.vocabularies.size(), "vocabularies",
              text(state.vocabularies.size()), text(vocabulary));
      auto plan = ids.begin();
      for (const Feature& feature : state.config.features) {
        if (is_number(feature)) continue;
        if (const auto found = vocabularies.find(table_of(feature)); found != vocabularies.end())
          plan->vocabulary = found->second;
        ++plan;
      }
    }

    void add_fingerprint() {
      Fingerprint all;
      all.add_fields(state.config);
      for (const FittedFeature& fitted : state.fitted) {
        FittedFeature numbers_alone = fitted;
        numbers_alone.report = {};
        all.add_fields(numbers_alone);
      }
      for (const TextTable& texts : state.vocabularies) {
        all.add(texts.bytes());
        for (const std::int64_t offset : texts.offsets())
          all.add(static_cast<std::uint64_t>(offset));
      }
      fingerprint = all.value();
    }
  };

  std::shared_ptr<const Parts> parts_;
};

}  // namespace plait
