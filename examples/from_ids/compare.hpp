// The program around a data set: options in, a table of models out.
#pragma once
#include <string>
#include <vector>

#include "dataset.hpp"
#include "models.hpp"

namespace from_ids {

// What a program compares models on, and the protocol where options do not change it.
struct Comparison {
  const char* name;
  const char* data;         // what --data names
  const char* environment;  // the variable that names it where --data does not
  Dataset (*read)(const std::string& path);
  std::vector<std::string> models;
  Index batch, epochs;
  std::string row_rule;
  Sizes sizes;
};

// What main returns: 0; 1 for data that cannot be read; 77, the code of a skipped test, where no
// data is named; CLI11's for options.
int compare(const Comparison& comparison, int argc, char** argv);

}  // namespace from_ids
