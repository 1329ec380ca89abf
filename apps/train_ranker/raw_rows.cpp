#include "raw_rows.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "errors.hpp"
#include "plait/core/csv.hpp"
#include "plait/core/error.hpp"
#include "plait/features/encoder_fit.hpp"
#include "plait/features/fingerprint.hpp"
#include "plait/io/fields.hpp"
#include "plait/io/read_features.hpp"
#include "split.hpp"
#include "task_column.hpp"

namespace ranker {
namespace {

// Of labels and of the split.
std::vector<std::string> label_columns(const RawRows& rows) {
  std::vector<std::string> columns;
  for (const plait::Head& task : rows.tasks) columns.push_back(task.name);
  if (!rows.split_column.empty()) columns.push_back(rows.split_column);
  return columns;
}

void require_column(const char* option, const std::string& column, const std::string& path,
                    std::span<const std::string> columns) {
  if (std::ranges::count(columns, column) > 0) return;
  std::string names;
  for (const std::string& name : columns) names += (names.empty() ? "" : ", ") + name;
  throw UsageError(std::string(option) + ": got " + plait::in_quotes(column) +
                   ", expected a column of " + path + ": " + plait::shown(names, 400));
}

void require_columns(const RawRows& rows, const plait::EncoderConfig& features,
                     std::span<const std::string> columns) {
  for (const plait::Head& task : rows.tasks)
    require_column("--tasks", task.name, rows.path, columns);
  if (!rows.split_column.empty())
    require_column("--split-column", rows.split_column, rows.path, columns);
  for (const std::string& column : plait::columns_of(features))
    require_column("--features", column, rows.path, columns);
}

// Features that give no label away.
void require_fitting(const RawRows& rows, const plait::EncoderConfig& features) {
  const auto labels = label_columns(rows);
  for (const std::string& column : plait::columns_of(features))
    if (std::ranges::count(labels, column) > 0)
      throw UsageError("--features: got " + plait::in_quotes(column) +
                       ", expected no column of --tasks or --split-column");
}

// The columns that are read, labels first.
std::vector<std::string> read_columns(const RawRows& rows, const plait::EncoderConfig& features) {
  std::vector<std::string> columns = label_columns(rows);
  for (std::string& column : plait::columns_of(features)) columns.push_back(std::move(column));
  return columns;
}

// Labels row by row, as they are read.
struct Labels {
  std::vector<float> values, mask;

  void add(const RawRows& rows, plait::RawRow row, const plait::ColumnLayout& layout,
           const plait::EncoderConfig& features) {
    for (std::size_t t = 0; t < rows.tasks.size(); ++t) {
      const auto label = label_of(rows.tasks[t], layout.value(row, t), features.missing);
      values.push_back(label.value_or(0.0f));
      mask.push_back(label ? 1.0f : 0.0f);
    }
  }
  void move_to(Dataset& data) const {
    const auto tasks = std::ssize(data.heads);
    using Rows = Eigen::Map<const plait::Matrix<float>>;
    const Index rows = std::ssize(values) / tasks;
    data.labels = Rows(values.data(), rows, tasks);
    if (std::ranges::count(mask, 0.0f) > 0) data.mask = Rows(mask.data(), rows, tasks);
  }
};

void add_row(plait::Fingerprint& fingerprint, plait::RawRow row) {
  for (const plait::RawValue& value : row) {
    fingerprint.add(value.is_missing() ? 0u : value.is_text() ? 1u : 2u + value.list().size());
    if (value.is_text()) fingerprint.add(value.text());
    for (const std::string_view item : value.list()) fingerprint.add(item);
  }
}

void require_rows(const Dataset& data, const std::string& path) {
  for (const auto& [rows, what] :
       {std::pair(&data.train, "train"), std::pair(&data.validation, "validate"),
        std::pair(&data.test, "test")})
    if (rows->empty())
      throw DataError(path + ": got no row to " + what + " on, expected at least one");
}

// Labels that training can use, and values that features can.
void require_values(const Dataset& data, const plait::FeatureEncoder& encoder,
                    const std::string& path) {
  for (std::size_t t = 0; t < data.heads.size(); ++t)
    if (std::ranges::none_of(data.train,
                             [&](Index row) { return data.has_label(row, static_cast<Index>(t)); }))
      throw DataError(path + ": column " + plait::in_quotes(data.heads[t].name) +
                      ": got no label in the rows that train, expected at least one");
  for (const plait::FittedFeature& feature : encoder.state().fitted)
    if (feature.report.missing == feature.report.rows)
      throw DataError(path + ": feature " + plait::in_quotes(feature.report.name) +
                      ": got no value in the rows that train, expected at least one");
}

// (label - mean) / deviation, of the rows that train; says so.
void standardise(Dataset& data, Index task) {
  double count = 0, mean = 0, squares = 0;
  for (const Index row : data.train) {
    if (!data.has_label(row, task)) continue;
    const double difference = data.labels(row, task) - mean;
    mean += difference / ++count;
    squares += difference * (data.labels(row, task) - mean);
  }
  const double deviation = squares > 0 ? std::sqrt(squares / count) : 1;
  for (Index row = 0; row < data.labels.rows(); ++row)
    if (data.has_label(row, task))
      data.labels(row, task) = static_cast<float>((data.labels(row, task) - mean) / deviation);
  data.description += ", " + data.heads[static_cast<std::size_t>(task)].name + " is (label - " +
                      plait::general_number(mean, 6) + ") / " + plait::general_number(deviation, 6);
}

// The rows of the file as the encoder makes them, all of them as often as there are labels.
std::shared_ptr<const EncodedFeatures> encode(const RawRows& rows, plait::RowReader& reader,
                                              const plait::FeatureEncoder& encoder,
                                              const Dataset& data) {
  const plait::ColumnLayout layout = encoder.layout(reader.columns());
  plait::EncodedRows encoded = encoder.rows();
  const auto read = [&](Index count) {
    if (plait::encode_rows(encoder, reader, layout, count, encoded) != count)
      throw DataError(rows.path + ": got another number of rows when it was read again");
  };
  plait::RawRows replayed(layout.size());
  std::vector<plait::RawValue> values(layout.size());
  for (const Index row : std::span(data.test).first(std::min<std::size_t>(4, data.test.size()))) {
    read(row + 1 - encoded.size());
    for (std::size_t c = 0; c < values.size(); ++c) values[c] = layout.value(reader.row(), c);
    replayed.add(values);
  }
  read(data.labels.rows() - encoded.size());
  return std::make_shared<const EncodedFeatures>(encoder, std::move(encoded), std::move(replayed));
}

}  // namespace

plait::EncoderConfig infer_features(const RawRows& rows) {
  RowFile file(rows.path, rows.kind);
  plait::EncoderConfig features =
      plait::describe(file.reader(), 10'000, {.except = label_columns(rows)});
  require_columns(rows, {}, file.reader().columns());
  if (features.features.empty())
    throw DataError(rows.path +
                    ": got no column with values but those of labels and split, "
                    "expected features");
  return features;
}

plait::EncoderConfig read_features(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string json{std::istreambuf_iterator<char>(file), {}};
  if (!file) throw UsageError("--features: cannot read " + path);
  plait::EncoderConfig features;
  plait::detail::read_fields(
      json, {.file = path, .where = "features", .limit = plait::largest_count, .by_hand = true},
      features);
  return features;
}

std::string to_json(const plait::EncoderConfig& features) {
  return plait::detail::write_fields(features, plait::largest_count, 2) + '\n';
}

std::string summary(const plait::EncoderConfig& features) {
  std::string result;
  for (const plait::Feature& feature : features.features) {
    const auto kind = static_cast<std::size_t>(feature.kind);
    result += (result.empty() ? "" : ", ") + feature.name + ' ' +
              std::string(plait::EnumNames<plait::FeatureKind>::names[kind]);
    if (feature.bag) result += " bag";
    if (feature.dim > 0) result += ' ' + std::to_string(feature.dim);
    if (feature.side == plait::Side::user) result += " (user)";
  }
  return result;
}

Dataset raw_dataset(const RawRows& rows, const plait::EncoderConfig& features) {
  return raw_dataset(rows, features, [&](std::vector<std::string> columns) {
    return std::make_unique<RowFile>(rows.path, rows.kind, std::move(columns));
  });
}

Dataset raw_dataset(const RawRows& rows, const plait::EncoderConfig& features,
                    const OpenRows& open) {
  require_fitting(rows, features);
  plait::EncoderFit fit(features);
  Dataset data;
  data.description = rows.path;
  data.heads = rows.tasks;
  Labels labels;
  {
    const auto source = open(read_columns(rows, features));
    plait::RowReader& reader = source->reader();
    require_columns(rows, features, reader.columns());
    const plait::ColumnLayout layout = fit.layout(reader.columns());
    const plait::ColumnLayout label_layout(label_columns(rows), reader.columns());
    HashSplit by_hash(reader.columns());
    plait::Fingerprint fingerprint;
    fingerprint.add_fields(features);
    for (const std::string& column : reader.columns()) fingerprint.add(column);
    for (Index row = 0; reader.next(); ++row)
      plait::with_place(reader, [&] {
        const Part part =
            rows.split_column.empty()
                ? by_hash.part_of(reader.row())
                : part_of(label_layout.value(reader.row(), rows.tasks.size()), rows.split_column);
        labels.add(rows, reader.row(), label_layout, features);
        if (part == Part::train) fit.add(reader.row(), layout);
        rows_of(data, part).push_back(row);
        add_row(fingerprint, reader.row());
      });
    data.fingerprint = fingerprint.value();
  }
  require_rows(data, rows.path);
  labels.move_to(data);
  const plait::FeatureEncoder encoder = fit.finish();
  require_values(data, encoder, rows.path);

  const auto source = open(read_columns(rows, features));
  data.encoded = encode(rows, source->reader(), encoder, data);
  for (std::size_t t = 0; t < data.heads.size(); ++t)
    if (data.heads[t].kind == plait::HeadKind::regression) standardise(data, static_cast<Index>(t));
  return data;
}

}  // namespace ranker
