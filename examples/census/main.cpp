// Census-Income (KDD) of the UCI archive, doi 10.24432/C5N30T, with an embedding per category in
// place of the one-hot columns of apps/train_ranker; the three tasks and the parts are the same.
//
//   zcat census-income.test.gz | census --data -
//
// What it gives: docs/features_results.md.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <plait/embeddings.hpp>
#include <plait/io.hpp>
#include <plait/plait.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "../from_ids/compare.hpp"

namespace {

using plait::Index;

// As the file has them; it has no header.
const std::vector<std::string> columns{"age",
                                       "class_worker",
                                       "det_ind_code",
                                       "det_occ_code",
                                       "education",
                                       "wage",
                                       "hs_college",
                                       "marital_stat",
                                       "major_ind_code",
                                       "major_occ_code",
                                       "race",
                                       "hisp_origin",
                                       "sex",
                                       "union_member",
                                       "unemp_reason",
                                       "employment",
                                       "capital_gains",
                                       "capital_losses",
                                       "stock_dividends",
                                       "tax_filer_stat",
                                       "region_prev",
                                       "state_prev",
                                       "det_hh_fam_stat",
                                       "det_hh_summ",
                                       "instance_weight",
                                       "mig_chg_msa",
                                       "mig_chg_reg",
                                       "mig_move_reg",
                                       "mig_same",
                                       "mig_prev_sunbelt",
                                       "num_emp",
                                       "fam_under_18",
                                       "country_father",
                                       "country_mother",
                                       "country_self",
                                       "citizenship",
                                       "own_or_self",
                                       "vet_question",
                                       "vet_benefits",
                                       "weeks_worked",
                                       "year",
                                       "income"};
const std::vector<std::string> numbers{
    "age", "wage", "capital_gains", "capital_losses", "stock_dividends", "num_emp", "weeks_worked"};
const std::vector<std::string> no_inputs{"education", "marital_stat", "income", "instance_weight"};
constexpr std::size_t education = 4, marital = 7, income = 41;

bool is_in(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

plait::EncoderConfig features() {
  plait::EncoderConfig config;
  for (const std::string& column : columns) {
    if (is_in(no_inputs, column)) continue;
    if (is_in(numbers, column))
      config.features.push_back({.name = column, .kind = plait::FeatureKind::number});
    else
      config.features.push_back({.name = column, .dim = 8, .min_count = 1});
  }
  return config;
}

std::string read_text(const std::string& path) {
  if (path == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
  std::ifstream stream = from_ids::open(path);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// Calls use(row's number, row) for the lines "73, Not in universe, ..., - 50000.".
template <class Use>
void for_each_row(const std::string& text, const std::string& name, const Use& use) {
  std::istringstream stream(text);
  plait::CsvReader reader(stream, name, {.separator = ',', .quote = 0, .columns = columns});
  std::vector<plait::RawValue> row;
  for (Index number = 0; reader.next(); ++number) {
    row.clear();
    for (const plait::RawValue& value : reader.row()) {
      std::string_view trimmed = value.text();
      if (trimmed.starts_with(' ')) trimmed.remove_prefix(1);
      row.emplace_back(trimmed);
    }
    plait::with_place(reader, [&] { use(number, plait::RawRow(row)); });
  }
}

from_ids::Part part_of(Index row) {
  using enum from_ids::Part;
  return row % 10 < 6 ? train : row % 10 < 8 ? validation : test;
}

bool is_degree(std::string_view value) {
  for (const std::string_view degree : {"Bachelors", "Masters", "Doctorate", "Prof school"})
    if (value.starts_with(degree)) return true;
  return false;
}

from_ids::Dataset read(const std::string& path) {
  const std::string text = read_text(path);
  plait::EncoderFit fit(features());
  const auto layout = fit.layout(columns);
  for_each_row(text, path, [&](Index number, plait::RawRow row) {
    if (part_of(number) == from_ids::Part::train) fit.add(row, layout);
  });
  from_ids::Dataset data{fit.finish()};
  data.heads = {{.name = "income"}, {.name = "never_married"}, {.name = "education"}};
  for_each_row(text, path, [&](Index number, plait::RawRow row) {
    data.add(part_of(number), row, layout);
    for (const bool label :
         {!row[income].text().starts_with("- 50000"), row[marital].text() == "Never married",
          is_degree(row[education].text())})
      data.labels.push_back(label ? 1.0F : 0.0F);
  });
  return data;
}

}  // namespace

int main(int argc, char** argv) {
  return from_ids::compare({.name = "census",
                            .data = "census-income.test or .data, unpacked; - for standard input",
                            .environment = "PLAIT_CENSUS_FILE",
                            .read = read,
                            .models = {"shared-bottom", "cross-stitch", "mmoe", "ml-mmoe", "cgc",
                                       "ple", "adatt-sp", "adatt"},
                            .batch = 1024,
                            .epochs = 5,
                            .row_rule = "rowwise-adagrad",
                            .sizes = {.adatt_sp_experts = 2}},
                           argc, argv);
}
