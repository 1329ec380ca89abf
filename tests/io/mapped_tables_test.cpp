// Tables whose rows stay in their model's file.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "changed_parts.hpp"
#include "plait/io/embedding_file.hpp"
#include "plait/io/mapped_file.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/serve/embedding_scorer.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"
#include "table_run.hpp"

#ifdef PLAIT_HAS_MMAP

namespace {

using plait::EmbeddingTables;
using plait::FormatError;
using plait::Index;
using plait::SafetensorsReader;
using plait::Verify;
using table_run::equal;
using table_run::Rows;

template <class S>
void write_model(const EmbeddingTables<S>& tables, const std::string& path) {
  const Rows<S> rows(2, 9);
  plait::save(table_run::make_model(tables), tables, path, {}, rows.batch());
}

template <class S>
plait::LoadedWithTables<S> map_model(const std::string& path, Verify verify = Verify::all) {
  return plait::load_with_tables<S>(SafetensorsReader::mapped(path), {}, verify);
}

template <class S>
std::vector<S> looked_up(const plait::LoadedWithTables<S>& loaded, const Rows<S>& rows) {
  plait::Tensor<S> x(rows.batch().batch(), 1, loaded.tables.width());
  loaded.tables.lookup(rows.batch(), x);
  const auto all = std::as_const(x).view();
  return {all.data(), all.data() + all.batch() * all.dim()};
}

}  // namespace

TEST_CASE("mapped tables are those that are read, in both scalars and when they grow") {
  const files::Directory directory;
  const std::string path = directory / "model";
  const auto check = [&]<class S>(const EmbeddingTables<S>& tables) {
    write_model(tables, path);
    for (const Verify verify : {Verify::all, Verify::unmapped}) {
      const auto mapped = map_model<S>(path, verify);
      CHECK(equal(mapped.tables, tables));
      const Rows<S> rows(5, 33);
      CHECK(looked_up(mapped, rows) == looked_up(plait::load_with_tables<S>(path), rows));
    }
  };
  check(EmbeddingTables<float>(table_run::config(), 7));
  check(EmbeddingTables<double>(table_run::config(), 7));
  table_run::Run run;  // one of its tables grows
  run.steps(5);
  REQUIRE(table_run::ids(run.tables, 1).size() > 5);
  check(run.tables);
}

#ifdef __linux__
TEST_CASE("mapped tables are the file's own pages") {
  const files::Directory directory;
  const std::string path = directory / "model";
  write_model(EmbeddingTables<float>(table_run::config(), 7), path);
  const auto mapped = map_model<float>(path, Verify::unmapped);
  const auto read = plait::load_with_tables<float>(path);
  const auto reader = SafetensorsReader(path);
  const auto& tensors = reader.header().tensors;
  const auto data = std::filesystem::file_size(path) - tensors.back().end;
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(data));
  const float number = 123;
  file.write(reinterpret_cast<const char*>(&number), sizeof number);
  file.flush();
  CHECK(mapped.tables.values(0)[0] == number);
  CHECK(read.tables.values(0)[0] != number);
}
#endif

TEST_CASE("mapped tables start at a cache line, and are neither copied nor allocated") {
  const EmbeddingTables<float> tables(
      {.tables = {{.name = "id", .rows = 100'000, .dim = 16}}, .features = {{.name = "id"}}}, 7);
  const files::Directory directory;
  const std::string path = directory / "model";
  plait::save(table_run::make_model(tables), tables, path);
  const auto reader = SafetensorsReader::mapped(path);
  const auto [rows, owner] = reader.map<float>(*reader.header().find("embedding_bags.id.weight"));
  REQUIRE(owner != nullptr);
  CHECK(reinterpret_cast<std::uintptr_t>(rows.data()) % 64 == 0);
  CHECK(std::ranges::equal(rows, tables.values(0)));
  CHECK(reader.map<double>(*reader.header().find("embedding_bags.id.weight")).second == nullptr);

  const std::size_t before = allocations::bytes();
  const auto loaded = map_model<float>(path);
  CHECK(allocations::bytes() - before < 1'000'000);
  CHECK(equal(loaded.tables, tables));
}

TEST_CASE("mapped tables of another scalar, and of a file that is not mapped, are read") {
  const EmbeddingTables<float> tables(table_run::config(), 7);
  const files::Directory directory;
  const std::string path = directory / "model";
  write_model(tables, path);
  const auto doubles = map_model<double>(path);
  for (Index t = 0; t < tables.num_tables(); ++t)
    CHECK(std::ranges::equal(doubles.tables.values(t), tables.values(t)));
  auto plain = plait::load_with_tables<float>(SafetensorsReader(path), {}, Verify::unmapped);
  CHECK(equal(plain.tables, tables));
}

TEST_CASE("mapped tables are trained without a word to the file") {
  const EmbeddingTables<float> tables(table_run::config(), 7);
  const files::Directory directory;
  const std::string path = directory / "model";
  write_model(tables, path);
  const std::string bytes = files::contents(path);
  auto mapped = map_model<float>(path);
  auto read = plait::load_with_tables<float>(path);
  const auto train = [](plait::LoadedWithTables<float>& loaded) {
    const Rows<float> rows(3, 40);
    plait::TableOptimizer<float> optimizer(loaded.tables, plait::RowwiseAdagrad{});
    plait::Trainer<float> trainer(loaded.model, optimizer, std::vector<plait::Head>(2),
                                  plait::SGD{});
    for (int step = 0; step < 3; ++step) trainer.step(rows.batch(), rows.labels);
  };
  train(mapped);
  train(read);
  CHECK(equal(mapped.tables, read.tables));
  CHECK(!equal(mapped.tables, tables));
  CHECK((files::contents(path) == bytes));
}

TEST_CASE("mapped tables live on when their file is replaced or gone") {
  const EmbeddingTables<float> tables(table_run::config(), 7);
  const files::Directory directory;
  const std::string path = directory / "model";
  write_model(tables, path);
  const auto mapped = map_model<float>(path);
  write_model(EmbeddingTables<float>(table_run::config(), 8), path);
  CHECK(equal(mapped.tables, tables));
  std::filesystem::remove(path);
  CHECK(equal(mapped.tables, tables));
}

TEST_CASE("mapped files that are damaged are refused as far as they are verified") {
  const EmbeddingTables<float> tables(table_run::config(), 7);
  const files::Directory directory;
  const std::string path = directory / "model";
  write_model(tables, path);
  const std::string bytes = files::contents(path);
  const auto message = [&](const std::string& content, Verify verify) -> std::string {
    files::write(path, content);
    try {
      map_model<float>(path, verify);
    } catch (const plait::Error& error) {
      return error.what();
    }
    return "accepted";
  };
  using Catch::Matchers::ContainsSubstring;
  CHECK(message(bytes, Verify::unmapped) == "accepted");
  const auto reader = files::reader(bytes);
  const auto& tensors = reader.header().tensors;
  const std::size_t data = bytes.size() - tensors.back().end;
  for (const auto& tensor : tensors) {
    INFO(tensor.name);
    if (tensor.begin == tensor.end) continue;
    std::string flipped = bytes;
    flipped[data + tensor.begin] = static_cast<char>(flipped[data + tensor.begin] ^ 1);
    CHECK_THAT(message(flipped, Verify::all), ContainsSubstring("data: got checksum"));
    if (!tensor.name.starts_with("embedding_bags."))
      CHECK_THAT(message(flipped, Verify::unmapped),
                 ContainsSubstring(plait::in_quotes(tensor.name) + ": got checksum"));
  }
  CHECK_THAT(
      message(bytes.substr(0, data) + std::string(bytes.size() - data, '\0'), Verify::unmapped),
      ContainsSubstring("got checksum"));
  // What is not verified shows where it changes what the model says.
  std::string other = bytes;
  for (std::size_t i = data; i < data + tensors[0].end; ++i) other[i] = static_cast<char>(i * 7);
  CHECK_THAT(message(other, Verify::unmapped), ContainsSubstring("self-test"));
  std::string header = bytes;
  header[header.find("embedding_bags") + 15] ^= 1;
  CHECK_THAT(message(header, Verify::unmapped), ContainsSubstring("header: got checksum"));
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{7}, std::size_t{100}, bytes.size() - 1})
    CHECK(message(bytes.substr(0, size), Verify::unmapped) != "accepted");
}

TEST_CASE("mapped files without a checksum of every tensor are verified as a whole") {
  const EmbeddingTables<float> tables(table_run::config(), 7);
  const files::Directory directory;
  const std::string path = directory / "model";
  write_model(tables, path);
  const auto with = [&](const std::function<void(files::Parts&)>& change) {
    return files::resealed(files::contents(path), change);
  };
  std::string older = with([](files::Parts& parts) {
    std::erase_if(parts.header.metadata, [](const auto& pair) {
      return pair.first == plait::detail::tensor_checksums_key;
    });
  });
  files::write(path, older);
  CHECK(equal(map_model<float>(path, Verify::unmapped).tables, tables));
  const std::size_t data = older.size() - files::reader(older).header().tensors.back().end;
  older[data + 2] = static_cast<char>(older[data + 2] ^ 1);
  files::write(path, older);
  CHECK_THROWS_WITH(map_model<float>(path, Verify::unmapped),
                    Catch::Matchers::ContainsSubstring("data: got checksum"));
  write_model(tables, path);
  files::write(path, with([](files::Parts& parts) {
                 parts.meta(std::string(plait::detail::tensor_checksums_key)).pop_back();
               }));
  CHECK_THROWS_WITH(map_model<float>(path, Verify::unmapped),
                    Catch::Matchers::ContainsSubstring("16 for every tensor"));
}

TEST_CASE("mapped files: what is no file is refused") {
  const files::Directory directory;
  CHECK_THROWS_AS(SafetensorsReader::mapped(directory / "none"), plait::FileError);
  CHECK_THROWS_AS(SafetensorsReader::mapped(directory.path()), plait::FileError);
  files::write(directory / "empty", "");
  CHECK_THROWS_AS(SafetensorsReader::mapped(directory / "empty"), plait::FileError);
}

#endif
