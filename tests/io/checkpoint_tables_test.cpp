// Checkpoints of runs with embedding tables: full ones, deltas, chains of them, and what is none.
#include "plait/io/checkpoint_tables.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "changed_parts.hpp"
#include "plait/io/checkpoint.hpp"
#include "plait/optim/adagrad.hpp"
#include "plait/optim/ftrl.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/train/gradient_mean.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"
#include "table_run.hpp"

namespace {

using files::of_tensor;
using plait::Checkpoints;
using plait::Index;
using table_run::equal;
using table_run::Run;

const std::vector<plait::RowRule<float>>& all_rules() {
  static const std::vector<plait::RowRule<float>> rules{
      plait::SGD{.learning_rate = 0.1},
      plait::SGD{.learning_rate = 0.1, .momentum = 0.9},
      plait::Adagrad{.learning_rate = 0.1},
      plait::RowwiseAdagrad{.learning_rate = 0.1, .initial_accumulator = 0.1},
      plait::LazyAdam{.learning_rate = 0.01},
      plait::RowwiseAdam{.learning_rate = 0.01},
      plait::FTRL{.learning_rate = 0.1}};
  return rules;
}

void flip_last_byte(const std::string& path) {
  std::string bytes = files::contents(path);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  files::write(path, bytes);
}

// What resuming says of a file whose parts were changed.
std::string refusal(const std::string& path, Checkpoints& checkpoints,
                    const std::function<void(files::Parts&)>& change) {
  const std::string bytes = files::contents(path);
  files::write(path, files::resealed(bytes, change));
  Run run;
  std::string told = "nothing";
  try {
    run.resume(checkpoints);
  } catch (const plait::FormatError& error) {
    told = error.what();
    CHECK(equal(run, Run()));
  }
  files::write(path, bytes);
  const std::string where = "plait::" + path + ": ";
  return told.starts_with(where) ? told.substr(where.size()) : told;
}

}  // namespace

TEST_CASE("checkpoint of tables: resumed with every rule, training ends in the same bits") {
  for (const auto& rule : all_rules()) {
    INFO(rule.name());
    Run whole(rule);
    whole.steps(9);
    for (const bool with_deltas : {false, true}) {
      INFO("with deltas: " << with_deltas);
      const files::Directory directory;
      for (int stop = 0; stop <= 9; ++stop) {
        Run run(rule);
        Checkpoints checkpoints(directory.path());
        CHECK(run.resume(checkpoints).path.empty() == (stop == 0));
        REQUIRE(run.progress.step == std::max(stop - 1, 0));
        if (stop > 0) run.step();
        const bool full = !with_deltas || stop % 4 == 0;
        const std::string path = full ? run.save(checkpoints) : run.save_delta(checkpoints);
        CHECK((path.find("/delta-") != std::string::npos) == !full);
        if (stop == 9) CHECK(equal(run, whole));
      }
    }
  }
}

TEST_CASE("checkpoint of tables: full and deltas are the state, bit for bit") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  Run run;
  run.save(checkpoints);
  for (int i = 0; i < 5; ++i) {
    run.steps(i);  // none at first
    const std::string path = run.save_delta(checkpoints);
    Run other;
    Checkpoints reader(checkpoints);
    REQUIRE(other.resume(reader).path == path);
    CHECK(equal(other, run));
    run.save(checkpoints);
  }
  CHECK(checkpoints.paths().size() == 5);  // three full ones, and two deltas between them
}

TEST_CASE("checkpoint of tables: ids that come and go between full and delta, bit for bit") {
  for (const bool freezes : {false, true}) {
    std::vector<plait::ParamGroup> groups;
    if (freezes) groups.push_back({.pattern = "user*", .frozen = true});
    const plait::LazyAdam rule{.learning_rate = 0.01};
    Run whole(rule, 300, groups);
    const files::Directory directory;
    Checkpoints checkpoints(directory.path());
    std::size_t gone = 0, back = 0;  // of the delta, since the full one
    for (int round = 0; round < 6; ++round) {
      whole.steps(10);
      whole.save(checkpoints);
      const auto before = table_run::ids(whole.tables, 1);
      whole.steps(10);
      const auto after = table_run::ids(whole.tables, 1);
      const auto row_of = [](const auto& records, std::uint64_t id) {
        const auto found = std::ranges::find(records, id, &plait::IdMap::Record::id);
        return found == records.end() ? 0 : found->row;
      };
      for (const auto& record : before)
        gone += record.row != 0 && row_of(after, record.id) == 0 ? 1 : 0;
      for (const auto& record : after)
        back += record.row != 0 && row_of(before, record.id) != record.row ? 1 : 0;
      CHECK(whole.save_delta(checkpoints).find("/delta-") != std::string::npos);
      Run other(rule, 300, groups);
      other.resume(checkpoints);
      REQUIRE(equal(other, whole));
      Run third(rule, 300, groups);
      third.resume(checkpoints);
      third.steps(3);
      other.steps(3);
      CHECK(equal(other, third));
    }
    CHECK((gone > 5) == !freezes);
    CHECK((back > 5) == !freezes);
  }
}

TEST_CASE("checkpoint of tables: ids that no table has are refused, and so is another seed") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  Run run;
  run.steps(20);
  run.save(checkpoints);
  run.steps(3);
  const std::string path = run.save_delta(checkpoints);
  const auto number = [&](std::size_t at, std::int64_t to) {
    return refusal(path, checkpoints,
                   of_tensor("embedding_bags.user.id.ids", [=](auto&, std::string& data) {
                     REQUIRE(data.size() >= 64);
                     std::memcpy(data.data() + 8 * at, &to, 8);
                   }));
  };
  std::vector<std::int64_t> ids;
  {
    plait::SafetensorsReader file(path);
    ids = file.read<std::int64_t>(*file.header().find("embedding_bags.user.id.ids"));
  }
  const std::string name = "'embedding_bags.user.id.ids': got ";
  CHECK(number(4, ids[0]) == name + "plait::IdMap: records: got id " + plait::text(ids[0]) +
                                 " twice, expected each id once, expected the ids of a table");
  CHECK(number(1, 20) == name +
                             "plait::IdMap: records: got row 20, expected at most 19, expected "
                             "the ids of a table");
  CHECK(number(1, -1) == name + "-1, expected 0 to 2^32 - 1");
  CHECK(number(3, std::int64_t{1} << 32) == name + "4294967296, expected 0 to 2^32 - 1");
  CHECK(number(2, 0) == name + "plait::IdMap: records: got id " + plait::text(ids[0]) +
                            " seen 0 times, expected once or more, expected the ids of a table");
  CHECK(refusal(
            path, checkpoints,
            of_tensor("embedding_bags.user.id.ids", [](plait::TensorInfo& tensor, auto&) {
              tensor.shape = {tensor.shape[0] * 2, 2};
            })) == name + "I64 [" + plait::text(ids.size() / 2) + ", 2], expected I64 of ids by 4");
  CHECK(refusal(path, checkpoints,
                of_tensor("embedding_bags.user.id.ids",
                          [](plait::TensorInfo& tensor, auto&) { tensor.name = "moved.x"; })) ==
        "tensors: got no 'embedding_bags.user.id.ids', expected the tables of this run");

  plait::EmbeddingTables<float> tables(table_run::config(300, true), 8);
  auto model = table_run::make_model(tables);
  plait::TableOptimizer<float> rows(tables, plait::RowwiseAdagrad{.learning_rate = 0.1});
  plait::Trainer<float> trainer(
      model, rows, std::vector<plait::Head>(2), plait::Adam{.learning_rate = 0.05},
      {.optimizer = {.schedule = plait::Schedule::cosine(20), .clip_norm = 1.0}});
  CHECK_THROWS_WITH(checkpoints.resume(trainer, run.progress),
                    Catch::Matchers::ContainsSubstring("trainer.seed of embeddings: got '7', "
                                                       "expected '8' as in this run"));
}

TEST_CASE("checkpoint of tables: a delta holds the rows that moved, rising") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  Run run(plait::RowwiseAdagrad{}, 5000, {{.pattern = "user*", .frozen = true}});
  CHECK(run.save_delta(checkpoints).ends_with("checkpoint-000000001.safetensors"));  // none before
  run.steps(2);
  plait::SafetensorsReader file(run.save_delta(checkpoints));
  CHECK(file.name().ends_with("delta-000000002.safetensors"));
  const table_run::Rows<float> first(0, 6), second(1, 6);
  std::vector<std::int64_t> expected;
  for (const auto* rows : {&first, &second})
    for (const auto* ids : {&rows->items, &rows->history})
      expected.insert(expected.end(), ids->begin(), ids->end());
  std::ranges::sort(expected);
  expected.erase(std::unique(expected.begin(), expected.end()), expected.end());
  CHECK(file.read<std::int64_t>(*file.header().find("moved.item")) == expected);
  CHECK(file.header().find("moved.user.id")->count() == 0);
  const auto values = file.read<float>(*file.header().find("embedding_bags.item.weight"));
  const auto state = file.read<float>(*file.header().find("rows.RowwiseAdagrad.item"));
  REQUIRE(values.size() == 5 * expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto row = static_cast<Index>(expected[i]);
    CHECK(std::equal(values.begin() + 5 * static_cast<Index>(i),
                     values.begin() + 5 * static_cast<Index>(i + 1),
                     run.tables.row(0, row).begin()));
    CHECK(state[i] == run.rows.state(0)[static_cast<std::size_t>(row)]);
  }
}

TEST_CASE("row marks: every row of a table, whatever its size") {
  for (const Index rows : {1, 63, 64, 65, 4095, 4096, 4097, 9000}) {
    plait::RowMarks marks(rows);
    CHECK(marks.count() == 0);
    std::vector<Index> expected, got;
    for (Index row = rows - 1; row >= 0; row -= 1 + row % 3) {
      plait::RowMarks::mark(marks.of_shard(row % plait::RowEntries::num_shards), row);
      expected.push_back(row);
    }
    std::ranges::reverse(expected);
    marks.for_each([&](Index row) { got.push_back(row); });
    CHECK(got == expected);
    CHECK(marks.count() == expected.size());
  }
}

TEST_CASE("checkpoint of tables: a broken delta ends the chain, and all of it is told") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path(), 5);
  Run run;
  std::vector<std::string> paths{run.save(checkpoints)};
  const auto save_delta = [&] {
    run.step();
    paths.push_back(run.save_delta(checkpoints));
  };
  for (int i = 0; i < 4; ++i) save_delta();
  flip_last_byte(paths[3]);
  Run other;
  const auto resumed = other.resume(checkpoints);
  CHECK(resumed.path == paths[2]);
  REQUIRE(resumed.rejected.size() == 2);
  CHECK(resumed.rejected[0].path == paths[4]);
  CHECK(resumed.rejected[1].path == paths[3]);
  for (const auto& file : resumed.rejected)
    CHECK_THAT(file.reason, Catch::Matchers::ContainsSubstring(paths[3] + ": data: got checksum "));
  Run expected;
  expected.steps(2);
  CHECK(equal(other, expected));

  // What goes on from there follows the last whole one, and the broken ones stay out of it.
  other.steps(3);
  CHECK(other.save_delta(checkpoints).ends_with("delta-000000006.safetensors"));
  Run third;
  CHECK(third.resume(checkpoints).rejected.empty());
  CHECK(equal(third, other));

  SECTION("one that is gone") {
    std::filesystem::remove(paths[1]);
    Run fourth;
    const auto last = fourth.resume(checkpoints);
    CHECK(last.path == paths[0]);
    CHECK(last.rejected.size() == 4);
    CHECK_THAT(last.rejected[0].reason,
               Catch::Matchers::ContainsSubstring("expected a file that is there"));
    CHECK(equal(fourth, Run()));
  }
  SECTION("one in whose place is another") {
    std::filesystem::copy_file(paths[2], paths[1],
                               std::filesystem::copy_options::overwrite_existing);
    Run fourth;
    CHECK(fourth.resume(checkpoints).path == paths[0]);
  }
  SECTION("the full one") {
    flip_last_byte(paths[0]);
    Run fourth;
    CHECK_THROWS_WITH(fourth.resume(checkpoints),
                      Catch::Matchers::ContainsSubstring("expected one that is whole"));
    CHECK(equal(fourth, Run()));
  }
}

TEST_CASE("checkpoint of tables: every truncation and flip of a delta gives the state before it") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  Run run;
  run.save(checkpoints);
  run.step();
  run.save_delta(checkpoints);
  Run before;
  before.resume(checkpoints);
  Run third;
  third.resume(checkpoints);
  third.step();
  const std::string path = third.save_delta(checkpoints);
  const std::string bytes = files::contents(path);
  plait::Random random(5);
  for (int i = 0; i < 60; ++i) {
    const auto at = static_cast<std::size_t>(random.uniform() * static_cast<double>(bytes.size()));
    std::string torn = bytes;
    if (i % 2 == 0) torn.resize(at);
    if (i % 2 == 1) torn[at] = static_cast<char>(torn[at] ^ (1 << i % 8));
    files::write(path, torn);
    Run other;
    const auto resumed = other.resume(checkpoints);
    REQUIRE(resumed.rejected.size() == 1);
    CHECK(resumed.rejected[0].path == path);
    CHECK(equal(other, before));
  }
  files::write(path, bytes);
  Run other;
  CHECK(other.resume(checkpoints).path == path);
  CHECK(equal(other, third));
}

TEST_CASE("checkpoint of tables: deltas of marks that are another's become full ones") {
  const files::Directory directory;
  Checkpoints checkpoints(directory / "one");
  Checkpoints elsewhere(directory / "other");
  Run run;
  run.save(checkpoints);
  run.step();
  run.save(elsewhere);
  run.step();
  CHECK(run.save_delta(checkpoints).ends_with("checkpoint-000000002.safetensors"));
  run.step();
  CHECK(run.save_delta(checkpoints).ends_with("delta-000000003.safetensors"));
  Run other;
  other.resume(checkpoints);
  CHECK(equal(other, run));
  // So do those whose predecessor has gone, and those of another run's tables.
  other.step();
  std::filesystem::remove(checkpoints.paths().back());
  CHECK(other.save_delta(checkpoints).ends_with("checkpoint-000000003.safetensors"));
  CHECK(run.save_delta(checkpoints).ends_with("checkpoint-000000004.safetensors"));
}

TEST_CASE("checkpoint of tables: the deltas of full checkpoints that are kept are kept") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path(), 2);
  Run run;
  for (int i = 0; i < 10; ++i) {
    run.step();
    const std::string path = i % 3 == 0 ? run.save(checkpoints) : run.save_delta(checkpoints);
    CHECK(checkpoints.paths().back() == path);
  }
  std::vector<std::string> names;
  for (const std::string& path : checkpoints.paths())
    names.push_back(std::filesystem::path(path).filename().string());
  CHECK(names == std::vector<std::string>{
                     "checkpoint-000000007.safetensors", "delta-000000008.safetensors",
                     "delta-000000009.safetensors", "checkpoint-000000010.safetensors"});
}

TEST_CASE("checkpoint of tables: other tables are refused by name, and nothing changes") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  Run run;
  run.step();
  const std::string path = run.save(checkpoints);
  const auto refused = [&](Run& other) {
    try {
      other.resume(checkpoints);
    } catch (const plait::FormatError& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  Run larger(plait::RowwiseAdagrad{.learning_rate = 0.1}, 301);
  CHECK(refused(larger) == "plait::" + path +
                               ": trainer.embeddings.tables[0].rows: got 300, expected 301 as in "
                               "this run");
  Run adam(plait::LazyAdam{.learning_rate = 0.1});
  CHECK_THAT(refused(adam), Catch::Matchers::ContainsSubstring("trainer.row_rule") &&
                                Catch::Matchers::ContainsSubstring("'RowwiseAdagrad'") &&
                                Catch::Matchers::ContainsSubstring("'LazyAdam'"));
  Run slower(plait::RowwiseAdagrad{.learning_rate = 0.01});
  CHECK_THAT(refused(slower),
             Catch::Matchers::ContainsSubstring("trainer.learning_rate of table item"));
  CHECK(checkpoints.resume(slower.trainer, slower.progress, {},
                           {.may_differ = {"trainer.learning_rate of table *"}}));
  // Whatever may differ, sizes may not.
  try {
    checkpoints.resume(larger.trainer, larger.progress, {}, {.may_differ = {"*"}});
    FAIL("accepted");
  } catch (const plait::FormatError& error) {
    CHECK(std::string(error.what()) ==
          "plait::" + path +
              ": 'embedding_bags.item.weight': got F32 [300, 5], expected F32 [301, 5]");
  }
  CHECK(equal(larger, Run(plait::RowwiseAdagrad{.learning_rate = 0.1}, 301)));

  // A model and an optimizer alone do not go on without their tables.
  plait::Progress<float> progress;
  plait::Optimizer<float> optimizer(run.model.shared_table(), plait::Adam{.learning_rate = 0.05},
                                    run.trainer.optimizer().options());
  CHECK_THROWS_WITH(checkpoints.resume(run.model, optimizer, progress),
                    "plait::" + path + ": plait.tables: got '2', expected none as in this run");
  std::filesystem::remove(path);
  checkpoints.save(run.model, optimizer, progress);
  CHECK_THROWS_WITH(run.resume(checkpoints),
                    "plait::" + path + ": plait.tables: got none, expected 2 as in this run");
}

TEST_CASE("checkpoint of tables: forged files are refused, and nothing changes") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  Run run;
  const std::string full = run.save(checkpoints);
  run.step();
  const std::string delta = run.save_delta(checkpoints);
  CHECK(refusal(delta, checkpoints, [](files::Parts&) {}) == "nothing");

  const auto rows = [&](const std::function<void(std::span<std::int64_t>)>& change) {
    return refusal(delta, checkpoints, of_tensor("moved.item", [&](auto&, std::string& data) {
                     std::vector<std::int64_t> numbers(data.size() / 8);
                     std::memcpy(numbers.data(), data.data(), data.size());
                     change(numbers);
                     std::memcpy(data.data(), numbers.data(), data.size());
                   }));
  };
  CHECK_THAT(
      rows([](auto all) { all.back() = 300; }),
      Catch::Matchers::ContainsSubstring("'moved.item': got 300, expected rising rows from "));
  CHECK(rows([](auto all) { all.front() = -1; }) ==
        "'moved.item': got -1, expected rising rows from 0 to 299");
  CHECK_THAT(rows([](auto all) { all[1] = all[0]; }),
             Catch::Matchers::ContainsSubstring("expected rising rows"));
  CHECK_THAT(refusal(delta, checkpoints,
                     of_tensor("moved.item",
                               [](auto& tensor, auto& data) {
                                 tensor.shape[0] -= 1;
                                 data.resize(data.size() - 8);
                               })),
             Catch::Matchers::ContainsSubstring("'embedding_bags.item.weight': got F32 ["));
  CHECK_THAT(refusal(delta, checkpoints,
                     of_tensor("moved.item",
                               [](auto& tensor, auto&) { tensor.dtype = plait::DType::u64; })),
             Catch::Matchers::ContainsSubstring("'moved.item': got U64"));
  const auto renamed = [](auto& tensor, auto&) { tensor.name = "x"; };
  for (const std::string& path : {full, delta})
    CHECK(refusal(path, checkpoints, of_tensor("rows.RowwiseAdagrad.item", renamed)) ==
          "tensors: got no 'rows.RowwiseAdagrad.item', expected the tables of this run");
  CHECK_THAT(
      refusal(full, checkpoints,
              of_tensor("embedding_bags.user.id.weight",
                        [](auto& tensor, auto&) { std::swap(tensor.shape[0], tensor.shape[1]); })),
      Catch::Matchers::ContainsSubstring("got F32 [3, 20], expected F32 [20, 3]"));
  CHECK_THAT(refusal(full, checkpoints,
                     [](files::Parts& parts) { parts.meta("plait.format") = "plait.delta.1"; }),
             Catch::Matchers::ContainsSubstring("plait.format: got 'plait.delta.1'"));
}

TEST_CASE("checkpoint of tables: means of several batches' gradients are refused") {
  Run run;
  const table_run::Rows<float> batch(0, 6);
  run.trainer.compute_gradient(batch.batch(), {.labels = batch.labels});
  plait::GradientMean<float> mean(run.model.shared_table());
  mean.add(run.trainer.gradient());
  CHECK_THROWS_AS(run.trainer.apply(mean.values()), plait::ConfigError);
  CHECK(equal(run, Run()));
}
