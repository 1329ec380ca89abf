// DType: the element types of safetensors that plait reads and writes, and their conversions.
//
// Any of them converts to float and double: F16, BF16 and F8 widen exactly, F64 rounds to nearest
// when read as float, integers round and BOOL becomes 0 or 1. Integers are read as what they are
// stored as. Writing stores float as F32, or as BF16 where that is asked for, and double as F64.
#pragma once
#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>

#include "plait/core/config.hpp"

namespace plait {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

// Checksums of files have their numbers: new ones go to the end.
enum class DType {
  f64,
  f32,
  f16,
  bf16,
  i64,
  i32,
  u8,
  boolean,
  i8,
  i16,
  u16,
  u32,
  u64,
  f8_e4m3,
  f8_e5m2,
};

struct DTypeInfo {
  DType dtype;
  std::string_view name;
  std::size_t size;  // bytes
};

inline constexpr std::array<DTypeInfo, 15> dtypes{{{DType::f64, "F64", 8},
                                                   {DType::f32, "F32", 4},
                                                   {DType::f16, "F16", 2},
                                                   {DType::bf16, "BF16", 2},
                                                   {DType::i64, "I64", 8},
                                                   {DType::i32, "I32", 4},
                                                   {DType::u8, "U8", 1},
                                                   {DType::boolean, "BOOL", 1},
                                                   {DType::i8, "I8", 1},
                                                   {DType::i16, "I16", 2},
                                                   {DType::u16, "U16", 2},
                                                   {DType::u32, "U32", 4},
                                                   {DType::u64, "U64", 8},
                                                   {DType::f8_e4m3, "F8_E4M3", 1},
                                                   {DType::f8_e5m2, "F8_E5M2", 1}}};

constexpr const DTypeInfo& info(DType dtype) { return dtypes[static_cast<std::size_t>(dtype)]; }

// Of parameters. Not F8: such numbers need the scales that are stored beside them.
constexpr bool is_floating(DType dtype) {
  return dtype == DType::f64 || dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16;
}

inline std::optional<DType> parse_dtype(std::string_view name) {
  for (const auto& entry : dtypes)
    if (entry.name == name) return entry.dtype;
  return std::nullopt;
}

// The dtype that stores a C++ type without conversion.
template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, double>) {
    return DType::f64;
  } else if constexpr (std::is_same_v<T, float>) {
    return DType::f32;
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return DType::i64;
  } else if constexpr (std::is_same_v<T, std::int32_t>) {
    return DType::i32;
  } else {
    static_assert(std::is_same_v<T, std::uint8_t>, "no dtype stores this type");
    return DType::u8;
  }
}

// IEEE half precision, exactly.
inline float half_to_float(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1f;
  const int mantissa = bits & 0x3ff;
  float magnitude = 0;
  if (exponent == 0) {
    magnitude = std::ldexp(static_cast<float>(mantissa), -24);
  } else if (exponent == 31) {
    magnitude = mantissa == 0 ? std::numeric_limits<float>::infinity()
                              : std::numeric_limits<float>::quiet_NaN();
  } else {
    magnitude = std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
  }
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

// bfloat16 is the upper half of a float.
inline float bfloat16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}
// The nearest, ties to even, numbers below the normal ones to zero: as kernels/bf16.hpp rounds.
inline std::uint16_t float_to_bfloat16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t sign = bits & 0x80000000U;
  if (std::isnan(x)) return static_cast<std::uint16_t>((bits | 0x00400000U) >> 16);
  if ((bits & 0x7fffffffU) < 0x00800000U) return static_cast<std::uint16_t>(sign >> 16);
  return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

// The 8-bit formats of the Open Compute Project. E4M3 has no infinities, E5M2 is the upper half of
// IEEE half precision.
inline float f8_e4m3_to_float(std::uint8_t bits) {
  const int exponent = (bits >> 3) & 0xf;
  const int mantissa = bits & 7;
  const float magnitude = (bits & 0x7f) == 0x7f ? std::numeric_limits<float>::quiet_NaN()
                          : exponent == 0
                              ? std::ldexp(static_cast<float>(mantissa), -9)
                              : std::ldexp(static_cast<float>(mantissa + 8), exponent - 10);
  return (bits & 0x80) != 0 ? -magnitude : magnitude;
}
inline float f8_e5m2_to_float(std::uint8_t bits) {
  return half_to_float(static_cast<std::uint16_t>(bits << 8));
}

namespace detail {

template <class Stored, class T, class Widen>
void widen_all(const std::byte* from, std::size_t count, T* to, const Widen& widen) {
  for (std::size_t i = 0; i < count; ++i) {
    Stored stored;
    std::memcpy(&stored, from + i * sizeof(Stored), sizeof(Stored));
    to[i] = static_cast<T>(widen(stored));
  }
}

}  // namespace detail

// Converts `count` stored elements at `from` (any alignment) to T.
template <std::floating_point T>
void convert(DType dtype, const std::byte* from, std::size_t count, T* to) {
  const auto same = [](auto value) { return value; };
  switch (dtype) {
    case DType::f64:
      return detail::widen_all<double>(from, count, to, same);
    case DType::f32:
      return detail::widen_all<float>(from, count, to, same);
    case DType::f16:
      return detail::widen_all<std::uint16_t>(from, count, to, half_to_float);
    case DType::bf16:
      return detail::widen_all<std::uint16_t>(from, count, to, bfloat16_to_float);
    case DType::i64:
      return detail::widen_all<std::int64_t>(from, count, to, same);
    case DType::i32:
      return detail::widen_all<std::int32_t>(from, count, to, same);
    case DType::u8:
      return detail::widen_all<std::uint8_t>(from, count, to, same);
    case DType::boolean:
      return detail::widen_all<std::uint8_t>(from, count, to,
                                             [](std::uint8_t v) { return v != 0; });
    case DType::i8:
      return detail::widen_all<std::int8_t>(from, count, to, same);
    case DType::i16:
      return detail::widen_all<std::int16_t>(from, count, to, same);
    case DType::u16:
      return detail::widen_all<std::uint16_t>(from, count, to, same);
    case DType::u32:
      return detail::widen_all<std::uint32_t>(from, count, to, same);
    case DType::u64:
      return detail::widen_all<std::uint64_t>(from, count, to, same);
    case DType::f8_e4m3:
      return detail::widen_all<std::uint8_t>(from, count, to, f8_e4m3_to_float);
    case DType::f8_e5m2:
      return detail::widen_all<std::uint8_t>(from, count, to, f8_e5m2_to_float);
  }
}

}  // namespace plait
