// What docs/embeddings.md shows, as one program.
#include <plait/embeddings.hpp>
#include <plait/io.hpp>
#include <plait/plait.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

int main() {
  using plait::Pooling;
  using plait::Side;
  const plait::EmbeddingConfig config{
      .tables = {{.name = "user", .rows = 1000, .dim = 16},
                 {.name = "movie", .rows = 5000, .dim = 16}},
      .features =
          {{.name = "user", .side = Side::user},
           {.name = "history", .table = "movie", .pooling = Pooling::mean, .side = Side::user},
           {.name = "movie"}},
      .dense = {Side::item}};  // one number beside them: a price, an age
  const auto tables = std::make_shared<plait::EmbeddingTables<float>>(config, /*seed=*/7);

  plait::Model<float> model(
      plait::MMoE{.input_dim = tables->width(), .num_tasks = 2, .num_experts = 4, .expert = {32}},
      {.hidden = {{16}}}, /*seed=*/7);

  // Three rows. The second has seen nothing yet.
  const std::vector<std::uint64_t> users = {12, 800, 12}, movies = {7, 7, 4999};
  const std::vector<std::uint64_t> seen = {3, 99, 7, 3, 99};
  const std::vector<std::int64_t> offsets = {0, 2, 2, 5};
  const std::vector<plait::SparseFeature> features = {{users}, {seen, offsets}, {movies}};
  plait::Matrix<float> numbers(3, 1), labels(3, 2);
  numbers << 0.5F, -1.0F, 2.0F;
  labels << 1, 0, 0, 0, 1, 1;
  const plait::FeatureBatch<float> batch{{3, features}, numbers};

  plait::TableOptimizer<float> rows(*tables, plait::RowwiseAdagrad{.learning_rate = 0.05});
  plait::Trainer trainer(model, rows, {{.name = "click"}, {.name = "like"}}, plait::Adam{});
  for (int step = 0; step < 100; ++step) trainer.step(batch, labels);

  plait::Matrix<float> logits(3, 2);
  trainer.score(batch, logits);

  const plait::EmbeddingScorer<float> scorer(model, plait::ServingTables<float>(tables));
  auto context = scorer.context();  // one per thread

  const std::vector<std::uint64_t> user = {12}, history = {3, 99}, candidates = {7, 8, 9, 4999};
  const std::vector<std::int64_t> history_offsets = {0, 2};
  const std::vector<plait::SparseFeature> of_user = {{user}, {history, history_offsets}};
  const std::vector<plait::SparseFeature> of_candidates = {{candidates}};
  plait::Matrix<float> prices(4, 1), scores(4, 2);
  prices.setZero();
  context.score({{1, of_user}, {}}, {{4, of_candidates}, prices}, scores);

  const std::string path =
      (std::filesystem::temp_directory_path() / "plait_readme_embeddings.safetensors").string();
  plait::save(model, *tables, path, {}, batch);
  const auto mapped = plait::load_with_tables<float>(plait::SafetensorsReader::mapped(path), {},
                                                     plait::Verify::unmapped);
  const bool same = std::ranges::equal(mapped.tables.values(1), tables->values(1));
  std::filesystem::remove(path);
  if (!same) return 1;

  const plait::TableConfig sessions{.name = "session",
                                    .rows = 100000,  // row 0 included
                                    .dim = 8,
                                    .reserved = 1,
                                    .growing = true,
                                    .admission = 2};
  plait::EmbeddingTables<float> growing({.tables = {sessions}, .features = {{.name = "session"}}},
                                        /*seed=*/7);
  plait::TableOptimizer<float> growing_rows(growing, plait::RowwiseAdagrad{});
  plait::Model<float> of_sessions(
      plait::MMoE{.input_dim = growing.width(), .num_tasks = 2, .num_experts = 2}, {}, 7);
  plait::Trainer session_trainer(of_sessions, growing_rows, {{.name = "click"}, {.name = "like"}},
                                 plait::Adam{});
  const std::vector<std::uint64_t> ids = {0xfeedfacecafebeef, 42, 0xfeedfacecafebeef};
  const std::vector<plait::SparseFeature> of_sessions_rows = {{ids}};
  session_trainer.step(plait::FeatureBatch<float>{{3, of_sessions_rows}}, labels);
  const std::uint64_t row = growing.ids(0)->row(0xfeedfacecafebeef);  // 0: it has none
  const std::size_t known = growing.ids(0)->size();                   // with a row or waiting
  if (row != 1 || known != 2 || growing.ids(0)->row(42) != 0) return 1;

  const plait::EmbeddingScorer<float> small(model, plait::ServingTables<float>::quantised(*tables));
  std::printf("%zu bytes of tables, %zu in 8 bits\n", scorer.tables().bytes(),
              small.tables().bytes());
  return logits(0, 0) > 0 && logits(1, 0) < 0 && scores.allFinite() ? 0 : 1;
}
