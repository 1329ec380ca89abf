// The loader of models with embedding tables on files whose parts were changed and sealed again, as
// in sealed_model_target.cpp: descriptions of tables and features, the tables themselves, and the
// ids, offsets and weights of the self-test, which are a batch that anybody may have built.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "changes.hpp"
#include "io/table_run.hpp"
#include "plait/io/embedding_file.hpp"
#include "support/files.hpp"

namespace {

using fuzz::Input;
using plait::Index;

constexpr Index items = 20;

std::string file() {
  const files::Directory directory;
  plait::EmbeddingTables<float> tables(table_run::config(items, true), 7);
  const table_run::Rows<float> rows(2, 3, items);
  for (int step = 0; step < 2; ++step)
    tables.ids(1)->see(
        rows.users, [&](Index row, std::uint64_t id) { tables.start_row(1, row, id); },
        [](Index) {});
  plait::save(table_run::make_model(tables), tables, directory / "model", {}, rows.batch());
  return files::contents(directory / "model");
}

constexpr const char* fragments[] = {"[",
                                     "]",
                                     "{",
                                     "}",
                                     ",",
                                     "null",
                                     "\"",
                                     R"({"name":"x","rows":1,"dim":1})",
                                     R"({"name":"item"})",
                                     R"(,"table":"item")",
                                     R"(,"pooling":"mean")",
                                     R"(,"weighted":true)",
                                     R"(,"side":"user")",
                                     R"(,"bound":0.5)",
                                     R"(,"reserved":2)",
                                     R"(,"growing":true)",
                                     R"(,"admission":3)",
                                     R"("item")",
                                     R"("user.id")"};

// An id, an offset, or two weights of the self-test, or what is known of an id.
constexpr std::int64_t numbers[] = {0,
                                    1,
                                    -1,
                                    items - 1,
                                    items,
                                    std::int64_t{1} << 32,
                                    std::numeric_limits<std::int64_t>::max(),
                                    std::numeric_limits<std::int64_t>::min()};

void change(files::Parts& parts, Input& input) {
  fuzz::change(parts, parts.meta("plait.embeddings"), input, fragments, numbers,
               [](const plait::TensorInfo& tensor) {
                 return tensor.name.starts_with("plait.self_test.") ||
                        tensor.name.ends_with(".ids");
               });
}

// What is accepted is no larger than the bytes, its description is written again as it was, and a
// row of empty bags scores.
void exercise(const std::string& bytes) {
  const auto loaded = plait::load_with_tables<float>(files::reader(bytes));
  const plait::EmbeddingLayout& layout = loaded.tables.layout();
  for (Index t = 0; t < loaded.tables.num_tables(); ++t)
    if (loaded.tables.values(t).size() * sizeof(std::uint16_t) > bytes.size()) std::abort();
  const auto limit = std::numeric_limits<Index>::max();
  if (plait::detail::write_fields(loaded.tables.config(), limit) !=
      *files::reader(bytes).header().meta("plait.embeddings"))
    std::abort();
  const std::vector<std::int64_t> offsets(2, 0);
  const std::vector<plait::SparseFeature> features(static_cast<std::size_t>(layout.num_features()),
                                                   plait::SparseFeature{{}, offsets});
  const std::vector<float> dense(static_cast<std::size_t>(layout.num_dense()), 1);
  plait::FeatureBatch<float> row{plait::SparseBatch(1, features)};
  if (!dense.empty()) row.dense = {dense.data(), 1, 1, layout.num_dense()};
  loaded.tables.check(row);
  plait::Tensor<float> x(1, 1, loaded.tables.width());
  plait::Tensor<float> logits(1, 1, loaded.model.out_shape().dim);
  loaded.tables.lookup(row, x);
  plait::detail::compute_logits<float>(loaded.model, std::as_const(x).view(), logits);
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
