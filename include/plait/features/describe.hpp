// A first description of features, guessed from rows: to be looked over by people.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/csv.hpp"
#include "plait/core/error.hpp"
#include "plait/features/feature.hpp"
#include "plait/features/raw_value.hpp"
#include "plait/features/text_table.hpp"
#include "plait/features/values.hpp"

namespace plait {

struct DescribeOptions {
  std::vector<std::string> except = {};  // columns that are no features: labels, weights, splits
  Index dim = 16;                        // of all tables
};

namespace detail {

// What the rows so far had in a column.
class ColumnGuess {
 public:
  explicit ColumnGuess(std::string name) : name_(std::move(name)) {}

  void add(const RawValue& value) {
    if (value.is_list()) {
      ++lists_;
      return;
    }
    const std::string_view text = value.text();
    if (text.empty()) return;
    ++values_;
    if (const auto word = std::ranges::find(nothing_words, text); word != nothing_words.end()) {
      nothings_.insert(*word);
      ++nothing_values_;
    } else if (parse_csv_number<double>(text)) {
      ++numbers_;
      if (text.find_first_of(".eE") == text.npos) ++whole_;
    }
    texts_.insert(text);
    for (std::size_t s = 0; s < separators.size(); ++s) separated_[s].add(text, separators[s]);
  }

  const std::string& name() const { return name_; }
  bool is_empty() const { return lists_ == 0 && values_ == nothing_values_; }
  // Words that mean nothing among numbers.
  const std::set<std::string_view>& nothings() const { return nothings_; }
  bool holds_numbers() const { return lists_ == 0 && numbers_ + nothing_values_ == values_; }

  Feature feature(Index dim) const {
    Feature result{.name = name_};
    if (holds_numbers() && !(whole_ == numbers_ && is_named_id())) {
      result.kind = FeatureKind::number;
      return result;
    }
    result.dim = dim;
    if (lists_ > 0) {
      result.bag = Bag{};
      return result;
    }
    for (std::size_t s = 0; s < separators.size(); ++s) {
      if (!separated_[s].is_bag(values_)) continue;
      result.bag = Bag{.separator = std::string(separators[s])};
      return result;
    }
    if (values_ >= few_values && 2 * texts_.size() > values_) {
      result.kind = FeatureKind::hash;
      const auto buckets = std::bit_ceil(static_cast<std::uint64_t>(8 * texts_.size()));
      result.buckets = static_cast<Index>((std::max)(buckets, std::uint64_t{1} << 16));
    }
    return result;
  }

 private:
  static constexpr std::array<std::string_view, 9> nothing_words{
      "NA", "N/A", "nan", "NaN", "null", "NULL", "None", "\\N", "?"};
  static constexpr std::array<std::string_view, 3> separators{"|", ";", ","};
  static constexpr Index few_values = 100;

  // Whether a separator makes bags: in a tenth of the values or more, of items that come again.
  struct Separated {
    Index texts = 0, items = 0;
    TextTable distinct = {};

    void add(std::string_view text, std::string_view separator) {
      if (text.find(separator) == text.npos) return;
      ++texts;
      split(text, separator, [&](std::string_view item) {
        ++items;
        distinct.insert(item);
      });
    }
    bool is_bag(Index values) const {
      return texts > 0 && 10 * texts >= values && 2 * distinct.size() <= items;
    }
  };

  // "id", "userId", "user_id", "USERID"; not "paid".
  bool is_named_id() const {
    const std::size_t size = name_.size();
    if (size < 2) return false;
    const std::string_view end = std::string_view(name_).substr(size - 2);
    if (end != "id" && end != "Id" && end != "ID") return false;
    return end != "id" || size == 2 || name_[size - 3] == '_' || name_[size - 3] == ' ';
  }

  std::string name_;
  Index values_ = 0, lists_ = 0, numbers_ = 0, whole_ = 0, nothing_values_ = 0;
  std::set<std::string_view> nothings_;
  TextTable texts_;
  std::array<Separated, separators.size()> separated_;
};

}  // namespace detail

// Add some thousand rows, then finish. Memory: the different texts of these rows, twice.
//
// Numbers are numbers, whole ones of a column whose name says id ids; lists, and texts with | ; or
// , between items that come again, are bags; texts of which more than half are different are
// hashed; others are vocabularies. Columns without a name or values are left out.
class Describer {
 public:
  // Rows of these columns, of which there may be more than before: those are then at the end.
  void add(RawRow row, std::span<const std::string> columns) {
    if (row.size() != columns.size())
      throw ShapeError("Describer", "row", text(row.size(), " values"), text(columns.size()));
    for (std::size_t i = guesses_.size(); i < columns.size(); ++i)
      guesses_.emplace_back(columns[i]);
    for (std::size_t i = 0; i < row.size(); ++i) guesses_[i].add(row[i]);
  }

  PLAIT_COLD EncoderConfig finish(const DescribeOptions& options = {}) const {
    EncoderConfig config;
    std::set<std::string_view> nothings;
    for (const detail::ColumnGuess& guess : guesses_) {
      if (guess.name().empty() || guess.is_empty() ||
          std::ranges::find(options.except, guess.name()) != options.except.end())
        continue;
      config.features.push_back(guess.feature(options.dim));
      if (guess.holds_numbers()) nothings.insert(guess.nothings().begin(), guess.nothings().end());
    }
    config.missing.assign(nothings.begin(), nothings.end());
    return config;
  }

 private:
  std::vector<detail::ColumnGuess> guesses_;
};

}  // namespace plait
