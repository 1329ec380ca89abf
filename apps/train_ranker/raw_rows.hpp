// Data sets of raw rows: a file of columns, some of which are labels and the others features.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dataset.hpp"
#include "plait/features/feature.hpp"
#include "row_file.hpp"

namespace ranker {

struct RawRows {
  std::string path = {};
  FileKind kind = FileKind::table;
  std::vector<plait::Head> tasks = {};  // task_columns()
  std::string split_column = {};        // empty: HashSplit
};

// A description guessed from the first 10,000 rows: all columns are features but labels and split.
// Throws UsageError for a task or a split that is no column, and as plait::RowReader does.
plait::EncoderConfig infer_features(const RawRows& rows);

// A description as people write it: the fields of plait::EncoderConfig as JSON. Throws
// plait::FormatError, UsageError for a file that cannot be read.
plait::EncoderConfig read_features(const std::string& path);
std::string to_json(const plait::EncoderConfig& features);

// "user_id vocabulary 16, price number", for people.
std::string summary(const plait::EncoderConfig& features);

// Reads the file twice: the encoder is fitted on the rows that train, and makes all of them. Labels
// that are empty are masked; those of regressions are standardised with the mean and the deviation
// of the rows that train. Memory: the encoded rows, 8 bytes per id and 4 per number.
// Throws UsageError for a column that is not there, plait::FormatError with file, line and column
// for a value that cannot be taken, DataError where a part has no rows, a task no label to train on
// or a feature no value.
Dataset raw_dataset(const RawRows& rows, const plait::EncoderConfig& features);

// The same of rows that come from elsewhere, the same whenever they are opened, with at least these
// columns; rows.path describes them.
using OpenRows = std::function<std::unique_ptr<RowSource>(std::vector<std::string> columns)>;
Dataset raw_dataset(const RawRows& rows, const plait::EncoderConfig& features,
                    const OpenRows& open);

}  // namespace ranker
