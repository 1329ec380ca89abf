#include "seats.hpp"

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "support/catch.hpp"

using service::Seats;

TEST_CASE("a seat is one thread's at a time") {
  Seats seats(3, 64);
  std::atomic<int> inside[3] = {};
  std::atomic<int> together{0};
  std::atomic<int> taken{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 200; ++k) {
        const auto seat = seats.take();
        if (!seat) continue;
        if (++inside[seat->index()] > 1) ++together;
        ++taken;
        --inside[seat->index()];
      }
    });
  threads.clear();
  CHECK(taken == 1600);
  CHECK(together == 0);
  CHECK(seats.waiting() == 0);
}

TEST_CASE("a full queue turns threads away; those in it get their seats in order") {
  const std::size_t queue = GENERATE(0, 3);
  Seats seats(2, queue);
  auto first = seats.take();
  auto second = seats.take();
  REQUIRE(first);
  REQUIRE(second);
  std::vector<std::size_t> order;  // only one of those that wait has a seat at a time
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < queue; ++i) {
    threads.emplace_back([&, i] {
      const auto seat = seats.take();
      order.push_back(i);
    });
    while (seats.waiting() < i + 1) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  for (int i = 0; i < 3; ++i) CHECK(!seats.take());
  CHECK(order.empty());
  second.reset();
  threads.clear();
  for (std::size_t i = 0; i < queue; ++i) CHECK(order[i] == i);
  CHECK(order.size() == queue);
  CHECK(seats.take());
  CHECK(seats.waiting() == 0);
}
