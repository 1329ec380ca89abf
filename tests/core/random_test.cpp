// Random: golden numbers that every compiler and instruction set must repeat, and distributions.
// Seeds are fixed, so no bound below can fail by chance.
#include "plait/core/random.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "support/catch.hpp"

using plait::Index;
using plait::Random;

namespace {

// The next n results of calling draw on a stream with this seed.
template <class Draw>
auto draws(std::size_t n, Draw draw, std::uint64_t seed = 2024) {
  Random random(seed);
  std::vector<decltype(draw(random))> result;
  for (std::size_t i = 0; i < n; ++i) result.push_back(draw(random));
  return result;
}

// Sum over cells of (observed - expected)^2 / expected.
double chi_square(const std::vector<Index>& observed, double expected) {
  double sum = 0;
  for (const Index n : observed) sum += std::pow(static_cast<double>(n) - expected, 2) / expected;
  return sum;
}

}  // namespace

TEST_CASE("bits are xoshiro256** as published", "[random]") {
  // The authors' C code started from {1, 2, 3, 4}.
  Random random(Random::State{1, 2, 3, 4});
  for (const std::uint64_t expected : {11520u, 0u, 1509978240u}) CHECK(random.bits() == expected);
  CHECK(random.bits() == 1215971899390074240u);
  CHECK(random.bits() == 1216172134540287360u);
  CHECK(random.bits() == 607988272756665600u);
  CHECK(random.bits() == 16172922978634559625u);
}

TEST_CASE("a seed is spread by splitmix64", "[random]") {
  CHECK(Random(0).state() == Random::State{0xe220a8397b1dcdafu, 0x6e789e6aa1b965f4u,
                                           0x06c45d188009454fu, 0xf88bb8a8724c81ecu});
}

TEST_CASE("golden numbers repeat bit for bit", "[random]") {
  CHECK(draws(4, [](Random& r) { return r.bits(); }) ==
        std::vector<std::uint64_t>{0x0e48715a13d7772eu, 0xc837f3ee8a7a1065u, 0x1272314b15ee5001u,
                                   0x28e323a6abe2a46bu});
  CHECK(draws(4, [](Random& r) { return r.uniform(); }) ==
        std::vector<double>{0x1.c90e2b427aeep-5, 0x1.906fe7dd14f42p-1, 0x1.272314b15ee5p-4,
                            0x1.47191d355f15p-3});
  CHECK(draws(4, [](Random& r) { return r.symmetric(0.25); }) ==
        std::vector<double>{-0x1.c6de3a97b0a24p-3, 0x1.20dfcfba29e84p-3, -0x1.b6373ad3a846cp-3,
                            -0x1.5c73716550758p-3});
  CHECK(draws(8, [](Random& r) { return r.normal(); }) ==
        std::vector<double>{-0x1.272314b15ee5p-4, 0x1.072ce94cf145ep-2, -0x1.3b2bc630bb545p+0,
                            -0x1.53cabffd2830ep-2, 0x1.a5554b6afe2b8p-2, -0x1.fab2820d9d98p-5,
                            -0x1.9a6b0ff74c89p-5, -0x1.93c8417740861p-1});
  CHECK(draws(10, [](Random& r) { return r.below(10); }) ==
        std::vector<Index>{8, 3, 1, 1, 3, 7, 2, 6, 5, 4});

  Random random(2024);
  std::vector<int> order(10);
  std::iota(order.begin(), order.end(), 0);
  random.shuffle(order);
  CHECK(order == std::vector<int>{5, 4, 6, 0, 2, 9, 7, 1, 3, 8});
}

TEST_CASE("a hundred thousand normals repeat bit for bit", "[random]") {
  Random random(2024);
  std::uint64_t hash = 0;
  for (int i = 0; i < 100000; ++i)
    hash = hash * 6364136223846793005u + std::bit_cast<std::uint64_t>(random.normal());
  CHECK(hash == 0x82b0d2f6fb375954u);
}

TEST_CASE("a copy and a saved state continue the same stream", "[random]") {
  Random random(5);
  random.bits();
  Random copy = random;
  Random restored(random.state());
  const auto next = random.bits();
  CHECK(copy.bits() == next);
  CHECK(restored.bits() == next);
  CHECK(copy.bits() == random.bits());
}

TEST_CASE("uniform and symmetric stay in their half-open ranges", "[random]") {
  const auto uniforms = draws(100000, [](Random& r) { return r.uniform(); });
  const auto [low, high] = std::minmax_element(uniforms.begin(), uniforms.end());
  CHECK(*low >= 0.0);
  CHECK(*low < 1e-4);
  CHECK(*high < 1.0);
  CHECK(*high > 1 - 1e-4);

  const auto symmetrics = draws(100000, [](Random& r) { return r.symmetric(0.5); });
  const auto [least, most] = std::minmax_element(symmetrics.begin(), symmetrics.end());
  CHECK(*least >= -0.5);
  CHECK(*least < -0.4999);
  CHECK(*most < 0.5);
  CHECK(*most > 0.4999);
}

TEST_CASE("normal has the moments and the distribution function of N(0, 1)", "[random]") {
  constexpr std::size_t n = 200000;
  auto x = draws(n, [](Random& r) { return r.normal(); });
  std::vector<double> moment(5);
  for (const double v : x)
    for (int k = 1; k <= 4; ++k) moment[static_cast<std::size_t>(k)] += std::pow(v, k) / n;

  // Within four standard deviations; Var[x^k] is 1, 2, 15, 96.
  CHECK(std::abs(moment[1]) < 4 * std::sqrt(1.0 / n));
  CHECK(std::abs(moment[2] - 1) < 4 * std::sqrt(2.0 / n));
  CHECK(std::abs(moment[3]) < 4 * std::sqrt(15.0 / n));
  CHECK(std::abs(moment[4] - 3) < 4 * std::sqrt(96.0 / n));

  // Kolmogorov and Smirnov's largest distance, at its 99.9 % point 1.95 / sqrt(n).
  std::sort(x.begin(), x.end());
  double distance = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double below = 0.5 * std::erfc(-x[i] / std::sqrt(2.0));
    distance = std::max(
        {distance, below - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - below});
  }
  CHECK(distance < 1.95 / std::sqrt(static_cast<double>(n)));
}

TEST_CASE("below is uniform", "[random]") {
  std::vector<Index> seen(10);
  for (const Index i : draws(100000, [](Random& r) { return r.below(10); }))
    ++seen[static_cast<std::size_t>(i)];
  CHECK(chi_square(seen, 10000) < 27.9);  // the 99.9 % point for 9 degrees of freedom

  CHECK(draws(3, [](Random& r) { return r.below(1); }) == std::vector<Index>{0, 0, 0});
}

TEST_CASE("below has no modulo bias", "[random]") {
  // 2^64 is two and two thirds times this count: a plain remainder would put 56 % in the lower
  // half.
  constexpr Index count = Index{3} << 61;
  Index lower = 0;
  for (const Index i : draws(10000, [](Random& r) { return r.below(count); }))
    lower += i < count / 2 ? 1 : 0;
  CHECK(std::abs(static_cast<double>(lower) - 5000) < 4 * 50);
}

TEST_CASE("shuffle gives every order equally often", "[random]") {
  std::vector<Index> seen(27);
  Random random(11);
  for (int repetition = 0; repetition < 60000; ++repetition) {
    std::vector<std::size_t> order{0, 1, 2};
    random.shuffle(order);
    ++seen[9 * order[0] + 3 * order[1] + order[2]];
  }
  std::erase(seen, 0);
  CHECK(seen.size() == 6);
  CHECK(chi_square(seen, 10000) < 20.5);  // the 99.9 % point for 5 degrees of freedom

  std::vector<int> none;
  random.shuffle(none);
  CHECK(none.empty());
}

TEST_CASE("a generator has no state of zeros alone", "[random]") {
  CHECK_THROWS_WITH(Random(Random::State{}),
                    "plait::Random: state: got zeros alone, expected a state that a generator had");
  CHECK_THROWS_AS(Random(Random::State{}), plait::ValueError);
  for (std::size_t word = 0; word < 4; ++word) {
    Random::State state{};
    state[word] = 1;
    Random random(state);
    CHECK(random.state() == state);
    CHECK(random.below(3) < 3);
  }
}
