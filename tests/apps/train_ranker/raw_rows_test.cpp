#include "raw_rows.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "batch.hpp"
#include "embedding_report.hpp"
#include "errors.hpp"
#include "evaluate.hpp"
#include "plait/core/parallel.hpp"
#include "plait/core/random.hpp"
#include "plait/io/checkpoint.hpp"
#include "plait/io/embedding_file.hpp"
#include "plait/io/encoded_model_file.hpp"
#include "plait/io/error.hpp"
#include "plait/io/seal.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"
#include "task_column.hpp"
#include "train.hpp"
#include "trainee.hpp"

namespace {

using plait::Index;
using ranker::Dataset;
using ranker::FileKind;
using ranker::RawRows;
using Names = std::vector<std::string>;

const std::string header = "user_id,tags,price,click,watch,part\n";

// Two rows of each part.
const std::string small = header +
                          "a,x|y,1,1,10,train\n"
                          "b,y,3,0,,train\n"
                          "a,,2,,30,validation\n"
                          "c,x,2,1,20,validation\n"
                          "b,x|x,,0,20,test\n"
                          "a,y,5,1,,test\n";

// user_id, tags and price; ids that occur once have rows of their own.
plait::EncoderConfig features() {
  return {
      .features = {{.name = "user_id", .side = plait::Side::user, .dim = 2, .min_count = 1},
                   {.name = "tags", .dim = 3, .bag = plait::Bag{}, .min_count = 1},
                   {.name = "price", .kind = plait::FeatureKind::number, .standardise = false}}};
}

class Folder {
 public:
  RawRows rows(const std::string& name, const std::string& text, const Names& tasks,
               const std::string& split = "part") const {
    const std::string path = directory_ / name;
    files::write(path, text);
    return {.path = path,
            .kind = ranker::kind_of(path),
            .tasks = ranker::task_columns(tasks),
            .split_column = split};
  }
  std::string path(const std::string& name) const { return directory_ / name; }

 private:
  files::Directory directory_;
};

const Names both{"click", "watch:regression"};

std::string error_of(const RawRows& rows, const plait::EncoderConfig& config = features()) {
  try {
    ranker::raw_dataset(rows, config);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "no error";
}

// 3,000 rows of 30 users and 20 items, each with a number of its own: what is clicked, and how long
// it is watched, is by their sum.
std::string planted() {
  plait::Random random(3);
  std::string text = "user_id,item_id,click,watch\n";
  std::vector<double> users(30), items(20);
  for (double& taste : users) taste = random.normal();
  for (double& taste : items) taste = random.normal();
  for (int row = 0; row < 3000; ++row) {
    const Index u = random.below(30), i = random.below(20);
    const double z = users[static_cast<std::size_t>(u)] + items[static_cast<std::size_t>(i)];
    const bool click = random.uniform() < 1 / (1 + std::exp(-3 * z));
    text += std::to_string(u) + ',' + std::to_string(i) + ',' + (click ? "1," : "0,") +
            (click ? std::to_string(100 + 50 * z) : "") + '\n';
  }
  return text;
}

class Silent final : public ranker::Monitor {
 public:
  explicit Silent(int steps = 1'000'000) : steps_left_(steps) {}

  void begin_epoch(int, Index) override {}
  bool rows_done(Index) override { return --steps_left_ > 0; }
  void end_epoch(const ranker::Epoch&) override {}
  void ended(int) override {}
  void resumed(const plait::Resumed&) override {}

 private:
  int steps_left_;
};

ranker::TraineeOptions trainee_options(const Dataset& data, plait::Executor* executor = nullptr) {
  return {.input_dim = data.input_dim(),
          .heads = data.heads,
          .sizes = {.levels = {16, 8}, .towers = {4}, .experts = 4, .shared_experts = 2},
          .executor = executor,
          .embeddings = data.encoded->embeddings()};
}

// Users in a table that grows and forgets, items in a fixed one.
plait::EncoderConfig growing_users() {
  return {.features = {{.name = "user_id",
                        .kind = plait::FeatureKind::growing,
                        .dim = 8,
                        .rows = 20,
                        .admission = 2},
                       {.name = "item_id", .dim = 8}}};
}

// Of a rate at which the best epoch is none of the last.
ranker::TraineeOptions hasty_options(const Dataset& data) {
  auto options = trainee_options(data);
  options.rule = ranker::make_rule("adam", 0.05);
  return options;
}

constexpr ranker::Schedule hasty{.epochs = 6, .batch = 128};
constexpr int steps_of_epoch = 20;  // of planted()

// A trainee that goes on from the newest checkpoint, or begins, and ends after so many steps.
struct HastyRun {
  ranker::Trainee trainee;
  std::optional<ranker::Run> run;

  HastyRun(const Dataset& data, plait::Checkpoints* checkpoints, int steps = 1'000'000,
           Index every = 10)
      : trainee(ranker::models()[5], hasty_options(data)) {
    Silent monitor(steps);
    ranker::Checkpointing checkpointing;
    if (checkpoints != nullptr)
      checkpointing = {.checkpoints = checkpoints, .every = every, .resume = true, .run = "this"};
    run = ranker::train(trainee.trainer, trainee.method, data, hasty, monitor, checkpointing,
                        trainee.tables_or_null());
  }

  // The model file's.
  std::string bytes(const Dataset& data) const {
    const files::Directory directory;
    const std::string path = directory / "model";
    plait::save(trainee.model, *trainee.tables, data.encoded->encoder(), path);
    return files::contents(path);
  }
};

// The files of best epochs' tables.
Names best_files(const files::Directory& directory) {
  Names names;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path()))
    if (const std::string name = entry.path().filename().string(); name.starts_with("best-"))
      names.push_back(name);
  std::ranges::sort(names);
  return names;
}

}  // namespace

TEST_CASE("raw_rows: ids, numbers, labels and parts are those of the file") {
  const Folder folder;
  const Dataset data = ranker::raw_dataset(folder.rows("a.csv", small, both), features());
  CHECK(data.train == std::vector<Index>{0, 1});
  CHECK(data.validation == std::vector<Index>{2, 3});
  CHECK(data.test == std::vector<Index>{4, 5});
  REQUIRE(data.encoded);
  CHECK(data.input_dim() == 1 + 2 + 3);
  CHECK(data.encoded->embeddings().features[0].side == plait::Side::user);

  ranker::Batch batch(data);
  const std::vector<Index> chosen{4, 0, 3, 2};
  batch.gather(chosen);
  const auto features = batch.x().features();
  REQUIRE(features.batch() == 4);
  const auto users = features.sparse.feature(0);
  CHECK(users.offsets.empty());
  CHECK(std::vector(users.ids.begin(), users.ids.end()) ==
        std::vector<std::uint64_t>{3, 2, 0, 2});  // c did not train
  const auto tags = features.sparse.feature(1);
  CHECK(std::vector(tags.ids.begin(), tags.ids.end()) ==
        std::vector<std::uint64_t>{3, 3, 3, 2, 3});  // y first: twice in training
  CHECK(std::vector(tags.offsets.begin(), tags.offsets.end()) ==
        std::vector<std::int64_t>{0, 2, 4, 5, 5});
  CHECK(features.dense(0, 0, 0) == 0);  // missing
  CHECK(features.dense(1, 0, 0) == 1);
  CHECK(features.dense(2, 0, 0) == 2);
  const auto targets = batch.targets();
  CHECK(targets.labels(1, 0, 0) == 1);
  CHECK(targets.mask(1, 0, 0) == 1);
  CHECK(targets.mask(3, 0, 0) == 0);
  CHECK(targets.mask(0, 0, 1) == 1);
  // A deviation of 0: of one label that trains.
  CHECK(targets.labels(0, 0, 1) == 10);
  CHECK(data.description == folder.path("a.csv") + ", watch is (label - 10) / 1");

  // A smaller batch afterwards.
  batch.gather(std::span(chosen).first(1));
  CHECK(batch.x().features().sparse.feature(1).ids.size() == 2);
  CHECK(batch.x().batch() == 1);
}

TEST_CASE("raw_rows: JSON lines give what CSV gives") {
  const Folder folder;
  const std::string lines =
      R"({"user_id":"a","tags":["x","y"],"price":1,"click":true,"watch":10,"part":"train"})"
      "\n"
      R"({"user_id":"b","tags":"y","price":3,"click":0,"part":"train"})"
      "\n"
      R"({"user_id":"a","tags":[],"price":2,"click":null,"watch":30,"part":"validation"})"
      "\n"
      R"({"user_id":"c","tags":["x"],"price":2,"click":1,"watch":20,"part":"validation"})"
      "\n"
      R"({"user_id":"b","tags":["x","x"],"click":false,"watch":20,"part":"test"})"
      "\n"
      R"({"user_id":"a","tags":["y"],"price":5,"click":1,"part":"test"})"
      "\n";
  const RawRows json = folder.rows("a.jsonl", lines, both);
  CHECK(json.kind == FileKind::json_lines);
  const Dataset data = ranker::raw_dataset(json, features());
  const Dataset csv = ranker::raw_dataset(folder.rows("a.csv", small, both), features());
  CHECK(data.labels == csv.labels);
  CHECK(data.mask == csv.mask);
  CHECK(data.encoded->encoder().fingerprint() == csv.encoded->encoder().fingerprint());
  for (Index f = 0; f < 2; ++f) {
    const auto ids = data.encoded->rows().sparse.feature(f).ids;
    CHECK(std::ranges::equal(ids, csv.encoded->rows().sparse.feature(f).ids));
  }
}

TEST_CASE("raw_rows: files are told apart by what they begin with") {
  const Folder folder;
  const auto kind = [&](const std::string& text) { return folder.rows("f", text, {}).kind; };
  CHECK(kind("a,b\n1,2\n") == FileKind::table);
  CHECK(kind("\xef\xbb\xbf\n {\"a\":1}\n") == FileKind::json_lines);
  std::string census = "73";
  for (int i = 0; i < 40; ++i) census += ", x";
  CHECK(kind(census + ", - 50000.\n") == FileKind::census);
  CHECK(kind(census + ", 50000+.\r\n") == FileKind::census);
  CHECK(kind(census + ", income\n") == FileKind::table);
  CHECK(kind("") == FileKind::table);
}

TEST_CASE("raw_rows: errors name the file, the line and the column") {
  const Folder folder;
  const auto with = [&](const std::string& row) {
    const RawRows rows = folder.rows("e.csv", small + row + '\n', both);
    const std::string error = error_of(rows);
    const std::string place = "plait::" + rows.path;
    REQUIRE(error.starts_with(place));
    return error.substr(place.size());
  };
  CHECK(with("a,x,1,2,,train") == ":8: column 'click': got '2', expected 0, 1 or nothing");
  CHECK(with("a,x,1,yes,,train") == ":8: column 'click': got 'yes', expected 0, 1 or nothing");
  CHECK(with("a,x,1,1,long,test") ==
        ":8: column 'watch': got 'long', expected a number or nothing");
  CHECK(with("a,x,1,1,,tset") ==
        ":8: column 'part': got 'tset', expected train, validation or test");
  CHECK(with("a,x,dear,1,,train").starts_with(":8: column 'price': got 'dear', expected "));
  CHECK(with("a,x,dear,1,,test").starts_with(":8: column 'price': got 'dear', expected "));
  CHECK(with("a,x,1") == ":8: row: got 3 values, expected 6");

  const RawRows rows = folder.rows("e.csv", small, both);
  RawRows other = rows;
  other.tasks = ranker::task_columns(Names{"like"});
  const std::string columns =
      ", expected a column of " + rows.path + ": user_id, tags, price, click, watch, part";
  CHECK(error_of(other) == "--tasks: got 'like'" + columns);
  CHECK_THROWS_WITH(ranker::infer_features(other), "--tasks: got 'like'" + columns);
  other = rows;
  other.split_column = "fold";
  CHECK(error_of(other) == "--split-column: got 'fold'" + columns);
  CHECK(error_of(rows, {.features = {{.name = "item", .dim = 2}}}) ==
        "--features: got 'item'" + columns);
  CHECK(error_of(rows, {.features = {{.name = "x", .columns = {"user_id", "click"}, .dim = 2}}}) ==
        "--features: got 'click', expected no column of --tasks or --split-column");

  CHECK(error_of(folder.rows("e.csv", header + "a,x,1,1,1,train\nb,x,1,0,1,test\n", both)) ==
        rows.path + ": got no row to validate on, expected at least one");
  CHECK(error_of(folder.rows("e.csv",
                             header + "a,x,1,,1,train\na,x,1,1,1,test\n"
                                      "b,x,1,0,1,validation\n",
                             both)) ==
        rows.path + ": column 'click': got no label in the rows that train, expected at least one");
  CHECK(error_of(folder.rows("e.csv",
                             header + ",x,1,1,1,train\na,x,1,1,1,test\n"
                                      "b,x,1,0,1,validation\n",
                             both)) ==
        rows.path +
            ": feature 'user_id': got no value in the rows that train, expected at least one");
}

TEST_CASE("raw_rows: what is inferred is written, read back and the same") {
  const Folder folder;
  const RawRows rows = folder.rows("d.csv", small, both);
  const plait::EncoderConfig inferred = ranker::infer_features(rows);
  REQUIRE(inferred.features.size() == 3);  // no label, no split
  CHECK(ranker::summary(inferred) == "user_id vocabulary 16, tags vocabulary bag 16, price number");
  const std::string path = folder.path("d.json");
  files::write(path, ranker::to_json(inferred));
  CHECK(ranker::to_json(ranker::read_features(path)) == ranker::to_json(inferred));

  files::write(path, R"({"features": [{"name": "user_id", "kind": "vocabluary", "dim": 4}]})");
  CHECK_THROWS_WITH(
      ranker::read_features(path),
      Catch::Matchers::StartsWith("plait::" + path + ": features.features[0].kind: got "));
  CHECK_THROWS_WITH(ranker::read_features(folder.path("none")),
                    "--features: cannot read " + folder.path("none"));
}

TEST_CASE("raw_rows: without a split column the order of rows changes no part") {
  const Folder folder;
  const std::string text = planted();
  const auto data = ranker::raw_dataset(
      folder.rows("a.csv", text, both, ""),
      {.features = {{.name = "user_id", .dim = 4}, {.name = "item_id", .dim = 4}}});
  CHECK(data.train.size() + data.validation.size() + data.test.size() == 3000);
  CHECK(data.validation.size() > 200);
  CHECK(data.test.size() > 200);
  // Backwards.
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at) + 1;
    lines.push_back(text.substr(at, end - at));
    at = end;
  }
  std::reverse(lines.begin() + 1, lines.end());
  std::string turned;
  for (const std::string& line : lines) turned += line;
  const auto other = ranker::raw_dataset(
      folder.rows("b.csv", turned, both, ""),
      {.features = {{.name = "user_id", .dim = 4}, {.name = "item_id", .dim = 4}}});
  std::vector<Index> back;
  for (const Index row : other.test) back.push_back(2999 - row);
  std::ranges::sort(back);
  CHECK(back == data.test);
}

TEST_CASE("raw_rows: rows without ids are numbers alone") {
  const Folder folder;
  const Dataset data =
      ranker::raw_dataset(folder.rows("n.csv", small, both),
                          {.features = {{.name = "price", .kind = plait::FeatureKind::number}}});
  REQUIRE(data.encoded);
  CHECK(data.input_dim() == 1);
  CHECK(data.encoded->embeddings().tables.empty());
  CHECK(data.encoded->rows().dense(0, 0, 0) == -1);  // of 1 and 3
  CHECK(data.encoded->rows().dense(1, 0, 0) == 1);
}

TEST_CASE("raw_rows: what is planted is learned, the same from the same seed on any threads") {
  const Folder folder;
  const RawRows rows = folder.rows("p.csv", planted(), both, "");
  const Dataset data = ranker::raw_dataset(rows, ranker::infer_features(rows));
  REQUIRE(data.encoded);
  const auto run = [&](plait::Executor* executor, std::vector<float>& values) {
    const ranker::ModelEntry& mmoe = ranker::models()[5];
    ranker::Trainee trainee(mmoe, trainee_options(data, executor));
    Silent silent;
    const auto result =
        ranker::train(trainee.trainer, trainee.method, data, {.epochs = 8, .batch = 64}, silent, {},
                      trainee.tables_or_null());
    const auto table = trainee.tables->values(0);
    values.assign(table.begin(), table.end());
    // The rows are those of the best epoch: it is tested again.
    const auto scores = ranker::evaluate(trainee.trainer, data, data.test);
    CHECK(scores[0].auc == result->test[0].auc);
    CHECK(ranker::evaluate(trainee.trainer, data, data.validation)[0].auc ==
          result->curve[static_cast<std::size_t>(result->best_epoch - 1)].validation[0].auc);
    return *result;
  };
  std::vector<float> first, second, threaded;
  const auto result = run(nullptr, first);
  CHECK(result.test[0].auc > 0.85);
  CHECK(result.test[1].r2 > 0.7);
  CHECK(run(nullptr, second).test[1].mse == result.test[1].mse);
  plait::ThreadPool pool(2);
  CHECK(run(&pool, threaded).test[0].auc == result.test[0].auc);
  CHECK(first == second);
  CHECK(first == threaded);
}

TEST_CASE(
    "raw_rows: ids that no one listed are learned in tables that grow, and kept at their best") {
  const Folder folder;
  const Dataset data = ranker::raw_dataset(
      folder.rows("g.csv", planted(), both, ""),
      {.features = {
           {.name = "user_id",
            .kind = plait::FeatureKind::growing,
            .dim = 8,
            .rows = 40,
            .admission = 2},
           {.name = "item_id", .kind = plait::FeatureKind::growing, .dim = 8, .rows = 12}}});
  const ranker::ModelEntry& mmoe = ranker::models()[5];
  ranker::Trainee trainee(mmoe, trainee_options(data));
  Silent silent;
  const auto result =
      ranker::train(trainee.trainer, trainee.method, data, {.epochs = 8, .batch = 64}, silent, {},
                    trainee.tables_or_null());
  CHECK(result->test[0].auc > 0.75);
  CHECK(trainee.tables->ids(0)->num_rows() == 30);  // all users; of 20 items 11 at most
  CHECK(trainee.tables->ids(1)->num_rows() >= 9);
  CHECK(ranker::evaluate(trainee.trainer, data, data.validation)[0].auc ==
        result->curve[static_cast<std::size_t>(result->best_epoch - 1)].validation[0].auc);
  const auto norms = ranker::row_norms(*trainee.tables, *data.encoded, data.train);
  CHECK(norms[0].touched == 30);
  CHECK(norms[1].touched == 1 + static_cast<Index>(trainee.tables->ids(1)->num_rows()));
}

TEST_CASE("raw_rows: resumed, tables end in the bits of a run that was not stopped") {
  const Folder folder;
  const Dataset data =
      ranker::raw_dataset(folder.rows("r.csv", planted(), both, ""), growing_users());
  REQUIRE((data.train.size() + 127) / 128 == steps_of_epoch);
  const HastyRun whole(data, nullptr);
  REQUIRE(whole.run);
  REQUIRE(whole.run->best_epoch < hasty.epochs);
  REQUIRE(whole.run->best_epoch > 1);
  const std::string expected = whole.bytes(data);

  // Before there is a best epoch, in that epoch, at its end, right after it and in the last one.
  const int best = steps_of_epoch * whole.run->best_epoch;
  for (const int steps : {3, best - 5, best, best + 1, steps_of_epoch * hasty.epochs}) {
    INFO("stopped after step " << steps);
    const files::Directory directory;
    {
      plait::Checkpoints checkpoints(directory.path());
      CHECK_FALSE(HastyRun(data, &checkpoints, steps).run);
    }
    plait::Checkpoints checkpoints(directory.path());
    const HastyRun rest(data, &checkpoints);
    REQUIRE(rest.run);
    CHECK(rest.run->best_epoch == whole.run->best_epoch);
    CHECK(rest.bytes(data) == expected);
    REQUIRE(rest.run->curve.size() == whole.run->curve.size());
    for (std::size_t e = 0; e < rest.run->curve.size(); ++e) {
      CHECK(rest.run->curve[e].loss == whole.run->curve[e].loss);
      CHECK(rest.run->curve[e].total == whole.run->curve[e].total);
    }
    CHECK(rest.run->test[0].auc == whole.run->test[0].auc);
    CHECK(rest.run->test[1].mse == whole.run->test[1].mse);
  }
}

TEST_CASE("raw_rows: the best epoch's tables are one file for all checkpoints that name them") {
  const Folder folder;
  const Dataset data =
      ranker::raw_dataset(folder.rows("r.csv", planted(), both, ""), growing_users());
  const files::Directory directory;
  plait::Checkpoints checkpoints(directory.path());
  CHECK_FALSE(HastyRun(data, &checkpoints, steps_of_epoch).run);
  CHECK(best_files(directory).empty());  // none of an epoch that has not been validated
  CHECK_FALSE(HastyRun(data, &checkpoints, 1).run);
  const Names first{"best-000000001.safetensors"};
  CHECK(best_files(directory) == first);
  const auto written = std::filesystem::last_write_time(directory / first.front());
  CHECK_FALSE(HastyRun(data, &checkpoints, 5).run);
  CHECK(best_files(directory) == first);
  CHECK(std::filesystem::last_write_time(directory / first.front()) == written);

  // The next one's is beside it while a checkpoint names the first, and alone in the end.
  const HastyRun rest(data, &checkpoints, 1'000'000, 1);
  const Names last = best_files(directory);
  REQUIRE_FALSE(last.empty());
  CHECK(last.front() > first.front());
  const auto loaded = plait::load_with_tables<float>(directory / last.back());
  CHECK(std::ranges::equal(loaded.tables.values(1), rest.trainee.tables->values(1)));
  CHECK(std::ranges::equal(loaded.model.values().flat(), rest.trainee.model.values().flat()));

  // One that has become another, and one that is gone.
  const std::string path = directory / last.back();
  const plait::SealedReader named{plait::SafetensorsReader(checkpoints.paths().back())};
  const std::string& note = named.meta("best_tables");
  plait::save(rest.trainee.model, *rest.trainee.tables, path, {.metadata = {{"a", "b"}}});
  CHECK_THROWS_WITH(HastyRun(data, &checkpoints),
                    Catch::Matchers::StartsWith("--resume: " + path + ": got ") &&
                        Catch::Matchers::EndsWith(", expected " + note + " as " +
                                                  checkpoints.paths().back() + " says"));
  std::filesystem::remove(path);
  CHECK_THROWS_AS(HastyRun(data, &checkpoints), plait::FileError);
}

TEST_CASE("raw_rows: best epochs between two checkpoints leave one file") {
  const Folder folder;
  const Dataset data =
      ranker::raw_dataset(folder.rows("r.csv", planted(), both, ""), growing_users());
  const files::Directory directory;
  plait::Checkpoints checkpoints(directory.path());
  const HastyRun whole(data, &checkpoints, 1'000'000, 1'000'000);
  REQUIRE(whole.run);
  REQUIRE(whole.run->best_epoch > 1);
  CHECK(checkpoints.paths().empty());
  CHECK(best_files(directory).size() == 1);
}

TEST_CASE("raw_rows: a run does not go on with other rows or features") {
  const Folder folder;
  const std::string text = planted();
  const RawRows rows = folder.rows("r.csv", text, both, "");
  const files::Directory directory;
  plait::Checkpoints checkpoints(directory.path());
  CHECK_FALSE(HastyRun(ranker::raw_dataset(rows, growing_users()), &checkpoints, 3).run);
  const auto refused = [&](const std::string& other, const plait::EncoderConfig& features) {
    const Dataset data = ranker::raw_dataset(folder.rows("r.csv", other, both, ""), features);
    CHECK_THROWS_WITH(HastyRun(data, &checkpoints),
                      Catch::Matchers::ContainsSubstring(" is of other rows or features: got "));
  };
  std::string changed = text;
  const std::size_t label = changed.rfind(",1,");
  REQUIRE(label != std::string::npos);
  changed[label + 1] = '0';
  refused(changed, growing_users());
  plait::EncoderConfig features = growing_users();
  features.features[0].admission = 3;
  refused(text, features);
  CHECK(HastyRun(ranker::raw_dataset(rows, growing_users()), &checkpoints, 1000).run);
}
