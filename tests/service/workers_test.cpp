#include "workers.hpp"

#include <atomic>
#include <chrono>
#include <latch>
#include <set>
#include <stdexcept>

#include "support/catch.hpp"

using service::Workers;

TEST_CASE("calls run on the workers, each on one at a time, and their exceptions come back") {
  Workers workers(3, 64);
  std::atomic<int> inside[3] = {};
  std::atomic<int> together{0};
  std::atomic<int> calls{0};
  std::atomic<int> errors{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 200; ++k) {
        try {
          const bool ran = workers.run([&](std::size_t worker) {
            if (++inside[worker] > 1) ++together;
            ++calls;
            --inside[worker];
            if (k % 50 == 0) throw std::runtime_error("k");
          });
          if (!ran) ++errors;
        } catch (const std::runtime_error&) {
          if (k % 50 != 0) ++errors;
        }
      }
    });
  threads.clear();
  CHECK(calls == 1600);
  CHECK(together == 0);
  CHECK(errors == 0);
}

TEST_CASE("a full queue turns calls away and runs what it holds") {
  const std::size_t queue = GENERATE(0, 2);
  Workers workers(2, queue);
  std::latch started(2);
  std::latch go_on(1);
  std::atomic<int> ran{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 2; ++i)
    threads.emplace_back([&] {
      workers.run([&](std::size_t) {
        started.count_down();
        go_on.wait();
        ++ran;
      });
    });
  started.wait();
  for (std::size_t i = 0; i < queue; ++i) {
    threads.emplace_back([&] { workers.run([&](std::size_t) { ++ran; }); });
    while (workers.waiting() < i + 1) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  for (int i = 0; i < 3; ++i) CHECK(!workers.run([&](std::size_t) { ++ran; }));
  CHECK(ran == 0);
  go_on.count_down();
  threads.clear();
  CHECK(ran == 2 + static_cast<int>(queue));
  CHECK(workers.run([&](std::size_t) { ++ran; }));
  CHECK(workers.waiting() == 0);
}
