#include "plait/io/embedding_file.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "changed_parts.hpp"
#include "plait/optim/sgd.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"
#include "table_run.hpp"

namespace {

using files::of_tensor;
using files::Parts;
using plait::EmbeddingTables;
using plait::FormatError;
using plait::Index;
using plait::Model;
using table_run::equal;
using table_run::Rows;

template <class S>
std::string saved(const Model<S>& model, const EmbeddingTables<S>& tables,
                  const plait::FeatureBatch<S>& rows = {},
                  const std::function<void(plait::SafetensorsWriter&)>& add = {}) {
  const files::Directory directory;
  plait::save(model, tables, directory / "model", {.metadata = {{"run", "7"}}}, rows, add);
  return files::contents(directory / "model");
}
// With rows for its self-test.
std::string saved() {
  const EmbeddingTables<float> tables(table_run::config(), 7);
  const Rows<float> rows(2, 5);
  return saved(table_run::make_model(tables), tables, rows.batch());
}

template <class S>
plait::LoadedWithTables<S> load(const std::string& bytes, plait::ModelFilePart<S>* part = nullptr) {
  return plait::load_with_tables<S>(files::reader(bytes), {}, plait::Verify::all, part);
}

template <class S>
void check_round_trip() {
  const EmbeddingTables<S> tables(table_run::config(), 7);
  const auto model = table_run::make_model(tables);
  const Rows<S> rows(2, 9);
  for (const auto& batch :
       {plait::FeatureBatch<S>(), rows.batch(), rows.batch().rows(3, 4), rows.batch().rows(2, 0)}) {
    const std::string bytes = saved(model, tables, batch);
    const auto loaded = load<S>(bytes);
    CHECK(std::ranges::equal(loaded.model.values().flat(), model.values().flat()));
    CHECK(equal(loaded.tables, tables));
    CHECK(loaded.tables.width() == tables.width());
    CHECK(loaded.tables.config().tables[1].reserved == 1);
    CHECK(loaded.tables.layout().shared_columns() == tables.layout().shared_columns());
    CHECK(loaded.metadata == plait::Metadata{{"run", "7"}});
    CHECK((saved(loaded.model, loaded.tables, batch) == bytes));
  }
}

// The message of the FormatError that loading the changed file gives.
std::string refusal(const std::string& bytes, const std::function<void(Parts&)>& change) {
  try {
    load<float>(files::resealed(bytes, change));
  } catch (const FormatError& error) {
    const std::string told = error.what();
    const std::string where = "plait::memory: ";
    return told.starts_with(where) ? told.substr(where.size()) : told;
  }
  return "accepted";
}
std::function<void(Parts&)> replacing(const std::string& what, const std::string& by) {
  return files::replacing("plait.embeddings", what, by);
}
template <class Number>
void put(std::string& data, std::size_t at, Number number) {
  std::memcpy(data.data() + at * sizeof number, &number, sizeof number);
}

// A part that keeps one text and checks that it is called as is promised.
class Note final : public plait::ModelFilePart<float> {
 public:
  std::string text;
  int opened = 0;
  int finished = 0;

  bool owns(std::string_view tensor) const override { return tensor == "plait.note"; }
  void open(const plait::SealedReader& file) override {
    if (file.header().find("plait.note") == nullptr)
      throw FormatError(file.name(), "plait.note", "none", "one");
    ++opened;
  }
  void read(plait::SealedReader& file, const plait::TensorInfo& tensor) override {
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(tensor.count()));
    file.read(tensor, std::span(bytes));
    text.assign(bytes.begin(), bytes.end());
  }
  void finish(const EmbeddingTables<float>& tables) override {
    CHECK(tables.num_tables() == 2);
    ++finished;
  }
};

}  // namespace

TEST_CASE("model file with tables: all comes back bit for bit, in float") {
  check_round_trip<float>();
}
TEST_CASE("model file with tables: all comes back bit for bit, in double") {
  check_round_trip<double>();
}

TEST_CASE("model file with tables: of those that grow the ids, and all of them go on alike") {
  table_run::Run run;
  run.steps(30);
  const auto& tables = run.tables;
  REQUIRE(tables.ids(1)->num_rows() > 10);
  const Rows<float> rows(29, 8);  // some users have rows, some have none
  const std::string bytes = saved(run.model, tables, rows.batch());
  auto loaded = load<float>(bytes);
  CHECK(equal(loaded.tables, tables));
  CHECK(loaded.tables.seed() == 7);
  CHECK((saved(loaded.model, loaded.tables, rows.batch()) == bytes));
  plait::Tensor<float> x(8, 1, tables.width()), of_loaded = x;
  tables.lookup(rows.batch(), x);
  loaded.tables.lookup(rows.batch(), of_loaded);
  CHECK(std::equal(x.view().data(), x.view().data() + 8 * x.view().dim(), of_loaded.view().data()));

  // From the same new optimizers on.
  const auto step = [](plait::Model<float>& model, EmbeddingTables<float>& on) {
    plait::TableOptimizer<float> optimizer(on, plait::SGD{.learning_rate = 0.1});
    plait::Trainer<float> trainer(model, optimizer, std::vector<plait::Head>(2), plait::Adam{});
    for (Index n = 50; n < 70; ++n) {
      const Rows<float> batch(n, 6);
      trainer.step(batch.batch(), batch.labels);
    }
  };
  step(run.model, run.tables);
  step(loaded.model, loaded.tables);
  CHECK(equal(loaded.tables, run.tables));

  const auto number = [&](std::size_t at, std::int64_t to) {
    return refusal(bytes, of_tensor("embedding_bags.user.id.ids",
                                    [=](auto&, std::string& data) { put(data, at, to); }));
  };
  const std::string name = "'embedding_bags.user.id.ids': got ";
  CHECK(number(1, 20).starts_with(name + "plait::IdMap: records: got row 20, expected at most 19"));
  CHECK(number(3, -5) == name + "-5, expected 0 to 2^32 - 1");
  CHECK(refusal(bytes, of_tensor("embedding_bags.user.id.ids",
                                 [](auto& tensor, auto&) { tensor.name = "plait.x"; })) ==
        "tensors: got no 'embedding_bags.user.id.ids', expected the ids of its rows");
  CHECK(refusal(bytes, [](Parts& parts) { parts.meta("plait.embeddings_seed") = "7x"; }) ==
        "plait.embeddings_seed: got '7x', expected a whole number");
  CHECK_THAT(refusal(bytes, replacing(R"(,"growing":true,"admission":2)", "")),
             Catch::Matchers::ContainsSubstring("'embedding_bags.user.id.ids'"));
  // Rows of other ids are other logits.
  CHECK_THAT(refusal(bytes, of_tensor("embedding_bags.user.id.ids",
                                      [](auto&, std::string& data) {
                                        for (std::size_t i = 0; i < data.size() / 32; ++i)
                                          put(data, 4 * i, static_cast<std::int64_t>(1000 + i));
                                      })),
             Catch::Matchers::ContainsSubstring("self-test"));
}

TEST_CASE("model file with tables: an id may have to be seen more often than there are numbers") {
  const EmbeddingTables<float> tables({.tables = {{.name = "a",
                                                   .rows = 3,
                                                   .dim = 1,
                                                   .reserved = 1,
                                                   .growing = true,
                                                   .admission = 0x7fffffff}},
                                       .features = {{.name = "a"}}},
                                      7);
  const Model<float> model(plait::SharedBottom{.input_dim = 1, .num_tasks = 1, .expert = {2}}, {},
                           1);
  const files::Directory directory;
  plait::save(model, tables, directory / "model");
  CHECK(plait::load_with_tables<float>(directory / "model").tables.config() == tables.config());
}

TEST_CASE("state dict of tables: of those that grow it is written with ids, and not read") {
  table_run::Run run;
  run.steps(5);
  const files::Directory directory;
  plait::SafetensorsWriter writer;
  plait::add_state_dict(writer, run.tables);
  writer.write(directory / "rows");
  plait::SafetensorsReader file(directory / "rows");
  CHECK(file.header().find("embedding_bags.user.id.ids")->shape ==
        std::vector<std::uint64_t>{run.tables.ids(1)->size(), 4});
  CHECK_THROWS_WITH(plait::load_state_dict(file, run.tables),
                    "plait::load_state_dict: tables: got 'user.id', which grows, expected fixed "
                    "ones (load_with_tables reads both)");
}

TEST_CASE("model file with tables: double tables are read as float, and the reverse") {
  const EmbeddingTables<double> tables(table_run::config(), 7);
  const Rows<double> rows(2, 9);
  const std::string bytes = saved(table_run::make_model(tables), tables, rows.batch());
  const auto loaded = load<float>(bytes);
  for (std::size_t i = 0; i < tables.values(0).size(); ++i)
    REQUIRE(loaded.tables.values(0)[i] == static_cast<float>(tables.values(0)[i]));
  const Rows<float> narrow(2, 9);
  const auto back = load<double>(saved(loaded.model, loaded.tables, narrow.batch()));
  CHECK(back.tables.values(1)[30] == double{loaded.tables.values(1)[30]});
}

TEST_CASE("model file with tables: who expects none, or some, is told") {
  const std::string bytes = saved();
  CHECK_THROWS_WITH(plait::load<float>(files::reader(bytes)),
                    "plait::memory: plait.embeddings: got embedding tables, expected a model of "
                    "dense rows (load_with_tables reads both)");
  const EmbeddingTables<float> tables(table_run::config(), 7);
  const files::Directory directory;
  plait::save(table_run::make_model(tables), directory / "model");
  CHECK_THROWS_WITH(load<float>(files::contents(directory / "model")),
                    "plait::memory: metadata: got no plait.embeddings, expected a model with "
                    "embedding tables (load reads one without)");
}

TEST_CASE("model file with tables: what does not belong together is not written") {
  const EmbeddingTables<float> tables(table_run::config(), 7);
  const files::Directory directory;
  const auto model = table_run::make_model(tables);
  const Model<float> narrow(plait::MMoE{.input_dim = 3, .num_tasks = 2, .num_experts = 2}, {}, 1);
  CHECK_THROWS_WITH(plait::save(narrow, tables, directory / "model"),
                    "plait::save: tables: got a width of 15, expected the model's input, 1 slot(s) "
                    "of 3");
  Rows<float> rows(2, 5);
  rows.users[0] = 40;
  CHECK_THROWS_AS(plait::save(model, tables, directory / "model", {}, rows.batch()),
                  plait::ValueError);
  CHECK_FALSE(std::filesystem::exists(directory / "model"));
}

TEST_CASE("model file with tables: the self-test replays lookups") {
  const std::string bytes = saved();
  CHECK(refusal(bytes, [](Parts&) {}) == "accepted");
  const std::string differ = "self-test: got logits that differ by ";
  const Rows<float> rows(2, 5);
  CHECK(refusal(bytes, of_tensor("embedding_bags.item.weight",
                                 [&](auto&, auto& data) { put(data, rows.items[0] * 5, 3.0f); }))
            .starts_with(differ));
  CHECK(refusal(bytes, of_tensor("plait.self_test.ids.item",
                                 [](auto&, auto& data) {
                                   std::int64_t id = 0;
                                   std::memcpy(&id, data.data(), sizeof id);
                                   put(data, 0, (id + 1) % 300);
                                 }))
            .starts_with(differ));
  CHECK(refusal(bytes,
                of_tensor("plait.self_test.x", [](auto&, auto& data) { put(data, 0, 100.0f); }))
            .starts_with(differ));
  CHECK(refusal(bytes, replacing(R"("pooling":"mean")", R"("weighted":true)")).starts_with(differ));
}

TEST_CASE("model file with tables: a part of somebody else's is written and read with it") {
  const EmbeddingTables<float> tables(table_run::config(), 7);
  const auto model = table_run::make_model(tables);
  const Rows<float> rows(2, 5);
  const std::string words = "what else there is";
  const std::string bytes =
      saved(model, tables, rows.batch(), [&](plait::SafetensorsWriter& writer) {
        writer.add_bytes("plait.note", plait::DType::u8, {words.size()},
                         std::as_bytes(std::span(words)));
      });
  Note note;
  CHECK(equal(load<float>(bytes, &note).tables, tables));
  CHECK(note.text == words);
  CHECK(note.opened == 1);
  CHECK(note.finished == 1);
  CHECK_THROWS_WITH(load<float>(bytes),
                    Catch::Matchers::ContainsSubstring("unexpected 'plait.note'"));
  Note missing;
  CHECK_THROWS_WITH(load<float>(saved(), &missing),
                    "plait::memory: plait.note: got none, expected one");
}

TEST_CASE(
    "model file with tables: hostile descriptions are refused before there is room for them") {
  const std::string bytes = saved();
  const auto cost = [&](const std::function<void(Parts&)>& change, const std::string& told) {
    const std::string changed = files::resealed(bytes, change);
    const std::size_t before = allocations::bytes();
    std::string message = "accepted";
    try {
      load<float>(changed);
    } catch (const FormatError& error) {
      message = error.what();
    }
    CHECK(allocations::bytes() - before <= 100 * changed.size());
    CHECK_THAT(message, Catch::Matchers::ContainsSubstring(told));
  };
  const std::string rows = R"("rows":300)";
  for (const char* number : {"4294967296", "4294967297", "9223372036854775807",
                             "18446744073709551615", "18446744073709551616", "-1", "0.5"})
    cost(replacing(rows, plait::text("\"rows\":", number)), "plait.embeddings.tables[0].rows");
  cost(replacing(rows, R"("rows":301)"),
       "'embedding_bags.item.weight' of shape [300, 5] instead of [301, 5]");
  cost(replacing(rows, R"("rows":1700)"), "instead of [1700, 5]");
  cost(replacing(rows, R"("rows":0)"), "plait.embeddings: got plait::ParamTable");
  cost(replacing(R"("dim":3)", R"("dim":1600)"), "instead of [40, 1600]");
  cost(replacing(R"("name":"item")", R"("name":"other")"),
       "missing 'embedding_bags.other.weight'; unexpected 'embedding_bags.item.weight'");
  cost(replacing(R"("name":"user.id")", R"("name":"item")"), "plait.embeddings: got plait::");
  cost(replacing(R"("table":"item")", R"("table":"none")"), "plait.embeddings: got plait::");
  cost(replacing(R"("dense":["item","user"])", R"("dense":["item"])"),
       "'plait.self_test.x': got F32 [5, 1, 2], expected floating-point [5, 1, 1]");
  cost(replacing(R"("reserved":1)", R"("reserved":41)"), "reserved of table 'user.id'");
  cost(replacing(R"("reserved":1)", R"("bound":1e400)"), "plait.embeddings");
  cost([](Parts& parts) { parts.meta("plait.embeddings") = "{"; }, "plait.embeddings");

  cost(of_tensor("embedding_bags.item.weight",
                 [](auto& tensor, auto&) { std::swap(tensor.shape[0], tensor.shape[1]); }),
       "of shape [5, 300] instead of [300, 5]");
  cost(of_tensor("embedding_bags.item.weight",
                 [](auto& tensor, auto&) { tensor.dtype = plait::DType::i32; }),
       "of type I32");
  cost(of_tensor("embedding_bags.user.id.weight", [](auto& tensor, auto&) { tensor.name = "x"; }),
       "missing 'embedding_bags.user.id.weight'");

  // Rows of the self-test.
  cost(of_tensor("plait.self_test.ids.user",
                 [](auto&, auto& data) { put(data, 0, std::int64_t{40}); }),
       "self-test: got plait::EmbeddingTables: ids of feature 'user': got 40");
  cost(of_tensor("plait.self_test.ids.item",
                 [](auto&, auto& data) { put(data, 0, std::numeric_limits<std::int64_t>::min()); }),
       "got 9223372036854775808 in row 0");
  cost(of_tensor("plait.self_test.offsets.user",
                 [](auto&, auto& data) { put(data, 1, std::int64_t{1} << 40); }),
       "offsets of feature 'user'");
  cost(of_tensor("plait.self_test.weights.user",
                 [](auto&, auto& data) { put(data, 0, std::numeric_limits<float>::quiet_NaN()); }),
       "weights of feature 'user'");
  cost(of_tensor("plait.self_test.ids.item",
                 [](auto& tensor, auto&) { tensor.dtype = plait::DType::u64; }),
       "'plait.self_test.ids.item': got U64 [5], expected a list of I64");
  cost(of_tensor("plait.self_test.ids.item", [](auto& tensor, auto&) { tensor.name = "plait.y"; }),
       "'plait.self_test.ids.item': got none, expected one");
  cost(of_tensor("plait.self_test.ids.item",
                 [](auto& tensor, auto& data) {
                   tensor.shape[0] = 4;
                   data.resize(32);
                 }),
       "'plait.self_test.ids.item': got 4, expected 5");
  cost(of_tensor("plait.self_test.logits",
                 [](auto& tensor, auto& data) {
                   tensor.shape = {std::uint64_t{1} << 60, 1, 0};
                   data.clear();
                 }),
       "expected 1152921504606846976");
  cost(of_tensor("plait.self_test.logits", [](auto& tensor, auto&) { tensor.name = "plait.z"; }),
       "unexpected 'plait.self_test.ids.history'");
}

TEST_CASE("model file with tables: large tables are neither copied nor counted as the network's") {
  const EmbeddingTables<float> tables(
      {.tables = {{.name = "id", .rows = 100'000, .dim = 16}}, .features = {{.name = "id"}}}, 7);
  const auto model = table_run::make_model(tables);
  const files::Directory directory;
  const std::size_t before = allocations::bytes();
  plait::save(model, tables, directory / "model");
  auto loaded = plait::load_with_tables<float>(directory / "model");
  CHECK(allocations::bytes() - before < 1'000'000);
  CHECK(equal(loaded.tables, tables));

  const std::string wide = files::resealed(files::contents(directory / "model"), [](Parts& parts) {
    std::string& config = parts.meta("plait.config");
    const std::string experts = R"("num_experts":2)";
    config.replace(config.find(experts), experts.size(), R"("num_experts":100000)");
  });
  CHECK_THROWS_WITH(load<float>(wide),
                    Catch::Matchers::ContainsSubstring("plait.config.num_experts: got 100000"));
}

TEST_CASE("state dict of tables: torch's names, prefixes and renames, both scalars") {
  const EmbeddingTables<double> tables(table_run::config(), 7);
  const auto written = [&](const plait::StateDictOptions& options) {
    plait::SafetensorsWriter writer;
    add_state_dict(writer, tables, options);
    return files::written(writer);
  };
  const auto check = [&](const std::string& bytes, const plait::StateDictOptions& options) {
    auto loaded = EmbeddingTables<double>::zeros(table_run::config());
    auto reader = files::reader(bytes);
    plait::load_state_dict(reader, loaded, options);
    CHECK(equal(loaded, tables));
  };
  // EmbeddingBagCollection, alone and within a model, and torch.nn.Embedding.
  const plait::StateDictOptions within{.prefix = "sparse.ebc."};
  const plait::StateDictOptions embedding{
      .rename = {{"embedding_bags.item.weight", "item_embedding.weight"},
                 {"embedding_bags.user.id.weight", "users.weight"}}};
  for (const auto& options : {plait::StateDictOptions{}, within, embedding})
    check(written(options), options);
  auto names = files::reader(written(embedding));
  CHECK(names.header().tensors[0].name == "item_embedding.weight");
  CHECK(names.header().tensors[0].shape == std::vector<std::uint64_t>{300, 5});

  auto narrow = EmbeddingTables<float>::zeros(table_run::config());
  auto reader = files::reader(written(within));
  plait::load_state_dict(reader, narrow, within);
  for (std::size_t i = 0; i < narrow.values(0).size(); ++i)
    REQUIRE(narrow.values(0)[i] == static_cast<float>(tables.values(0)[i]));

  auto other = EmbeddingTables<double>::zeros(table_run::config(301));
  auto again = files::reader(written(embedding));
  CHECK_THROWS_WITH(plait::load_state_dict(again, other),
                    Catch::Matchers::ContainsSubstring("missing 'embedding_bags.item.weight'") &&
                        Catch::Matchers::ContainsSubstring("unexpected 'users.weight'"));
  CHECK_THROWS_WITH(plait::load_state_dict(again, other, embedding),
                    Catch::Matchers::ContainsSubstring(
                        "'item_embedding.weight' of shape [300, 5] instead of [301, 5]"));
  CHECK_THROWS_WITH(
      plait::load_state_dict(again, other, {.rename = {{"item", "item_embedding.weight"}}}),
      Catch::Matchers::ContainsSubstring("rename of 'item', no such parameter"));
  CHECK(std::ranges::all_of(other.values(0), [](double x) { return x == 0; }));
}
