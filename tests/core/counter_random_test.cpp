#include "plait/core/counter_random.hpp"

#include <cmath>
#include <set>

#include "support/catch.hpp"

using plait::CounterRandom;

TEST_CASE("counter random: a place has one number, whichever way it is asked for") {
  const CounterRandom root(7);
  const auto branch = root.at(3);
  CHECK(root.at(3).at(9).bits() == branch.at(9).bits());
  CHECK(CounterRandom(7).at(3).at(9).bits() == branch.at(9).bits());
  CHECK(CounterRandom(8).at(3).at(9).bits() != branch.at(9).bits());
  CHECK(root.at(9).at(3).bits() != root.at(3).at(9).bits());
  // splitmix64 seeded with 0, its first number (Vigna's reference code).
  CHECK(CounterRandom(0).bits() == 0xe220a8397b1dcdafull);
}

TEST_CASE("counter random: numbers of neighbouring places are uniform and unrelated") {
  const CounterRandom root(1);
  std::set<std::uint64_t> seen;
  double sum = 0;
  double squares = 0;
  double rows = 0;     // product of neighbours along one counter
  double columns = 0;  // and along the other
  constexpr int n = 200;
  for (std::uint64_t i = 0; i < n; ++i)
    for (std::uint64_t j = 0; j < n; ++j) {
      const auto place = root.at(i).at(j);
      seen.insert(place.bits());
      const double u = place.uniform() - 0.5;
      CHECK((u >= -0.5 && u < 0.5));
      sum += u;
      squares += u * u;
      rows += u * (root.at(i + 1).at(j).uniform() - 0.5);
      columns += u * (root.at(i).at(j + 1).uniform() - 0.5);
    }
  constexpr double count = n * n;
  CHECK(seen.size() == n * n);
  // Four standard deviations of each mean.
  CHECK(std::abs(sum / count) < 4 * std::sqrt(1.0 / 12 / count));
  CHECK(std::abs(squares / count - 1.0 / 12) < 4 * std::sqrt(1.0 / 180 / count));
  CHECK(std::abs(rows / count) < 4 * (1.0 / 12) / std::sqrt(count));
  CHECK(std::abs(columns / count) < 4 * (1.0 / 12) / std::sqrt(count));
}

TEST_CASE("counter random: normal numbers have the moments of the standard normal") {
  constexpr int n = 40000;
  double sum = 0, squares = 0, fourth = 0, neighbours = 0, tail = 0;
  for (std::uint64_t i = 0; i < n; ++i) {
    const double z = CounterRandom(3).at(i).normal();
    sum += z;
    squares += z * z;
    fourth += z * z * z * z;
    neighbours += z * CounterRandom(3).at(i + 1).normal();
    tail += z > 2 ? 1 : 0;
  }
  // Four standard deviations of each mean: those of z, z², z⁴, a product and a count.
  const double root = std::sqrt(static_cast<double>(n));
  CHECK(std::abs(sum / n) < 4 / root);
  CHECK(std::abs(squares / n - 1) < 4 * std::sqrt(2.0) / root);
  CHECK(std::abs(fourth / n - 3) < 4 * std::sqrt(96.0) / root);
  CHECK(std::abs(neighbours / n) < 4 / root);
  CHECK(std::abs(tail / n - 0.02275) < 4 * std::sqrt(0.02275) / root);
}
