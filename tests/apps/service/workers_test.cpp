#include "workers.hpp"

#include <atomic>
#include <csignal>
#include <future>
#include <latch>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "support/catch.hpp"

using service::Reply;
using service::Workers;

TEST_CASE("each worker does one job at a time, and all that were taken are done at the end") {
  std::atomic<int> inside[3] = {};
  std::atomic<int> together{0};
  std::atomic<int> done{0};
  int taken = 0;
  {
    Workers workers(3, 64);
    for (int i = 0; i < 2000; ++i)
      taken += workers.take(
                   [&](std::size_t worker) {
                     if (++inside[worker] > 1) ++together;
                     --inside[worker];
                     return Reply{200, "x"};
                   },
                   [&](const Reply& reply) { done += reply.status == 200 ? 1 : 0; })
                   ? 1
                   : 0;
  }
  CHECK(taken >= 67);
  CHECK(done == taken);
  CHECK(together == 0);
}

TEST_CASE("a full queue turns jobs away; those in it are done in order") {
  const std::size_t queue = GENERATE(0, 3);
  std::latch go_on(1);
  std::vector<std::size_t> order;  // of one worker
  {
    Workers workers(2, queue);
    std::latch started(2);
    const auto wait = [&](std::size_t) {
      started.count_down();
      go_on.wait();
      return Reply();
    };
    const auto nothing = [](const Reply&) {};
    REQUIRE(workers.take(wait, nothing));
    REQUIRE(workers.take(wait, nothing));
    started.wait();
    std::mutex mutex;
    for (std::size_t i = 0; i < queue; ++i)
      REQUIRE(workers.take(
          [&, i](std::size_t) {
            const std::lock_guard lock(mutex);
            order.push_back(i);
            return Reply();
          },
          nothing));
    CHECK(workers.waiting() == queue);
    for (int i = 0; i < 3; ++i) CHECK(!workers.take(wait, nothing));
    go_on.count_down();
  }
  CHECK(order.size() == queue);
}

TEST_CASE("who has got an answer is not turned away for the job that made it") {
  Workers workers(1, 0);
  for (int i = 0; i < 2000; ++i) {
    std::promise<void> answered;
    REQUIRE(workers.take([](std::size_t) { return Reply(); },
                         [&](const Reply&) { answered.set_value(); }));
    answered.get_future().wait();
  }
}

TEST_CASE("workers take no signals, and leave the caller's as they were") {
  sigset_t before;
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  Workers workers(1, 0);
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  std::promise<int> blocked;
  REQUIRE(workers.take(
      [&](std::size_t) {
        sigset_t mine;
        pthread_sigmask(SIG_SETMASK, nullptr, &mine);
        blocked.set_value(sigismember(&mine, SIGTERM) + sigismember(&mine, SIGHUP));
        return Reply();
      },
      [](const Reply&) {}));
  CHECK(blocked.get_future().get() == 2);
  for (const int signal : {SIGTERM, SIGHUP, SIGINT})
    CHECK(sigismember(&before, signal) == sigismember(&after, signal));
}

TEST_CASE("a job that throws is answered with 500") {
  Workers workers(1, 0);
  std::promise<Reply> answered;
  REQUIRE(workers.take([](std::size_t) -> Reply { throw std::bad_alloc(); },
                       [&](Reply reply) { answered.set_value(std::move(reply)); }));
  CHECK(answered.get_future().get().status == 500);
}
