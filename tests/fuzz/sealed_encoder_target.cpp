// The loader of encoders on files whose parts were changed and sealed again. The bytes are no file
// but a list of changes, so that every one of them reaches what lies behind the seal: descriptions,
// vocabularies, what was fitted. What is accepted encodes, and can be written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>

#include "changes.hpp"
#include "plait/io/encoder_file.hpp"
#include "plait/io/read_features.hpp"
#include "support/encoder.hpp"
#include "support/files.hpp"

namespace {

using fuzz::Input;

void require(bool condition) {
  if (!condition) std::abort();
}

std::string file_of(const plait::FeatureEncoder& encoder) {
  plait::SafetensorsWriter writer;
  writer.add_metadata("plait.format", std::string(plait::detail::encoder_format));
  add_encoder(writer, encoder);
  seal(writer);
  return files::written(writer);
}

constexpr const char* fragments[] = {"[",
                                     "]",
                                     "{",
                                     "}",
                                     "[]",
                                     ",",
                                     ":",
                                     "null",
                                     "true",
                                     "\"",
                                     R"("vocabulary")",
                                     R"("hash")",
                                     R"("direct")",
                                     R"("growing")",
                                     R"("bucket")",
                                     R"("number")",
                                     R"("table":"user")",
                                     R"("bag":{"separator":"","max_length":1})",
                                     R"("bag":{})",
                                     R"("columns":["user","city"])",
                                     R"("columns":["tags"])",
                                     R"("counts":false)",
                                     R"("min_count":1)",
                                     R"("rows":7)",
                                     R"("buckets":4)",
                                     R"("boundaries":[1.0,2.0])",
                                     R"("log1p":true)",
                                     R"("standardise":false)",
                                     R"("clip":1.5)",
                                     R"("missing":["?"])"};

void change(files::Parts& parts, Input& input) {
  std::string& json = parts.meta("plait.features");
  switch (input.byte() % 8) {
    case 0:
    case 1:
      return put_number(json, input);
    case 2:
    case 3:
      return put_fragment(json, input, fragments);
    case 4:
      return repeat(json, input);
    case 5: {  // bytes of a vocabulary or of its offsets
      if (parts.data.empty()) return;
      std::string& data = parts.data[input.below(parts.data.size())];
      if (!data.empty()) data[input.below(data.size())] = static_cast<char>(input.byte());
      return;
    }
    default:
      return change_tensor(parts, input);
  }
}

// Of any accepted encoder: rows as they come, or an error that names what is wrong with them.
void exercise(const plait::FeatureEncoder& encoder) {
  std::istringstream stream(encoders::rows);
  plait::CsvReader reader(stream, "rows.csv");
  auto rows = encoder.rows();
  const auto layout = encoder.layout(reader.columns(), plait::Absent::missing);
  for (bool more = true; more;) try {
      more = encode_rows(encoder, reader, layout, 1, rows) > 0;
    } catch (const plait::FormatError&) {
    }
  const auto batch = rows.batch();
  for (plait::Index f = 0; f < batch.sparse.num_features(); ++f) {
    const auto feature = batch.sparse.feature(f);
    require(feature.offsets.empty() ? std::ssize(feature.ids) == batch.batch()
                                    : std::ssize(feature.offsets) == batch.batch() + 1 &&
                                          feature.offsets.back() == std::ssize(feature.ids));
  }
  const std::string file = file_of(encoder);
  const auto again = plait::load_encoder(files::reader(file));
  require(again.fingerprint() == encoder.fingerprint());
  require(file_of(again) == file);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string file = file_of(encoders::every_kind());
  Input input(data, size);
  try {
    exercise(plait::load_encoder(files::reader(files::resealed(file, [&](files::Parts& parts) {
      for (int changes = 0; changes < 32 && !input.empty(); ++changes) change(parts, input);
    }))));
  } catch (const plait::Error&) {
  }
  return 0;
}
