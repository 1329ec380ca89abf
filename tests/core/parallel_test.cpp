// ThreadPool: every task once, exceptions, reuse and concurrent callers.
#include "plait/core/parallel.hpp"

#include <atomic>
#include <chrono>
#include <latch>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/threads.hpp"

using plait::Index;
using plait::ThreadPool;

// Catch2's assertions are not thread-safe: tasks only count.

TEST_CASE("a pool runs each task exactly once", "[parallel]") {
  for (const Index size : {1, 2, 5}) {
    ThreadPool pool(size);
    CHECK(pool.size() == size);
    for (const Index count : {0, 1, 3, 1000}) {
      CAPTURE(size, count);
      std::vector<std::atomic<int>> calls(static_cast<std::size_t>(count));
      auto task = [&](Index i) { ++calls[static_cast<std::size_t>(i)]; };
      pool.run(count, task);
      Index once = 0;
      for (const auto& n : calls) once += n == 1 ? 1 : 0;
      CHECK(once == count);
    }
  }
}

TEST_CASE("tasks of one run overlap in time", "[parallel]") {
  ThreadPool pool(3);
  std::latch all_running(3);  // each task waits for the other two
  auto task = [&](Index) { all_running.arrive_and_wait(); };
  pool.run(3, task);
  CHECK(all_running.try_wait());
}

TEST_CASE("an exception is rethrown after all other tasks have run", "[parallel]") {
  ThreadPool pool(2);
  for (int repetition = 0; repetition < 20; ++repetition) {
    std::atomic<int> finished = 0;
    auto task = [&](Index i) {
      if (i == 3) throw std::runtime_error("task 3");
      ++finished;
    };
    CHECK_THROWS_WITH(pool.run(10, task), "task 3");
    CHECK(finished == 9);
  }
  std::atomic<int> finished = 0;
  auto task = [&](Index) { ++finished; };
  CHECK_NOTHROW(pool.run(10, task));  // nothing is left of the errors
  CHECK(finished == 10);
}

TEST_CASE("callers from several threads wait for each other", "[parallel]") {
  ThreadPool pool(2);
  std::atomic<int> foreign = 0;  // tasks that ran while another caller's run was unfinished
  std::atomic<int> owner = 0;    // the caller whose run is under way
  std::atomic<int> total = 0;
  const auto caller = [&](int mine) {
    for (int repetition = 0; repetition < 100; ++repetition) {
      std::atomic<int> left = 8;
      auto task = [&](Index) {
        int current = 0;
        if (!owner.compare_exchange_strong(current, mine) && current != mine) ++foreign;
        ++total;
        std::this_thread::sleep_for(std::chrono::microseconds(10));  // lets another caller try
        if (--left == 0) owner = 0;
      };
      pool.run(8, task);
    }
  };
  {
    Threads others;
    others.emplace_back([&] { caller(2); });
    others.emplace_back([&] { caller(3); });
    caller(1);
  }
  CHECK(foreign == 0);
  CHECK(total == 3 * 100 * 8);
}

TEST_CASE("a run allocates nothing", "[parallel]") {
  ThreadPool pool(2);
  std::atomic<int> sum = 0;
  auto task = [&](Index i) { sum += static_cast<int>(i); };
  pool.run(8, task);
  const auto before = allocations::count();
  for (int repetition = 0; repetition < 100; ++repetition) pool.run(8, task);
  const auto after = allocations::count();
  CHECK(after == before);
  CHECK(sum == 101 * 28);
}

TEST_CASE("a pool has at least one thread", "[parallel]") {
  CHECK_THROWS_AS(ThreadPool(0), plait::ConfigError);
  CHECK_THROWS_WITH(ThreadPool(0), "plait::ThreadPool: size: got 0, expected at least 1");
}
