#include "plait/io/dtype.hpp"

#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace {

// The value of a binary format with these field widths, from its definition.
double decode(unsigned bits, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int largest = (1 << exponent_bits) - 1;
  const int exponent = static_cast<int>(bits >> mantissa_bits) & largest;
  const double fraction =
      static_cast<double>(bits & ((1u << mantissa_bits) - 1)) / std::pow(2.0, mantissa_bits);
  const double sign = bits >> (exponent_bits + mantissa_bits) != 0 ? -1 : 1;
  if (exponent == largest) return fraction == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * fraction * std::pow(2.0, 1 - bias);
  return sign * (1 + fraction) * std::pow(2.0, exponent - bias);
}

void check_all(float (*convert)(std::uint16_t), int exponent_bits, int mantissa_bits) {
  for (unsigned bits = 0; bits <= 0xffff; ++bits) {
    const double expected = decode(bits, exponent_bits, mantissa_bits);
    const float got = convert(static_cast<std::uint16_t>(bits));
    const bool same = std::isnan(expected)
                          ? std::isnan(got)
                          : got == expected && std::signbit(got) == std::signbit(expected);
    if (!same) FAIL("bits " << bits << ": got " << got << ", expected " << expected);
  }
}

}  // namespace

TEST_CASE("dtype: all half-precision values") { check_all(plait::half_to_float, 5, 10); }
TEST_CASE("dtype: all bfloat16 values") { check_all(plait::bfloat16_to_float, 8, 7); }

TEST_CASE("dtype: names and sizes are those of the format") {
  using plait::DType;
  const std::vector<std::pair<std::string, std::size_t>> expected{
      {"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2},
      {"I64", 8}, {"I32", 4}, {"U8", 1},  {"BOOL", 1}};
  REQUIRE(plait::dtypes.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(plait::dtypes[i].name == expected[i].first);
    CHECK(plait::dtypes[i].size == expected[i].second);
    CHECK(plait::parse_dtype(expected[i].first) == static_cast<DType>(i));
    CHECK(plait::info(static_cast<DType>(i)).dtype == static_cast<DType>(i));
  }
  CHECK_FALSE(plait::parse_dtype("F8_E4M3"));
}
