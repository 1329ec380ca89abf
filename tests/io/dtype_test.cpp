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
      {"F64", 8}, {"F32", 4}, {"F16", 2},  {"BF16", 2},    {"I64", 8},
      {"I32", 4}, {"U8", 1},  {"BOOL", 1}, {"I8", 1},      {"I16", 2},
      {"U16", 2}, {"U32", 4}, {"U64", 8},  {"F8_E4M3", 1}, {"F8_E5M2", 1}};
  REQUIRE(plait::dtypes.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(plait::dtypes[i].name == expected[i].first);
    CHECK(plait::dtypes[i].size == expected[i].second);
    CHECK(plait::parse_dtype(expected[i].first) == static_cast<DType>(i));
    CHECK(plait::info(static_cast<DType>(i)).dtype == static_cast<DType>(i));
  }
  CHECK_FALSE(plait::parse_dtype("F8"));
}

TEST_CASE("dtype: all 8-bit values") {
  for (unsigned bits = 0; bits <= 0xff; ++bits) {
    CAPTURE(bits);
    // The largest exponent of E4M3 has numbers, but for its last one.
    const double numbers =
        std::pow(2.0, 8) * (1 + (bits & 7) / 8.0) * ((bits & 0x80) != 0 ? -1 : 1);
    const double e4m3 = (bits & 0x78) != 0x78   ? decode(bits, 4, 3)
                        : (bits & 0x7f) == 0x7f ? NAN
                                                : numbers;
    for (const auto& [got, expected] :
         {std::pair(plait::f8_e4m3_to_float(static_cast<std::uint8_t>(bits)), e4m3),
          std::pair(plait::f8_e5m2_to_float(static_cast<std::uint8_t>(bits)),
                    decode(bits, 5, 2))}) {
      if (std::isnan(expected))
        CHECK(std::isnan(got));
      else
        CHECK((got == expected && std::signbit(got) == std::signbit(expected)));
    }
  }
  CHECK(plait::f8_e4m3_to_float(0x7e) == 448);  // the largest, as its definition has it
  CHECK(plait::f8_e5m2_to_float(0x7b) == 57344);
}

TEST_CASE("dtype: whole numbers of every size convert") {
  const auto converts = [](plait::DType dtype, auto smallest, auto largest) {
    const decltype(smallest) stored[] = {smallest, largest};
    double wide[2];
    plait::convert(dtype, reinterpret_cast<const std::byte*>(stored), 2, wide);
    CHECK(wide[0] == static_cast<double>(smallest));
    CHECK(wide[1] == static_cast<double>(largest));
  };
  using plait::DType;
  converts(DType::i8, std::int8_t{-128}, std::int8_t{127});
  converts(DType::i16, std::int16_t{-32768}, std::int16_t{32767});
  converts(DType::u16, std::uint16_t{0}, std::uint16_t{65535});
  converts(DType::u32, std::uint32_t{0}, std::uint32_t{4294967295});
  converts(DType::u64, std::uint64_t{0}, std::uint64_t{18446744073709551615u});
}
