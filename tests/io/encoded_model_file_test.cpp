#include "plait/io/encoded_model_file.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "changed_parts.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/core/random.hpp"
#include "plait/embeddings.hpp"
#include "plait/io/csv_reader.hpp"
#include "plait/io/read_features.hpp"
#include "plait/optim/adam.hpp"
#include "plait/train/trainer.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/encoder.hpp"
#include "support/files.hpp"

namespace {

using files::of_tensor;
using files::Parts;
using files::replacing;
using plait::EmbeddingTables;
using plait::EncoderConfig;
using plait::FeatureEncoder;
using plait::FormatError;
using plait::Index;
using plait::Model;

FeatureEncoder fitted(const EncoderConfig& config, const std::string& csv) {
  std::istringstream stream(csv);
  plait::CsvReader reader(stream, "rows.csv");
  return plait::fit_encoder(config, reader);
}
plait::EncodedRows encoded(const FeatureEncoder& encoder, const std::string& csv) {
  std::istringstream stream(csv);
  plait::CsvReader reader(stream, "rows.csv");
  plait::EncodedRows rows = encoder.rows();
  plait::encode_rows(encoder, reader, encoder.layout(reader.columns()),
                     std::numeric_limits<Index>::max(), rows);
  return rows;
}
plait::RawRows raw_rows(const FeatureEncoder& encoder, const std::string& csv) {
  std::istringstream stream(csv);
  plait::CsvReader reader(stream, "rows.csv");
  const plait::ColumnLayout layout = encoder.layout(reader.columns());
  plait::RawRows rows(encoder.columns().size());
  while (reader.next()) {
    std::vector<plait::RawValue> values;
    for (std::size_t c = 0; c < layout.size(); ++c) values.push_back(layout.value(reader.row(), c));
    rows.add(values);
  }
  return rows;
}

EncoderConfig numbers_alone() {
  return {{{.name = "age", .kind = plait::FeatureKind::number, .side = plait::Side::user},
           {.name = "price", .kind = plait::FeatureKind::number, .missing_flag = true}}};
}

template <class S>
Model<S> make_model(const EmbeddingTables<S>& tables) {
  return {plait::MMoE{.input_dim = tables.width(), .num_tasks = 2, .num_experts = 2, .expert = {4}},
          {},
          1};
}

// Gives rows to the ids of tables that grow.
template <class S>
void see_ids(EmbeddingTables<S>& tables, plait::EncodedRows rows) {
  const auto batch = rows.batch();
  for (Index f = 0; f < tables.layout().num_features(); ++f) {
    const Index t = tables.layout().table_of(f);
    if (plait::IdMap* ids = tables.ids(t))
      ids->see(
          batch.sparse.feature(f).ids,
          [&](Index row, std::uint64_t id) { tables.start_row(t, row, id); }, [](Index) {});
  }
}

template <class S = float>
std::string saved(const EncoderConfig& config = encoders::every_kind_config()) {
  const FeatureEncoder encoder = fitted(config, encoders::rows);
  EmbeddingTables<S> tables(encoder.embeddings(), 7);
  see_ids(tables, encoded(encoder, encoders::rows));
  const files::Directory directory;
  plait::save(make_model(tables), tables, encoder, directory / "model",
              {.metadata = {{"run", "7"}}}, raw_rows(encoder, encoders::rows));
  return files::contents(directory / "model");
}

// The message of the FormatError that loading the changed file gives.
std::string refusal(const std::string& bytes, const std::function<void(Parts&)>& change) {
  const std::string changed = files::resealed(bytes, change);
  const std::size_t before = allocations::bytes();
  std::string told = "accepted";
  try {
    plait::load_with_encoder<float>(files::reader(changed));
  } catch (const FormatError& error) {
    told = error.what();
    const std::string where = "plait::memory: ";
    if (told.starts_with(where)) told = told.substr(where.size());
  }
  CHECK(allocations::bytes() - before <= 100 * changed.size());
  return told;
}
std::function<void(Parts&)> putting(const std::string& name, std::size_t at, std::int64_t number) {
  return of_tensor(name, [=](auto&, std::string& data) {
    REQUIRE(data.size() >= (at + 1) * sizeof number);
    std::memcpy(data.data() + at * sizeof number, &number, sizeof number);
  });
}

template <class S>
void check_round_trip(const EncoderConfig& config) {
  const std::string bytes = saved<S>(config);
  const auto loaded = plait::load_with_encoder<S>(files::reader(bytes));
  const FeatureEncoder encoder = fitted(config, encoders::rows);
  CHECK(loaded.encoder.fingerprint() == encoder.fingerprint());
  CHECK(loaded.metadata == plait::Metadata{{"run", "7"}});
  for (Index t = 0; t < loaded.tables.num_tables(); ++t)
    if (const plait::IdMap* ids = loaded.tables.ids(t)) CHECK(ids->num_rows() == 3);
  CHECK(loaded.tables.width() == plait::EmbeddingLayout(encoder.embeddings()).width());
  const files::Directory directory;
  plait::save(loaded.model, loaded.tables, loaded.encoder, directory / "again",
              {.metadata = loaded.metadata}, raw_rows(encoder, encoders::rows));
  CHECK((files::contents(directory / "again") == bytes));
}

// Users, items, tags and prices, some of them missing; ids from `first` on.
std::string clicks(int rows, int first, std::uint64_t seed) {
  plait::Random random(seed);
  std::string csv = "user,item,tags,price\n";
  for (int i = 0; i < rows; ++i) {
    const auto id = [&](Index below) { return std::to_string(first + random.below(below)); };
    csv += random.below(20) == 0 ? "" : "u" + id(300);
    csv += ",i" + id(200) + ',';
    for (Index tags = random.below(4); tags > 0; --tags) csv += "t" + id(30) + '|';
    csv += ',' + (random.below(10) == 0 ? "" : std::to_string(random.symmetric(50))) + '\n';
  }
  return csv;
}

}  // namespace

TEST_CASE("model file with an encoder: trained and loaded, raw rows have equal scores to the bit") {
  const FeatureEncoder encoder = fitted(
      {{{.name = "user", .side = plait::Side::user, .dim = 8},
        {.name = "item", .dim = 8},
        {.name = "hashed",
         .kind = plait::FeatureKind::hash,
         .columns = {"user", "item"},
         .dim = 4,
         .buckets = 500},
        {.name = "fresh",
         .kind = plait::FeatureKind::growing,
         .columns = {"item"},
         .dim = 4,
         .rows = 150,
         .admission = 2},
        {.name = "tags", .dim = 4, .pooling = plait::Pooling::mean, .bag = plait::Bag{}},
        {.name = "price", .kind = plait::FeatureKind::number, .clip = 3, .missing_flag = true}}},
      clicks(3000, 0, 1));
  EmbeddingTables<float> tables(encoder.embeddings(), 7);
  Model<float> model = make_model(tables);
  plait::TableOptimizer<float> optimizer(tables, plait::RowwiseAdagrad{.learning_rate = 0.1});
  plait::Trainer<float> trainer(model, optimizer, std::vector<plait::Head>(2), plait::Adam{});
  plait::EncodedRows rows = encoded(encoder, clicks(3000, 0, 1));
  plait::Matrix<float> labels(100, 2);
  for (Index step = 0; step < 30; ++step) {
    for (Index b = 0; b < 100; ++b) labels.row(b) << float(b % 2), float(b % 3 == 0);
    trainer.step(rows.batch().rows(100 * step, 100), labels);
  }

  const files::Directory directory;
  plait::save(model, tables, encoder, directory / "model", {},
              raw_rows(encoder, clicks(8, 100, 3)));
  auto loaded = plait::load_with_encoder<float>(directory / "model");
  const plait::EmbeddingScorer<float> scorer(
      std::move(loaded.model),
      plait::ServingTables<float>(
          std::make_shared<const EmbeddingTables<float>>(std::move(loaded.tables))));

  // Half of the ids, or a few less, were never seen.
  const std::string csv = clicks(10'000, 150, 2);
  plait::EncodedRows of_trainer = encoded(encoder, csv), of_file = encoded(loaded.encoder, csv);
  REQUIRE(of_file.size() == 10'000);
  const auto users = of_trainer.batch().sparse.feature(0).ids;
  const auto unseen = std::ranges::count(users, 0u);
  CHECK((unseen > 3000 && unseen < 7000));
  plait::Matrix<float> expected(10'000, 2), scores(10'000, 2);
  trainer.score(of_trainer.batch(), expected);
  scorer.context().score(of_file.batch(), scores);
  CHECK((scores.array() == expected.array()).all());
  CHECK(std::abs(scores(0, 0) - scores(1, 0)) > 1e-4f);
}

TEST_CASE("model file with an encoder: all comes back, in float and double, numbers alone too") {
  check_round_trip<float>(encoders::every_kind_config());
  check_round_trip<double>(encoders::every_kind_config());
  check_round_trip<float>(numbers_alone());
  check_round_trip<double>(numbers_alone());
}

TEST_CASE("model file with an encoder: who expects less is told what it is") {
  for (const std::string& bytes : {saved(), saved(numbers_alone())}) {
    CHECK_THROWS_WITH(
        plait::load<float>(files::reader(bytes)),
        "plait::memory: plait.features: got a feature encoder and its tables, expected "
        "a model of dense rows (load_with_encoder reads all of it)");
    CHECK_THROWS_WITH(plait::load_with_tables<float>(files::reader(bytes)),
                      "plait::memory: plait.features: got a feature encoder, expected tables alone "
                      "(load_with_encoder reads both)");
  }
  const FeatureEncoder encoder = fitted(numbers_alone(), encoders::rows);
  const EmbeddingTables<float> tables(encoder.embeddings(), 7);
  const files::Directory directory;
  plait::save(make_model(tables), tables, directory / "model");
  CHECK_THROWS_WITH(plait::load_with_encoder<float>(directory / "model"),
                    Catch::Matchers::ContainsSubstring("metadata: got no plait.features"));
}

TEST_CASE("model file with an encoder: one of other tables is neither written nor read") {
  const FeatureEncoder encoder = fitted(encoders::every_kind_config(), encoders::rows);
  const EmbeddingTables<float> tables(encoder.embeddings(), 7);
  const Model<float> model = make_model(tables);
  const files::Directory directory;
  const auto check = [&](const std::function<void(EncoderConfig&)>& change,
                         const std::string& told) {
    EncoderConfig config = encoders::every_kind_config();
    change(config);
    CHECK_THROWS_WITH(
        plait::save(model, tables, fitted(config, encoders::rows), directory / "model"),
        "plait::save: encoder: got " + told);
    CHECK_FALSE(std::filesystem::exists(directory / "model"));
  };
  check([](auto& c) { c.features[3].admission = 2; },
        "table 'session' that grows otherwise, expected the same as the tables have");
  check([](auto& c) { c.features.erase(c.features.begin()); },
        "tables: 6, expected 7 as the tables have");
  check([](auto& c) { c.features[0].min_count = 2; },
        "table 'user' of 3 rows of 2, expected of 4 rows of 2 as the tables have");
  check([](auto& c) { c.features[1].dim = 3; },
        "table 'city' of 52 rows of 3, expected of 52 rows of 2 as the tables have");
  check([](auto& c) { c.features[1].side = plait::Side::user; },
        "feature 'city' of another table, pooling, side or weighting, expected the same as the "
        "tables have");
  check([](auto& c) { std::swap(c.features[0], c.features[1]); },
        "table 'city', expected 'user' as the tables have");
  check([](auto& c) { c.features.back().missing_flag = true; },
        "numbers: 4, expected 3 as the tables have");
  check([](auto& c) { c.features.back().side = plait::Side::user; },
        "numbers of other sides, expected the same as the tables have");

  plait::RawRows narrow(2);
  narrow.begin_row();
  CHECK_THROWS_AS(plait::save(model, tables, encoder, directory / "model", {}, narrow),
                  plait::ShapeError);
  CHECK_FALSE(std::filesystem::exists(directory / "model"));

  const std::string bytes = saved();
  CHECK(refusal(bytes, [](Parts&) {}) == "accepted");
  CHECK(
      refusal(bytes, replacing("plait.features", R"("side":"user","dim":2)", R"("dim":2)"))
          .starts_with("plait.features: got plait::load: encoder: got feature 'user' of another"));
}

TEST_CASE("model file with an encoder: the self-test replays raw rows") {
  const std::string bytes = saved();
  const std::string differ = "self-test: got logits that differ by ";
  CHECK(refusal(bytes, replacing("plait.features", R"("mean":23.)", R"("mean":13.)"))
            .starts_with(differ));
  CHECK(refusal(bytes, of_tensor("plait.vocabulary.user.bytes",
                                 [](auto&, std::string& data) { std::swap(data[0], data[1]); }))
            .starts_with(differ));
  CHECK(refusal(bytes, of_tensor("plait.self_test.raw.bytes",
                                 [](auto&, std::string& data) { data[0] = 'v'; }))
            .starts_with(differ));
  CHECK(refusal(bytes, of_tensor("embedding_bags.tags.weight",
                                 [](auto&, std::string& data) { data[4 * 4 + 3] = 0x41; }))
            .starts_with(differ));
}

TEST_CASE("model file with an encoder: hostile rows are refused") {
  const std::string bytes = saved();
  const std::string values = "plait.self_test.raw.values", offsets = "plait.self_test.raw.offsets";
  const std::string more = "'plait.self_test.raw.values': got more texts than there are, expected";
  const auto most = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t number : {std::int64_t{-3}, std::int64_t{1} << 40, most, -most})
    CHECK(refusal(bytes, putting(values, 0, number)).starts_with(more));
  CHECK(refusal(bytes, putting(values, 0, -2)).find("fewer texts") != std::string::npos);
  for (const std::int64_t number : {std::int64_t{-1}, std::int64_t{1} << 40, most})
    CHECK(refusal(bytes, putting(offsets, 1, number))
              .starts_with("'plait.self_test.raw.offsets': got others"));
  const auto rename = [](plait::TensorInfo& tensor, std::string&) { tensor.name += 's'; };
  CHECK(refusal(bytes, of_tensor(values, rename)) ==
        "self-test: got 3 tensors of raw rows, expected values, bytes and offsets");
  CHECK(refusal(bytes, of_tensor(values,
                                 [](plait::TensorInfo& tensor, std::string&) {
                                   std::swap(tensor.shape[0], tensor.shape[1]);
                                 }))
            .starts_with("'plait.self_test.raw.values': got another shape"));
  CHECK(refusal(bytes, of_tensor(values, [](plait::TensorInfo& tensor,
                                            std::string&) { tensor.dtype = plait::DType::f64; }))
            .starts_with("'plait.self_test.raw.values': got another type"));
  CHECK(refusal(bytes, of_tensor(offsets,
                                 [](plait::TensorInfo& tensor, std::string& data) {
                                   tensor.shape = {0};
                                   data.clear();
                                 }))
            .starts_with("'plait.self_test.raw.offsets': got others"));
  CHECK(refusal(bytes, of_tensor("plait.self_test.logits", rename)) ==
        "self-test: got rows without logits, expected both or none");
  CHECK(refusal(bytes, of_tensor("plait.self_test.raw.bytes",
                                 [](auto&, std::string& data) {
                                   const std::size_t hour = data.find("u") + 2;  // "u", "c", "3"
                                   data[hour] = 'x';
                                 }))
            .find("column 'hour'") != std::string::npos);
}
