// The program of docs/serving.md, which shows parts of it to the letter.
#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

#include "plait/plait.hpp"

int main() {
  plait::Model<float> model(plait::AdaTT{.input_dim = 16, .num_tasks = 2, .levels = {{32}, {16}}},
                            {.hidden = {{8}}},
                            /*seed=*/1);
  const plait::Matrix<float> x = plait::Matrix<float>::Ones(100, 16);
  const plait::Matrix<float> labels = plait::Matrix<float>::Ones(100, 2);

  plait::Live<plait::Scorer<float>> live(std::make_unique<plait::Scorer<float>>(model));

  std::vector<std::jthread> threads;
  for (int i = 0; i < 2; ++i)
    threads.emplace_back([&] {
      auto reader = live.reader();  // once per thread
      plait::Matrix<float> logits(100, 2);
      for (int request = 0; request < 100; ++request) {
        const auto scorer = reader.read();  // never waits; stays until the end of the scope
        scorer->context().score(x, logits);
      }
    });

  plait::Trainer trainer(model, {{.name = "click"}, {.name = "buy"}}, plait::Adam{});
  for (int step = 1; step <= 100; ++step) {
    trainer.step(x, labels);
    if (step % 20 == 0) live.publish(std::make_unique<plait::Scorer<float>>(model));
  }
  threads.clear();
  std::printf("%d versions\n", static_cast<int>(live.version()));
  return live.version() == 6 && live.collect() == 0 ? 0 : 1;
}
