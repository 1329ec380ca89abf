// The readers of rows on arbitrary bytes, and what is made of rows: a description, a fit, a batch.
// However the bytes come, the rows are the same; what fits a description encodes by it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <istream>
#include <memory>
#include <sstream>
#include <streambuf>
#include <string>
#include <vector>

#include "plait/features/encoder_fit.hpp"
#include "plait/io/csv_reader.hpp"
#include "plait/io/json_lines_reader.hpp"
#include "plait/io/read_features.hpp"
#include "support/dripping.hpp"

namespace {

using namespace plait;

void require(bool condition) {
  if (!condition) std::abort();
}

std::unique_ptr<RowReader> reader_of(std::istream& stream, unsigned kind,
                                     std::vector<std::string> columns = {}) {
  const Index most = (kind & 8u) != 0 ? 64 : Index{1} << 20;
  if ((kind & 1u) != 0)
    return std::make_unique<JsonLinesReader>(stream, "fuzz", std::move(columns), most);
  CsvOptions options{.max_line = most};
  if ((kind & 2u) != 0) options.separator = ',';
  if ((kind & 4u) != 0) options.quote = 0;
  return std::make_unique<CsvReader>(stream, "fuzz", std::move(options));
}

// All rows as one text, and how they ended.
std::string read_all(std::istream& stream, unsigned kind) {
  std::string all;
  const auto add = [&](std::string_view text) { all.append(text) += '\1'; };
  try {
    const auto reader = reader_of(stream, kind);
    while (reader->next()) {
      require(reader->row().size() == reader->columns().size());
      for (const RawValue& value : reader->row()) {
        all += value.is_missing() ? 'm' : value.is_text() ? 't' : 'l';
        add(value.text());
        for (const std::string_view item : value.list()) add(item);
      }
      all += std::to_string(reader->line()) + '\2';
    }
    require(!reader->next());
  } catch (const Error& error) {
    add(error.what());
  }
  return all;
}

void use(const std::string& text, unsigned kind) {
  std::istringstream first(text), second(text), third(text);
  EncoderConfig config = describe(*reader_of(first, kind), 50);
  if (config.features.empty()) return;
  for (Feature& feature : config.features)
    if (feature.kind == FeatureKind::vocabulary) feature.min_count = 1;
  const auto columns = columns_of(config);
  const auto reader = reader_of(second, kind, columns);
  const FeatureEncoder encoder = fit_encoder(config, *reader);
  const auto again = reader_of(third, kind, columns);
  auto rows = encoder.rows();
  const auto layout = encoder.layout(again->columns());
  while (encode_rows(encoder, *again, layout, 7, rows) > 0) {
  }
  const auto batch = rows.batch();
  require(batch.batch() > 0);
  for (Index f = 0; f < batch.sparse.num_features(); ++f) {
    const auto& features = encoder.embeddings().features;
    const auto& tables = encoder.embeddings().tables;
    const auto& name = features[static_cast<std::size_t>(f)].name;
    const auto table =
        std::find_if(tables.begin(), tables.end(), [&](const auto& t) { return t.name == name; });
    for (const std::uint64_t id : batch.sparse.feature(f).ids)
      require(id < static_cast<std::uint64_t>(table->rows));
  }
}

}  // namespace

// The first byte says which reader, the second how many bytes come at a time.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string text(reinterpret_cast<const char*>(data + 2), size - 2);
  std::istringstream whole(text);
  Dripping drip(text, 1 + data[1] % 32u);
  std::istream dripping(&drip);
  require(read_all(whole, data[0]) == read_all(dripping, data[0]));
  try {
    use(text, data[0]);
  } catch (const Error&) {
  }
  return 0;
}
