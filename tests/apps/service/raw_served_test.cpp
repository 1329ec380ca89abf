// A model with its encoder and tables, served: from raw values to scores, and exchanged.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "plait/architectures/mmoe.hpp"
#include "plait/io/encoded_model_file.hpp"
#include "plait/io/json_lines_reader.hpp"
#include "plait/io/read_features.hpp"
#include "plait/losses/predict.hpp"
#include "plait/serve/embedding_scorer.hpp"
#include "served.hpp"
#include "support/catch.hpp"

using namespace served;
using Catch::Matchers::ContainsSubstring;

namespace {

using plait::FeatureKind;
using plait::Side;

const std::vector<plait::Head> two_heads{{.name = "click"}, {.name = "buy"}};

plait::EncoderConfig features(Side user = Side::user) {
  return {
      {{.name = "user", .columns = {"user_id"}, .side = user, .dim = 4, .min_count = 1},
       {.name = "item_id", .dim = 4, .min_count = 1},
       {.name = "pair",
        .kind = FeatureKind::hash,
        .columns = {"user_id", "item_id"},
        .dim = 3,
        .buckets = 40},
       {.name = "tags",
        .dim = 2,
        .pooling = plait::Pooling::mean,
        .bag = plait::Bag{},
        .min_count = 1},
       {.name = "fresh", .kind = FeatureKind::growing, .columns = {"item_id"}, .dim = 3, .rows = 4},
       {.name = "age", .kind = FeatureKind::number, .side = user, .missing_flag = true},
       {.name = "price", .kind = FeatureKind::number}}};
}

const std::string rows =
    R"({"user_id": "u1", "item_id": 7, "tags": ["a", "b"], "age": 20, "price": 1.5})"
    "\n"
    R"({"user_id": "u2", "item_id": 8, "tags": ["b"], "age": 30, "price": 2.5})"
    "\n"
    R"({"user_id": "u1", "item_id": 9, "age": 40, "price": 9})"
    "\n";

struct RawModel {
  plait::FeatureEncoder encoder;
  std::shared_ptr<plait::EmbeddingTables<float>> tables;
  Model model;

  explicit RawModel(std::uint64_t seed, const plait::EncoderConfig& config = features())
      : encoder([&] {
          std::istringstream stream(rows);
          plait::JsonLinesReader reader(stream, "rows", plait::columns_of(config));
          return plait::fit_encoder(config, reader);
        }()),
        tables(std::make_shared<plait::EmbeddingTables<float>>(encoder.embeddings(), seed)),
        model(
            plait::MMoE{
                .input_dim = tables->width(), .num_tasks = 2, .num_experts = 3, .expert = {8}},
            {}, seed) {
    std::istringstream stream(rows);
    plait::JsonLinesReader reader(stream, "rows", plait::columns_of(config));
    plait::EncodedRows seen = encoder.rows();
    plait::encode_rows(encoder, reader, encoder.layout(reader.columns()), 2, seen);
    for (Index f = 0; f < tables->layout().num_features(); ++f)
      if (plait::IdMap* ids = tables->ids(tables->layout().table_of(f)))
        ids->see(
            seen.batch().sparse.feature(f).ids, [](Index, std::uint64_t) {}, [](Index) {});
    // Rows that are rare or missing begin at zero; here every row counts.
    for (Index t = 0; t < tables->num_tables(); ++t)
      for (std::size_t i = 0; i < tables->values(t).size(); ++i)
        tables->values(t)[i] += 0.1f * static_cast<float>(i % 7);
  }

  void save(const std::string& path) const {
    plait::RawRows raw(encoder.columns().size());
    raw.begin_row();
    plait::save(model, *tables, encoder, path, {.heads = two_heads}, raw);
  }

  // Of whole rows as JSON lines, without what the service adds.
  plait::Matrix<float> scores(const std::string& lines, bool in_bytes = false) const {
    std::istringstream stream(lines);
    plait::JsonLinesReader reader(stream, "rows",
                                  {encoder.columns().begin(), encoder.columns().end()});
    plait::EncodedRows encoded = encoder.rows();
    plait::encode_rows(encoder, reader, encoder.layout(reader.columns()), 1000, encoded);
    const plait::EmbeddingScorer<float> scorer(
        model, in_bytes ? plait::ServingTables<float>::quantised(*tables)
                        : plait::ServingTables<float>(tables));
    plait::Matrix<float> result(encoded.size(), 2);
    scorer.context().score(encoded.batch(), result);
    plait::predict(two_heads, result, result);
    return result;
  }
};

plait::Matrix<float> scores_in(const service::Reply& reply) {
  INFO(reply.body);
  REQUIRE(reply.status == 200);
  const json answer = json::parse(reply.body);
  const auto count = static_cast<Index>(answer.at("rank").size());
  plait::Matrix<float> scores(count, 2);
  for (Index b = 0; b < count; ++b) {
    scores(b, 0) = answer.at("scores").at("click").at(static_cast<std::size_t>(b));
    scores(b, 1) = answer.at("scores").at("buy").at(static_cast<std::size_t>(b));
  }
  return scores;
}

void check_equal(const plait::Matrix<float>& got, const plait::Matrix<float>& expected) {
  REQUIRE(got.rows() == expected.rows());
  CHECK((got - expected).cwiseAbs().maxCoeff() <= 1e-6f);
}

struct RawService {
  files::Directory directory;
  std::string path = directory / "model";
  service::Service service;

  explicit RawService(const RawModel& model, service::ServiceOptions options = {})
      : service([&] {
          model.save(path);
          options.model = path;
          return options;
        }()) {}
  std::string error(const std::string& body, int status) {
    const service::Reply reply = score(service, body);
    CHECK(reply.status == status);
    return json::parse(reply.body).at("error");
  }
};

// A request and the same as whole rows.
const std::string body =
    R"({"user": {"user_id": "u1", "age": 33}, "candidates": [
        {"item_id": 7, "tags": ["a", "new"], "price": 3}, {"item_id": "none", "price": 0.25},
        {}, {"tags": "b|a", "item_id": 9.0}]})";
const std::string whole =
    R"({"user_id": "u1", "age": 33, "item_id": 7, "tags": ["a", "new"], "price": 3})"
    "\n"
    R"({"user_id": "u1", "age": 33, "item_id": "none", "price": 0.25})"
    "\n"
    R"({"user_id": "u1", "age": 33})"
    "\n"
    R"({"user_id": "u1", "age": 33, "tags": "b|a", "item_id": 9.0})"
    "\n";

}  // namespace

TEST_CASE("raw values are scored as whole rows are, the user's once") {
  const RawModel model(1);
  const plait::Matrix<float> expected = model.scores(whole);
  std::set<float> different(expected.data(), expected.data() + expected.size());
  CHECK(different.size() == 8);
  RawService served(model, {.threads = 2});
  for (int i = 0; i < 3; ++i) check_equal(scores_in(score(served.service, body)), expected);
  CHECK(scores_in(score(served.service, R"({"candidates": []})")).rows() == 0);
  check_equal(scores_in(score(served.service, R"({"candidates": [{}]})")), model.scores("{}"));
}

TEST_CASE("raw values of user may be any, and all features of one side") {
  const std::string common = R"({"user": {"price": 2, "tags": ["a"], "user_id": "u2"},
                                 "candidates": [{"item_id": 7}, {"item_id": 8}]})";
  const std::string rows_of_it = R"({"price": 2, "tags": ["a"], "user_id": "u2", "item_id": 7})"
                                 "\n"
                                 R"({"price": 2, "tags": ["a"], "user_id": "u2", "item_id": 8})";
  plait::EncoderConfig all_user = features();
  for (plait::Feature& feature : all_user.features) feature.side = Side::user;
  const std::string user_alone = R"({"user": {"price": 2, "tags": ["a"], "user_id": "u2",
                                              "item_id": 7}, "candidates": [{}, {}]})";
  const std::string twice = R"({"price": 2, "tags": ["a"], "user_id": "u2", "item_id": 7})"
                            "\n"
                            R"({"price": 2, "tags": ["a"], "user_id": "u2", "item_id": 7})";
  for (const auto& config : {features(), features(Side::item)}) {
    const RawModel model(1, config);
    RawService served(model);
    check_equal(scores_in(score(served.service, common)), model.scores(rows_of_it));
  }
  const RawModel model(1, all_user);
  RawService served(model);
  check_equal(scores_in(score(served.service, user_alone)), model.scores(twice));
}

TEST_CASE("raw values of numbers alone, and rows of 8 bits") {
  const RawModel numbers(1, {{features().features[5], features().features[6]}});
  RawService of_numbers(numbers);
  check_equal(scores_in(score(of_numbers.service,
                              R"({"user": {"age": 33}, "candidates": [{"price": 3}, {}]})")),
              numbers.scores("{\"age\": 33, \"price\": 3}\n{\"age\": 33}"));
  const RawModel model(1);
  RawService served(model, {.tables = service::TableRows::bytes});
  const auto scores = scores_in(score(served.service, body));
  check_equal(scores, model.scores(whole, true));
  CHECK((scores - model.scores(whole)).cwiseAbs().maxCoeff() > 0);
}

TEST_CASE("raw values looked up in the model's file, also after another has taken its place") {
  const RawModel model(1), other(2);
  RawService served(model, {.tables = service::TableRows::mapped});
  check_equal(scores_in(score(served.service, body)), model.scores(whole));
  other.save(served.path);
  check_equal(scores_in(score(served.service, body)), model.scores(whole));
  CHECK(served.service.reload().status == 200);
  check_equal(scores_in(score(served.service, body)), other.scores(whole));
}

TEST_CASE("raw values that a feature cannot take are refused, and the next request is answered") {
  const RawModel model(1);
  RawService served(model);
  CHECK(served.error(R"({"user": {"age": "old"}, "candidates": []})", 422) ==
        "user: column 'age': got 'old', expected a number");
  CHECK(served.error(R"({"candidates": [{}, {"price": true}]})", 422) ==
        "candidates[1]: column 'price': got 'true', expected a number");
  CHECK(served.error(R"({"candidates": [{"price": 1e300}]})", 422) ==
        "candidates[0]: column 'price': got '1e+300', expected a number that a float holds");
  CHECK(
      served.error(R"({"candidates": [{"item_id": ["a"]}]})", 422) ==
      "candidates[0]: column 'item_id': got a list of 1, expected a text: the feature has no bag");
  // Items of the user that every candidate has.
  std::string text = R"({"user": {"tags": ["x")";
  for (int i = 0; i < 9000; ++i) text += ",\"y\"";
  text += "]}, \"candidates\": [{}";
  for (int i = 0; i < 99; ++i) text += ",{}";
  CHECK_THAT(served.error(text + "]}", 413), ContainsSubstring("262144 items"));
  check_equal(scores_in(score(served.service, body)), model.scores(whole));
}

TEST_CASE("GET /model lists the features") {
  const RawModel model(1);
  RawService served(model);
  const json description = json::parse(served.service.describe().body);
  CHECK_FALSE(description.contains("user_features"));
  CHECK(description.at("features").size() == 7);
  CHECK(description.at("features").at(0) == json{{"name", "user"},
                                                 {"kind", "vocabulary"},
                                                 {"side", "user"},
                                                 {"columns", {"user_id"}},
                                                 {"list", false}});
  CHECK(description.at("features").at(2).at("columns") == json{"user_id", "item_id"});
  CHECK(description.at("features").at(3).at("list") == true);
  CHECK(description.at("features").at(4).at("kind") == "growing");
}

TEST_CASE("a model of the same columns is swapped in, and no other") {
  const RawModel model(1);
  RawService served(model);
  // Another encoder: columns in another order, ids of other sizes, a feature less that reads them.
  plait::EncoderConfig config = features();
  std::swap(config.features[0], config.features[3]);
  config.features[1].min_count = 2;
  config.features.erase(config.features.begin() + 2);
  const RawModel other(2, config);
  other.save(served.path);
  CHECK(served.service.reload().status == 200);
  check_equal(scores_in(score(served.service, body)), other.scores(whole));

  config.features.pop_back();
  RawModel(3, config).save(served.path);
  service::Reply reply = served.service.reload();
  CHECK(reply.status == 422);
  CHECK_THAT(reply.body,
             ContainsSubstring("got columns age (user), item_id, tags, user_id (user) and scores "
                               "click, buy, expected columns age (user), item_id, price, tags, "
                               "user_id (user) and scores click, buy as served"));
  RawModel(3, features(Side::item)).save(served.path);
  CHECK(served.service.reload().status == 422);
  save(served::model(1), served.path);  // of numbers
  reply = served.service.reload();
  CHECK(reply.status == 422);
  CHECK_THAT(reply.body, ContainsSubstring("features and scores click, dwell"));
  check_equal(scores_in(score(served.service, body)), other.scores(whole));

  // And the reverse.
  Server numbers;
  model.save(numbers.path());
  reply = numbers.service().reload();
  CHECK(reply.status == 422);
  CHECK_THAT(reply.body, ContainsSubstring("--user-columns"));
}

TEST_CASE("options of another kind of model are refused") {
  const files::Directory directory;
  const std::string path = directory / "model";
  RawModel(1).save(path);
  CHECK_THROWS_WITH(service::Service({.model = path, .user_columns = {0}}),
                    ContainsSubstring("got --user-columns, expected none"));
  save(model(1), path);
  CHECK_THROWS_WITH(service::Service({.model = path, .tables = service::TableRows::bytes}),
                    ContainsSubstring("got no tables, expected some with --tables bytes"));
  CHECK_THROWS_WITH(service::Service({.model = path, .tables = service::TableRows::mapped}),
                    ContainsSubstring("got no tables, expected some with --tables mapped"));
}
