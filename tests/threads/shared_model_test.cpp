// Many scoring contexts on one shared model; run under ThreadSanitizer by the tsan preset.
#include <atomic>
#include <vector>

#include "plait/core/parallel.hpp"
#include "plait/optim/adam.hpp"
#include "plait/serve/scorer.hpp"
#include "plait/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/models.hpp"
#include "support/score.hpp"
#include "support/threads.hpp"

using namespace plait;

TEST_CASE("twelve contexts on one model give the single-threaded scores bit for bit") {
  const models::Sizes sizes;
  for (const auto& architecture : models::all_trunks<float>(sizes)) {
    INFO(architecture.name);
    const Scorer scorer(models::make(architecture.trunk, sizes));
    const auto x = data::normal<float>(200, sizes.input_dim, 3);
    const auto expected = models::forward(scorer.model(), x);

    std::vector<Matrix<float>> results(12, Matrix<float>::Zero(200, sizes.num_tasks));
    std::atomic<bool> start{false};
    Threads threads;
    for (auto& result : results)
      threads.emplace_back([&] {
        auto context = scorer.context();
        start.wait(false);
        for (int i = 0; i < 20; ++i) context.score(x, result);
      });
    start = true;
    start.notify_all();
    threads.clear();
    for (const auto& result : results) CHECK((result.array() == expected.array()).all());
  }
}

TEST_CASE("lanes on a pool train without a race") {
  const models::Sizes sizes;
  auto model = models::make<float>(
      AdaTT{.input_dim = sizes.input_dim, .num_tasks = sizes.num_tasks, .levels = sizes.levels()},
      sizes);
  ThreadPool pool(4);
  Trainer trainer(model, data::binary_heads(sizes.num_tasks), Adam{},
                  {.tile_rows = 8, .lanes = 8, .executor = &pool});
  const auto x = data::normal<float>(256, sizes.input_dim, 3);
  const auto labels = data::binary<float>(256, sizes.num_tasks, 4);
  const double first = trainer.step(x, labels);
  for (int i = 0; i < 30; ++i) trainer.step(x, labels);
  CHECK(trainer.step(x, labels) < first);
}
