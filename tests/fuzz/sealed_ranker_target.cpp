// The loader of models with tables and an encoder on files whose parts were changed and sealed
// again, as in sealed_tables_target.cpp and sealed_encoder_target.cpp: here what the three say of
// each other, and the raw rows of the self-test. What is accepted scores any row, and is written as
// it was read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <limits>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "changes.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/io/encoded_model_file.hpp"
#include "plait/io/read_features.hpp"
#include "support/encoder.hpp"
#include "support/files.hpp"

namespace {

using fuzz::Input;

std::string file() {
  const plait::FeatureEncoder encoder = encoders::every_kind();
  plait::EmbeddingTables<float> tables(encoder.embeddings(), 7);
  const std::uint64_t seen[] = {3, std::uint64_t{1} << 63, 3};
  for (plait::Index t = 0; t < tables.num_tables(); ++t)
    if (plait::IdMap* ids = tables.ids(t))
      ids->see(
          seen, [&](plait::Index row, std::uint64_t id) { tables.start_row(t, row, id); },
          [](plait::Index) {});
  const plait::Model<float> model(
      plait::MMoE{.input_dim = tables.width(), .num_tasks = 2, .num_experts = 2, .expert = {3}}, {},
      1);
  plait::RawRows rows(encoder.columns().size());
  rows.begin_row();
  for (std::size_t c = 0; c < rows.columns(); ++c) {
    if (encoder.columns()[c] == "user") rows.set(c, "u");
    if (encoder.columns()[c] == "hour") rows.set(c, "3");
    if (encoder.columns()[c] != "tags") continue;
    rows.begin_list(c);
    for (const char* tag : {"a", "b", "none"}) rows.add_item(tag);
  }
  rows.begin_row();
  const files::Directory directory;
  plait::save(model, tables, encoder, directory / "model", {}, rows);
  return files::contents(directory / "model");
}

constexpr const char* fragments[] = {"[",
                                     "]",
                                     "{",
                                     "}",
                                     ",",
                                     "null",
                                     "\"",
                                     R"("side":"user")",
                                     R"(,"pooling":"mean")",
                                     R"(,"missing_flag":true)",
                                     R"("columns":["user","city"])",
                                     R"("bag":{})",
                                     R"("growing")",
                                     R"("rows":24)",
                                     R"("user")",
                                     R"("item")"};

// Of raw values, of offsets, and of what is known of ids.
constexpr std::int64_t numbers[] = {0,
                                    1,
                                    2,
                                    3,
                                    -1,
                                    -2,
                                    -3,
                                    std::int64_t{1} << 32,
                                    std::numeric_limits<std::int64_t>::max(),
                                    std::numeric_limits<std::int64_t>::min()};

void change(files::Parts& parts, Input& input) {
  std::string& text = parts.meta(input.byte() % 2 == 0 ? "plait.features" : "plait.embeddings");
  fuzz::change(parts, text, input, fragments, numbers,
               [](const plait::TensorInfo& tensor) { return tensor.dtype == plait::DType::i64; });
}

void exercise(const std::string& bytes) {
  const auto loaded = plait::load_with_encoder<float>(files::reader(bytes));
  plait::EncodedRows rows = loaded.encoder.rows();
  const plait::ColumnLayout layout = loaded.encoder.layout(loaded.encoder.columns());
  plait::RawRows raw(loaded.encoder.columns().size());
  raw.begin_row();
  try {
    loaded.encoder.encode(raw.row(0), layout, rows);
  } catch (const plait::ColumnError&) {
    return;
  }
  const auto batch = rows.batch();
  loaded.tables.check(batch);
  plait::Tensor<float> x(1, 1, loaded.tables.width());
  plait::Tensor<float> logits(1, 1, loaded.model.out_shape().dim);
  loaded.tables.lookup(batch, x);
  plait::detail::compute_logits<float>(loaded.model, std::as_const(x).view(), logits);
  const auto header = files::reader(bytes).header();
  plait::SafetensorsWriter again;
  add_encoder(again, loaded.encoder);
  if (*again.header().meta("plait.features") != *header.meta("plait.features")) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string whole = file();
  Input input(data, size);
  try {
    exercise(files::resealed(whole, [&](files::Parts& parts) {
      for (int changes = 0; changes < 32 && !input.empty(); ++changes) change(parts, input);
    }));
  } catch (const plait::Error&) {
  }
  return 0;
}
