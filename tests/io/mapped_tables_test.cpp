// Tables whose rows stay in their model's file.
#include <algorithm>
#include <cstdint>
#include <filesystem>
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
bool equal(const EmbeddingTables<S>& a, const EmbeddingTables<S>& b) {
  bool same = a.num_tables() == b.num_tables();
  for (Index t = 0; same && t < a.num_tables(); ++t)
    same = std::ranges::equal(a.values(t), b.values(t)) &&
           table_run::ids(a, t) == table_run::ids(b, t);
  return same;
}

template <class S>
std::vector<S> logits(const plait::LoadedWithTables<S>& loaded, const Rows<S>& rows) {
  plait::Tensor<S> x(rows.batch().batch(), 1, loaded.tables.width());
  loaded.tables.lookup(rows.batch(), x);
  const auto all = std::as_const(x).view();
  return {all.data(), all.data() + all.batch() * all.dim()};
}

// The bytes of a file with one of its data changed and no checksum.
std::string damaged(std::string bytes) {
  bytes[bytes.size() - 1] = static_cast<char>(bytes[bytes.size() - 1] ^ 1);
  return bytes;
}

}  // namespace

TEST_CASE("mapped tables are those that are read, in both scalars and when they grow") {
  const files::Directory directory;
  const std::string path = directory / "model";
  const auto check = [&]<class S>(const EmbeddingTables<S>& tables) {
    write_model(tables, path);
    for (const Verify verify : {Verify::all, Verify::header}) {
      const auto mapped = map_model<S>(path, verify);
      CHECK(equal(mapped.tables, tables));
      const Rows<S> rows(5, 33);
      CHECK(logits(mapped, rows) == logits(plait::load_with_tables<S>(path), rows));
    }
  };
  check(EmbeddingTables<float>(table_run::config(), 7));
  check(EmbeddingTables<double>(table_run::config(), 7));
  auto growing = table_run::config();
  growing.tables[0].growing = true;
  growing.tables[0].reserved = 1;
  check(EmbeddingTables<float>(growing, 7));
}

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
  auto plain = plait::load_with_tables<float>(SafetensorsReader(path), {}, Verify::header);
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
  CHECK_THAT(message(damaged(bytes), Verify::all), Catch::Matchers::Contains("data: got checksum"));
  std::string header = bytes;
  header[header.find("embedding_bags") + 15] ^= 1;
  CHECK_THAT(message(header, Verify::header), Catch::Matchers::Contains("header: got checksum"));
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{7}, std::size_t{100}, bytes.size() - 1})
    CHECK(message(bytes.substr(0, size), Verify::header) != "accepted");
  // What is not verified shows where it changes what the model says.
  std::string value = bytes;
  const auto reader = files::reader(bytes);
  const auto& tensors = reader.header().tensors;
  const std::size_t data = bytes.size() - tensors.back().end;
  for (std::size_t i = data; i < data + tensors[0].end; ++i) value[i] = static_cast<char>(i * 7);
  CHECK_THAT(message(value, Verify::header), Catch::Matchers::Contains("self-test"));
  CHECK(message(bytes, Verify::header) == "accepted");
}

TEST_CASE("mapped files: what is no file is refused") {
  const files::Directory directory;
  CHECK_THROWS_AS(SafetensorsReader::mapped(directory / "none"), plait::FileError);
  CHECK_THROWS_AS(SafetensorsReader::mapped(directory.path()), plait::FileError);
  files::write(directory / "empty", "");
  CHECK_THROWS_AS(SafetensorsReader::mapped(directory / "empty"), plait::FileError);
}

#endif
