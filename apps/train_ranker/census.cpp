#include "census.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>

#include "errors.hpp"
#include "plait/core/csv.hpp"
#include "plait/core/error.hpp"
#include "plait/features/fingerprint.hpp"

namespace ranker {
namespace {

using Kind = CensusColumn::Kind;

struct Field {
  std::string_view name;
  Kind kind = Kind::category;
};

constexpr std::array<Field, 42> fields{{
    {"age", Kind::number},
    {"class_worker"},
    {"det_ind_code"},
    {"det_occ_code"},
    {"education", Kind::label},
    {"wage_per_hour", Kind::number},
    {"hs_college"},
    {"marital_stat", Kind::label},
    {"major_ind_code"},
    {"major_occ_code"},
    {"race"},
    {"hisp_origin"},
    {"sex"},
    {"union_member"},
    {"unemp_reason"},
    {"full_or_part_emp"},
    {"capital_gains", Kind::number},
    {"capital_losses", Kind::number},
    {"stock_dividends", Kind::number},
    {"tax_filer_stat"},
    {"region_prev_res"},
    {"state_prev_res"},
    {"det_hh_fam_stat"},
    {"det_hh_summ"},
    {"instance_weight", Kind::weight},
    {"mig_chg_msa"},
    {"mig_chg_reg"},
    {"mig_move_reg"},
    {"mig_same"},
    {"mig_prev_sunbelt"},
    {"num_emp", Kind::number},
    {"fam_under_18"},
    {"country_father"},
    {"country_mother"},
    {"country_self"},
    {"citizenship"},
    {"own_or_self"},
    {"vet_question"},
    {"vet_benefits"},
    {"weeks_worked", Kind::number},
    {"year"},
    {"income_50k", Kind::label},
}};
constexpr std::size_t education = 4;
constexpr std::size_t marital = 7;
constexpr std::size_t income = 41;

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// Splits a line at its commas; returns how many fields there are, which may exceed what `out`
// holds.
std::size_t split(std::string_view line, std::array<std::string_view, fields.size()>& out) {
  std::size_t count = 0;
  for (;;) {
    const auto comma = line.find(',');
    if (count < out.size()) out[count] = trim(line.substr(0, comma));
    ++count;
    if (comma == std::string_view::npos) return count;
    line.remove_prefix(comma + 1);
  }
}

// A column being read: the codes already given out.
class Dictionary {
 public:
  int code(std::string_view value, std::vector<std::string>& values) {
    key_.assign(value);
    const auto [at, added] = codes_.try_emplace(key_, static_cast<int>(values.size()));
    if (added) values.push_back(key_);
    return at->second;
  }

 private:
  std::string key_;
  std::unordered_map<std::string, int> codes_;
};

bool is_number(Kind kind) { return kind == Kind::number || kind == Kind::weight; }

enum class Part { train, validation, test };
Part part_of(Index row) {
  return row % 10 < 6 ? Part::train : row % 10 < 8 ? Part::validation : Part::test;
}

// A bachelor's, master's, doctor's or professional school degree.
bool is_degree(std::string_view value) {
  for (const std::string_view degree : {"Bachelors", "Masters", "Doctorate", "Prof school"})
    if (value.starts_with(degree)) return true;
  return false;
}

void write_labels(const CensusColumn& column, bool (*positive)(std::string_view), Index task,
                  plait::Matrix<float>& labels) {
  for (Index i = 0; i < labels.rows(); ++i) {
    const auto code = static_cast<std::size_t>(column.codes[static_cast<std::size_t>(i)]);
    labels(i, task) = positive(column.values[code]) ? 1.0f : 0.0f;
  }
}

void write_standardised(const CensusColumn& column, const std::vector<Index>& train, Index input,
                        plait::Matrix<float>& dense) {
  const auto number = [&](Index row) -> double {
    return column.numbers[static_cast<std::size_t>(row)];
  };
  double mean = 0;
  for (const Index row : train) mean += number(row);
  mean /= static_cast<double>(train.size());
  double variance = 0;
  for (const Index row : train) variance += (number(row) - mean) * (number(row) - mean);
  variance /= static_cast<double>(train.size());
  const double scale = variance > 0 ? 1 / std::sqrt(variance) : 1;  // a constant stays 0
  for (Index row = 0; row < dense.rows(); ++row)
    dense(row, input) = static_cast<float>((number(row) - mean) * scale);
}

// Gives each value seen in training rows a position from `first` on; returns the next free one.
Index write_positions(const CensusColumn& column, const std::vector<Index>& train, Index first,
                      Index category, plait::Matrix<int>& hot) {
  std::vector<int> position(column.values.size(), Features::unseen);
  const auto code = [&](Index row) {
    return static_cast<std::size_t>(column.codes[static_cast<std::size_t>(row)]);
  };
  for (const Index row : train)
    if (int& p = position[code(row)]; p == Features::unseen) p = static_cast<int>(first++);
  for (Index row = 0; row < hot.rows(); ++row) hot(row, category) = position[code(row)];
  return first;
}

std::uint64_t fingerprint_of(const std::vector<CensusColumn>& columns) {
  plait::Fingerprint fingerprint;
  const auto add = [&](const auto& numbers) {
    const auto bytes = std::as_bytes(std::span(numbers));
    fingerprint.add({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  };
  for (const CensusColumn& column : columns) {
    add(column.numbers);
    add(column.codes);
    for (const std::string& value : column.values) fingerprint.add(value);
  }
  return fingerprint.value();
}

}  // namespace

std::vector<CensusColumn> read_census(std::istream& in, const std::string& name) {
  std::vector<CensusColumn> columns(fields.size());
  for (std::size_t c = 0; c < fields.size(); ++c) {
    columns[c].name = fields[c].name;
    columns[c].kind = fields[c].kind;
  }
  std::array<Dictionary, fields.size()> dictionaries;
  std::array<std::string_view, fields.size()> values;
  std::string line;
  for (Index number = 1; std::getline(in, line); ++number) {
    if (number == 1 && line.starts_with(plait::byte_order_mark))
      line.erase(0, plait::byte_order_mark.size());
    std::string_view text = trim(line);
    if (text.empty()) continue;
    const auto fail = [&](const std::string& what) {
      throw DataError(name + ":" + std::to_string(number) + ": " + what);
    };
    if (text.ends_with('.')) text.remove_suffix(1);
    if (const auto count = split(text, values); count != fields.size())
      fail("got " + std::to_string(count) + " columns, expected " + std::to_string(fields.size()));
    if (values[income] != "- 50000" && values[income] != "50000+")
      fail("column income_50k: got " + plait::in_quotes(values[income]) +
           ", expected '- 50000.' or '50000+.'");
    for (std::size_t c = 0; c < fields.size(); ++c) {
      CensusColumn& column = columns[c];
      if (is_number(column.kind)) {
        const auto value = plait::parse_csv_number<float>(values[c]);
        if (!value)
          fail("column " + column.name + ": got " + plait::in_quotes(values[c]) +
               ", expected a number");
        column.numbers.push_back(*value);
      } else {
        column.codes.push_back(dictionaries[c].code(values[c], column.values));
      }
    }
  }
  return columns;
}

Dataset census_dataset(const std::vector<CensusColumn>& columns, const std::string& name) {
  const auto rows = static_cast<Index>(columns[income].codes.size());
  if (rows < 10)
    throw DataError(name + ": got " + std::to_string(rows) + " rows, expected at least 10");

  Dataset data;
  data.description = "Census-Income, " + name;
  data.heads = {{.name = "income"}, {.name = "never_married"}, {.name = "education"}};
  for (Index row = 0; row < rows; ++row) {
    const Part part = part_of(row);
    auto& list = part == Part::train        ? data.train
                 : part == Part::validation ? data.validation
                                            : data.test;
    list.push_back(row);
  }

  data.labels.resize(rows, 3);
  write_labels(
      columns[income], [](std::string_view v) { return v != "- 50000"; }, 0, data.labels);
  write_labels(
      columns[marital], [](std::string_view v) { return v == "Never married"; }, 1, data.labels);
  write_labels(columns[education], is_degree, 2, data.labels);

  data.fingerprint = fingerprint_of(columns);
  Index numbers = 0;
  Index categories = 0;
  for (const auto& column : columns) {
    numbers += column.kind == Kind::number ? 1 : 0;
    categories += column.kind == Kind::category ? 1 : 0;
  }
  Features& features = data.features;
  features.dense.resize(rows, numbers);
  features.hot.resize(rows, categories);
  Index number = 0;
  Index category = 0;
  for (const auto& column : columns) {
    if (column.kind == Kind::number)
      write_standardised(column, data.train, number++, features.dense);
    if (column.kind == Kind::category)
      features.one_hot_width =
          write_positions(column, data.train, features.one_hot_width, category++, features.hot);
  }
  return data;
}

}  // namespace ranker
