// A model that is replaced while others score with it; run under ThreadSanitizer by the tsan
// preset.
#include "plait/serve/live.hpp"

#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "plait/serve/scorer.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/models.hpp"
#include "support/score.hpp"
#include "support/threads.hpp"

using namespace plait;

namespace {

// Whole as long as it exists, and counted.
struct Number {
  explicit Number(std::uint64_t n) : first(n), last(n) { ++alive; }
  ~Number() {
    first = 0;
    last = 1;
    --alive;
  }
  std::uint64_t first;
  std::array<std::uint64_t, 64> between{};
  std::uint64_t last;
  static inline std::atomic<int> alive{0};
};

}  // namespace

TEST_CASE("readers see whole objects, none older than published, while others publish") {
  const int publishers = GENERATE(1, 2);
  INFO(publishers << " publishers");
  {
    Live<Number> live(std::make_unique<Number>(0));
    std::atomic<std::uint64_t> next{1};
    std::atomic<int> publishing{publishers};
    std::atomic<int> torn{0};
    std::atomic<int> old{0};
    Threads threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        while (publishing > 0) {
          auto reader = live.reader();
          for (int k = 0; k < 100; ++k) {
            const std::uint64_t before = live.version();
            const auto number = reader.read();
            if (number->first != number->last) ++torn;
            // Two publishers may publish in another order than that of their numbers.
            if (publishers == 1 && number->first + 1 < before) ++old;
          }
        }
      });
    for (int i = 0; i < publishers; ++i)
      threads.emplace_back([&] {
        for (int k = 0; k < 3000; ++k) live.publish(std::make_unique<Number>(next++));
        --publishing;
      });
    threads.clear();
    CHECK(torn == 0);
    CHECK(old == 0);
    CHECK(live.version() == next);
    CHECK(live.collect() == 0);
    CHECK(Number::alive == 1);
  }
  CHECK(Number::alive == 0);
}

TEST_CASE("every score is one of the two models', bit for bit, while they take turns") {
  struct Version {
    Version(const Model<float>& model, int number_) : number(number_), scorer(model) {}
    int number;
    Scorer<float> scorer;
  };
  const models::Sizes sizes;
  std::vector<Model<float>> versions;
  for (const std::uint64_t seed : {1u, 2u})
    versions.push_back(models::make<float>(
        AdaTT{.input_dim = sizes.input_dim, .num_tasks = sizes.num_tasks, .levels = sizes.levels()},
        sizes, seed));
  const auto x = data::normal<float>(40, sizes.input_dim, 3);
  const std::vector<Matrix<float>> expected{models::forward(versions[0], x),
                                            models::forward(versions[1], x)};

  Live<Version> live(std::make_unique<Version>(versions[0], 0));
  std::atomic<bool> publishing{true};
  std::atomic<int> wrong{0};
  Threads threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      auto reader = live.reader();
      Matrix<float> logits(40, sizes.num_tasks);
      while (publishing) {
        const auto current = reader.read();
        current->scorer.context().score(x, logits);
        if ((logits.array() != expected[static_cast<std::size_t>(current->number)].array()).any())
          ++wrong;
      }
    });
  for (int i = 1; i <= 200; ++i)
    live.publish(std::make_unique<Version>(versions[static_cast<std::size_t>(i % 2)], i % 2));
  publishing = false;
  threads.clear();
  CHECK(wrong == 0);
  CHECK(live.collect() == 0);
}
