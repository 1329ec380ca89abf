// The Census-Income (KDD) data set of the UCI archive, doi 10.24432/C5N30T, as a three-task
// problem.
#pragma once
#include <istream>
#include <string>
#include <vector>

#include "dataset.hpp"

namespace ranker {

// One column of the file as read. Either the numbers or the codes are filled, one per row.
struct CensusColumn {
  enum class Kind { number, category, label, weight };
  std::string name;
  Kind kind = Kind::category;
  std::vector<float> numbers;       // number, weight
  std::vector<int> codes;           // category, label: positions in values
  std::vector<std::string> values;  // in order of appearance
};

// Reads the file as UCI distributes it: no header, 42 fields a line separated by commas, the last
// one ending in a full stop. `name` stands for the stream in errors.
// Throws DataError for a wrong number of fields, a field that should be a number and is not, and an
// income that is neither "- 50000" nor "50000+".
std::vector<CensusColumn> read_census(std::istream& in, const std::string& name);

// Tasks: income above 50,000, never married, education of at least a bachelor's degree.
// Inputs: every column but those three and the instance weight. Numbers are standardised with the
// mean and population standard deviation of the training rows, the rest is one-hot over the values
// seen in training rows. Row i trains, validates or tests for i mod 10 in 0-5, 6-7 or 8-9.
// Throws DataError for fewer than 10 rows.
Dataset census_dataset(const std::vector<CensusColumn>& columns, const std::string& name);

}  // namespace ranker
