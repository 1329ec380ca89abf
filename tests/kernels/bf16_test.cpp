// Products in bf16 are the float products of rounded operands, to the last bit, in every format and
// by every instruction set of this machine.
#include "plait/kernels/bf16.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "plait/kernels/linear.hpp"
#include "plait/kernels/packed_weights.hpp"
#include "support/catch.hpp"

using namespace plait;

namespace {

// The nearest bf16, ties to even, as the definition says it.
float rounded(float x) {
  if (std::isnan(x) || std::isinf(x)) return x;
  if (std::abs(x) < std::numeric_limits<float>::min()) return std::copysign(0.0F, x);
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const float down = std::bit_cast<float>(bits & 0xffff0000U);
  const auto above = (bits & 0xffff0000U) + 0x10000U;
  const double up = (above & 0x7fffffffU) == 0x7f800000U
                        ? std::copysign(std::ldexp(1.0, 128), x)
                        : static_cast<double>(std::bit_cast<float>(above));
  const double to_down = std::abs(static_cast<double>(x) - static_cast<double>(down));
  const double to_up = std::abs(up - static_cast<double>(x));
  const bool down_is_even = (bits & 0x10000U) == 0;
  return to_down < to_up || (to_down == to_up && down_is_even) ? down : static_cast<float>(up);
}

std::vector<InstructionSet> sets() {
  const InstructionSet before = instruction_set();
  std::vector<InstructionSet> result;
  for (int s = 0; s <= 3; ++s) {
    const auto set = static_cast<InstructionSet>(s);
    if (set <= before && limit_instruction_set(set) == set) result.push_back(set);
  }
  limit_instruction_set(before);
#if defined(__x86_64__)
  // Where the instruction is there and not worth it, it gives the same.
  if (result.back() == InstructionSet::avx512 && before == InstructionSet::avx512 &&
      __builtin_cpu_supports("avx512bf16"))
    result.push_back(InstructionSet::avx512_bf16);
#endif
  return result;
}

using Numbers = std::vector<float>;

Numbers random_numbers(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Numbers result(count);
  for (float& x : result) x = normal(random);
  return result;
}
Numbers rounded(Numbers x) {
  for (float& v : x) v = rounded(v);
  return x;
}

// y = f(x Wᵀ + b) by a set, in a format.
Numbers linear(InstructionSet set, PackedFormat format, Index rows, Index outputs, Index inputs,
               const Numbers& x, const Numbers& w, const Numbers& bias, Activation f) {
  AlignedVector<float> panels(
      static_cast<std::size_t>(kernels::packed_size<float>(set, format, outputs, inputs)));
  const auto packed = kernels::pack_weight<float>(
      set, format, {w.data(), outputs, inputs, Eigen::OuterStride<>(inputs)}, panels.data());
  Numbers y(static_cast<std::size_t>(rows * outputs), 7.0F);
  kernels::linear<float>(View3<const float>(x.data(), rows, 1, inputs), packed, bias.data(),
                         View3<float>(y.data(), rows, 1, outputs), f);
  return y;
}

bool same_bits(const Numbers& a, const Numbers& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace

TEST_CASE("bf16: numbers are rounded to the nearest, ties to even") {
  Numbers x = random_numbers(2000, 1);
  for (std::uint32_t high = 0; high < 0x10000U; high += 37)
    for (const std::uint32_t low : {0U, 1U, 0x7fffU, 0x8000U, 0x8001U, 0xffffU})
      x.push_back(std::bit_cast<float>((high << 16) | low));
  for (const float edge :
       {0.0F, -0.0F, std::numeric_limits<float>::max(), 1.1754942e-38F,
        std::numeric_limits<float>::min(), std::numeric_limits<float>::infinity()})
    x.insert(x.end(), {edge, -edge});
  const auto size = std::ssize(x);
  for (const auto set : sets()) {
    INFO(name(set));
    Numbers y(x.size());
    kernels::round_weights(set, PackedFormat::rounded, size, x.data(), y.data());
    bool right = true;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float expected = rounded(x[i]);
      right = right && (std::isnan(expected) ? std::isnan(y[i])
                                             : std::bit_cast<std::uint32_t>(y[i]) ==
                                                   std::bit_cast<std::uint32_t>(expected));
    }
    CHECK(right);
    if (kernels::bf16_format(set) != PackedFormat::pairs) continue;
    for (const Index count : {size, size - 1, size - 17, Index{1}, Index{2}, Index{31}}) {
      Numbers lanes(x.size(), 7.0F);
      kernels::round_weights(set, PackedFormat::pairs, count, x.data(), lanes.data());
      right = true;
      for (Index i = 0; i < count + count % 2; ++i) {
        const auto lane = std::bit_cast<std::uint32_t>(lanes[static_cast<std::size_t>(i / 2)]);
        const float got = std::bit_cast<float>(i % 2 == 0 ? lane & 0xffff0000U : lane << 16);
        const float expected = i < count ? y[static_cast<std::size_t>(i)] : -0.0F;
        right = right && (std::isnan(expected) ? std::isnan(got)
                                               : std::bit_cast<std::uint32_t>(got) ==
                                                     std::bit_cast<std::uint32_t>(expected));
      }
      CHECK(right);
      const auto behind = static_cast<std::size_t>((count + 1) / 2);
      CHECK(lanes[behind] == 7.0F);
    }
  }
}

TEST_CASE("bf16: products are those of rounded numbers, by every set to the same bit") {
  unsigned seed = 2;
  for (const Index inputs : {1, 2, 7, 64, 131, 256, 484})
    for (const Index outputs : {1, 16, 37, 48, 200, 256, 384})
      for (const Index rows : {1, 2, 5, 16, 33, 100}) {
        INFO(rows << " x " << inputs << " x " << outputs);
        const auto count = [](Index a, Index b) { return static_cast<std::size_t>(a * b); };
        const Numbers x = random_numbers(count(rows, inputs), ++seed);
        const Numbers w = random_numbers(count(outputs, inputs), ++seed);
        const Numbers bias = random_numbers(count(outputs, 1), ++seed);
        const auto f = seed % 2 == 0 ? Activation::relu : Activation::identity;
        const Numbers expected = linear(instruction_set(), PackedFormat::full, rows, outputs,
                                        inputs, rounded(x), rounded(w), bias, f);
        for (const auto set : sets()) {
          INFO(name(set));
          CHECK(same_bits(
              expected, linear(set, PackedFormat::rounded, rows, outputs, inputs, x, w, bias, f)));
          CHECK(same_bits(expected, linear(set, kernels::bf16_format(set), rows, outputs, inputs, x,
                                           w, bias, f)));
        }
      }
}

TEST_CASE("bf16: one number that is not ordinary is found wherever it is") {
  const Numbers ordinary = random_numbers(64, 3);
  const float denormal = std::numeric_limits<float>::min() / 2;
  for (const auto set : sets())
    for (const float odd : {denormal, -denormal, std::bit_cast<float>(0x7f800001U),
                            std::bit_cast<float>(0xffffffffU)})
      for (std::size_t at = 0; at < ordinary.size(); ++at) {
        Numbers x = ordinary;
        x[at] = odd;
        Numbers y(x.size());
        kernels::round_weights(set, PackedFormat::rounded, std::ssize(x), x.data(), y.data());
        Numbers expected = rounded(ordinary);
        if (std::isnan(odd)) {
          CHECK(std::isnan(y[at]));
          y[at] = expected[at];
        } else {
          expected[at] = std::copysign(0.0F, odd);
        }
        CHECK(same_bits(expected, y));
      }
}

TEST_CASE("bf16: many rows that widen a panel together get the bits of each alone") {
  unsigned seed = 500;
  for (const Index inputs : {1, 127, 128, 129, 255, 257, 300})
    for (const Index outputs : {20, 48, 100})
      for (const Index rows : {23, 24, 25, 31, 63, 64, 65, 130}) {
        INFO(rows << " x " << inputs << " x " << outputs);
        const Numbers x = random_numbers(static_cast<std::size_t>(rows * inputs), ++seed);
        const Numbers w = random_numbers(static_cast<std::size_t>(outputs * inputs), ++seed);
        const Numbers bias = random_numbers(static_cast<std::size_t>(outputs), ++seed);
        const auto f = seed % 2 == 0 ? Activation::relu : Activation::identity;
        const Numbers expected = linear(instruction_set(), PackedFormat::full, rows, outputs,
                                        inputs, rounded(x), rounded(w), bias, f);
        for (const auto set : sets())
          CHECK(same_bits(expected, linear(set, kernels::bf16_format(set), rows, outputs, inputs, x,
                                           w, bias, f)));
      }
}

TEST_CASE("bf16: products of long rows go on where they stopped") {
  for (const Index inputs : {2047, 2048, 2049, 5000}) {
    const Index outputs = 50;
    const Index rows = inputs % 2 == 0 ? 19 : 83;
    const Numbers x = random_numbers(static_cast<std::size_t>(rows * inputs), 5);
    const Numbers w = random_numbers(static_cast<std::size_t>(outputs * inputs), 6);
    const Numbers bias = random_numbers(static_cast<std::size_t>(outputs), 7);
    const Numbers expected = linear(instruction_set(), PackedFormat::full, rows, outputs, inputs,
                                    rounded(x), rounded(w), bias, Activation::relu);
    for (const auto set : sets())
      CHECK(same_bits(expected, linear(set, kernels::bf16_format(set), rows, outputs, inputs, x, w,
                                       bias, Activation::relu)));
  }
}

TEST_CASE("bf16: a row with NaN or infinity spoils itself alone") {
  const Index inputs = 40, outputs = 20, rows = 9;
  Numbers x = random_numbers(rows * inputs, 8);
  const Numbers w = random_numbers(outputs * inputs, 9);
  const Numbers bias(outputs, 0.0F);
  for (const auto set : sets()) {
    INFO(name(set));
    const auto format = kernels::bf16_format(set);
    const Numbers good =
        linear(set, format, rows, outputs, inputs, x, w, bias, Activation::identity);
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      Numbers spoilt = x;
      spoilt[3 * inputs + 5] = bad;
      const Numbers y =
          linear(set, format, rows, outputs, inputs, spoilt, w, bias, Activation::identity);
      bool others = true;
      bool own = true;
      for (std::size_t i = 0; i < y.size(); ++i) {
        if (i / outputs == 3) {
          own = own && !std::isfinite(y[i]);
        } else {
          others = others && y[i] == good[i];
        }
      }
      CHECK(others);
      CHECK(own);
    }
  }
}
