#include "connections.hpp"

#include <chrono>
#include <latch>

#include "support/catch.hpp"

using service::Connections;

TEST_CASE(
    "a connection too many goes to the thread that turns away, and all end before shutdown does") {
  std::atomic<int> open{0};
  std::atomic<int> served{0};
  std::atomic<int> turned_away{0};
  std::latch go_on(1);
  Connections connections(2, open);
  const auto count = [&] { ++(Connections::turned_away() ? turned_away : served); };
  for (int i = 0; i < 2; ++i)
    connections.enqueue([&] {
      go_on.wait();
      count();
    });
  for (int i = 0; i < 3; ++i) connections.enqueue(count);
  while (turned_away < 3) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(served == 0);
  go_on.count_down();
  while (open > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  connections.enqueue(count);
  connections.shutdown();
  CHECK(served == 3);
  CHECK(turned_away == 3);
  CHECK(open == 0);
}
