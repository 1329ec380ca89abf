// Features of the rows of a file: described, fitted, encoded.
#pragma once
#include <utility>

#include "plait/core/config.hpp"
#include "plait/core/function_ref.hpp"
#include "plait/features/column_layout.hpp"
#include "plait/features/describe.hpp"
#include "plait/features/encoded_rows.hpp"
#include "plait/features/encoder_fit.hpp"
#include "plait/features/feature.hpp"
#include "plait/features/feature_encoder.hpp"
#include "plait/io/row_reader.hpp"

namespace plait {

// A description guessed from the next rows, as Describer does. Throws as RowReader::next.
PLAIT_COLD inline EncoderConfig describe(RowReader& reader, Index rows = 10'000,
                                         const DescribeOptions& options = {}) {
  Describer describer;
  for (Index i = 0; i < rows && reader.next(); ++i) describer.add(reader.row(), reader.columns());
  return describer.finish(options);
}

// The encoder of all rows that follow. The columns of the description must be the reader's from
// the start: a JsonLinesReader is made for columns_of(config). progress(rows) is called every 4,096
// rows and at the end; what it throws ends the fit. Throws FormatError for a value that its feature
// cannot take; ConfigError; or as RowReader::next.
inline FeatureEncoder fit_encoder(EncoderConfig config, RowReader& reader,
                                  FunctionRef<void(Index)> progress) {
  EncoderFit fit(std::move(config));
  const ColumnLayout layout = fit.layout(reader.columns());
  while (reader.next()) {
    with_place(reader, [&] { fit.add(reader.row(), layout); });
    if (fit.rows() % 4096 == 0) progress(fit.rows());
  }
  progress(fit.rows());
  return fit.finish();
}
inline FeatureEncoder fit_encoder(EncoderConfig config, RowReader& reader) {
  return fit_encoder(std::move(config), reader, [](Index) {});
}

// Appends up to `count` rows and returns how many there were; 0 at the end. Throws as fit_encoder;
// `out` then has the rows before.
inline Index encode_rows(const FeatureEncoder& encoder, RowReader& reader,
                         const ColumnLayout& layout, Index count, EncodedRows& out) {
  Index rows = 0;
  for (; rows < count && reader.next(); ++rows)
    with_place(reader, [&] { encoder.encode(reader.row(), layout, out); });
  return rows;
}

}  // namespace plait
