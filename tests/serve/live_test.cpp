#include "plait/serve/live.hpp"

#include <memory>

#include "support/catch.hpp"

using namespace plait;

namespace {

// Counts those that exist.
struct Counted {
  Counted(int v, int& n) : value(v), alive(n) { ++alive; }
  ~Counted() { --alive; }
  int value;
  int& alive;
};

}  // namespace

TEST_CASE("a reading keeps its object while others are published") {
  int alive = 0;
  {
    Live<Counted> live(std::make_unique<Counted>(1, alive));
    auto reader = live.reader();
    auto other = live.reader();
    {
      const auto first = reader.read();
      live.publish(std::make_unique<Counted>(2, alive));
      live.publish(std::make_unique<Counted>(3, alive));
      CHECK(first->value == 1);
      CHECK(other.read()->value == 3);
      CHECK(live.version() == 3);
      CHECK(live.collect() == 2);  // a reading keeps what is younger than its own object, too
      CHECK(alive == 3);
    }
    CHECK(alive == 3);  // leaving destroys nothing
    CHECK(live.collect() == 0);
    CHECK(alive == 1);
    CHECK((*reader.read()).value == 3);
  }
  CHECK(alive == 0);
}

TEST_CASE("publish destroys what nobody reads") {
  int alive = 0;
  Live<Counted> live(std::make_unique<Counted>(0, alive));
  auto reader = live.reader();
  for (int i = 1; i <= 5; ++i) {
    live.publish(std::make_unique<Counted>(i, alive));
    CHECK(alive == 1);
    CHECK(reader.read()->value == i);
  }
}

TEST_CASE("a slot of a reader that is gone serves the next one") {
  int alive = 0;
  Live<Counted> live(std::make_unique<Counted>(0, alive));
  auto first = std::make_unique<Live<Counted>::Reader>(live.reader());
  auto second = live.reader();
  auto moved = std::move(*first);
  first.reset();  // the moved-from one gives nothing back
  auto third = live.reader();
  const auto a = moved.read();
  const auto b = second.read();
  const auto c = third.read();
  live.publish(std::make_unique<Counted>(1, alive));
  CHECK(a->value == 0);
  CHECK(b->value == 0);
  CHECK(c->value == 0);
  CHECK(alive == 2);
}

TEST_CASE("null is refused and changes nothing") {
  int alive = 0;
  const std::string message = "plait::Live: object: got null, expected an object";
  CHECK_THROWS_WITH(Live<Counted>(nullptr), message);
  Live<Counted> live(std::make_unique<Counted>(7, alive));
  CHECK_THROWS_WITH(live.publish(nullptr), message);
  CHECK_THROWS_AS(live.publish(nullptr), ConfigError);
  auto reader = live.reader();
  CHECK(reader.read()->value == 7);
  CHECK(live.version() == 1);
}
