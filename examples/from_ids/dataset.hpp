// What the comparison trains on: encoded rows, a label per row and task, and the rows of each part.
#pragma once
#include <fstream>
#include <plait/embeddings.hpp>
#include <plait/io.hpp>
#include <plait/plait.hpp>
#include <string>
#include <vector>

namespace from_ids {

using plait::Index;

// Throws FileError for a file that cannot be opened.
inline std::ifstream open(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw plait::FileError(path, "file", "none that can be opened", "a readable file");
  return stream;
}

enum class Part { train, validation, test };

struct Dataset {
  plait::FeatureEncoder encoder;  // fitted on the rows that train
  std::vector<plait::Head> heads = {};
  plait::EncodedRows rows = encoder.rows();
  std::vector<float> labels = {};  // [rows, tasks]
  double regression_unit = 1;      // that regressions' labels are in; MSEs are given without it
  std::vector<Index> train = {}, validation = {}, test = {};

  // Encodes the next row; its labels are added to `labels`.
  void add(Part part, plait::RawRow row, const plait::ColumnLayout& layout) {
    auto& list = part == Part::train ? train : part == Part::validation ? validation : test;
    list.push_back(rows.size());
    encoder.encode(row, layout, rows);
  }
};

}  // namespace from_ids
