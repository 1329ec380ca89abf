// Decimal numbers: what stands in for std::from_chars gives the same end, error and bits.
#include "plait/core/decimal.hpp"

#include <bit>
#include <clocale>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "plait/core/csv.hpp"
#include "plait/core/random.hpp"
#include "support/catch.hpp"

namespace {

struct Read {
  std::ptrdiff_t length;
  std::errc error;
  std::uint64_t bits;
  bool operator==(const Read&) const = default;
};

template <class Number>
Read read(const std::string& text) {
  Number value = 17;  // which an error leaves
  const auto [after, error] = plait::detail::parse_decimal_by_strtod(text, value);
  return {after - text.data(), error, std::bit_cast<std::uint64_t>(double{value})};
}

#ifdef __cpp_lib_to_chars
template <class Number>
Read read_by_from_chars(const std::string& text) {
  Number value = 17;
  const auto [after, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return {after - text.data(), error, std::bit_cast<std::uint64_t>(double{value})};
}

void check_same(const std::string& text) {
  CAPTURE(text);
  const bool same = read<float>(text) == read_by_from_chars<float>(text) &&
                    read<double>(text) == read_by_from_chars<double>(text);
  CHECK(same);
}
#endif

// Of all that was read, FNV-1a.
class Digest {
 public:
  void add(const Read& read) {
    const bool none = read.error == std::errc::invalid_argument;
    const bool beyond = read.error == std::errc::result_out_of_range;
    for (const std::uint64_t word :
         {static_cast<std::uint64_t>(read.length), std::uint64_t{none} + 2 * beyond, read.bits})
      for (int shift = 0; shift < 64; shift += 8)
        value_ = (value_ ^ (word >> shift & 0xff)) * 0x100000001b3u;
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325u;
};

std::string zeros(std::size_t count) { return std::string(count, '0'); }

// Halfway between neighbours, next to it, at the ends of the types, of many digits; and no numbers.
const std::vector<std::string> hard{
    "0",
    "-0",
    "0.0",
    "-.0e5",
    "1",
    "-1",
    "1.",
    ".5",
    "-.5e1",
    "00012",
    "0.1",
    "123456789012345678",
    "9007199254740993",
    "9007199254740992.999",
    "9007199254740993.0000000000000000000000000001",
    "16777217",
    "16777217.0000000000000000000000001",
    "16777216.99999999999999999999",
    "33554435",
    "5e-324",
    "2.4703282292062327e-324",
    "2.4703282292062328e-324",
    "4.9406564584124654e-324",
    "2.2250738585072011e-308",
    "2.2250738585072012e-308",
    "2.2250738585072014e-308",
    "1.7976931348623157e308",
    "1.7976931348623158e308",
    "1.7976931348623159e308",
    "1.8e308",
    "1.40129846432481707e-45",
    "7.0064923216240853e-46",
    "7.0064923216240854e-46",
    "1e-46",
    "1.17549435082228750797e-38",
    "1.1754943e-38",
    "3.4028234663852886e38",
    "3.4028235677973366e38",
    "3.4028235677973367e38",
    "3.4028236e38",
    "1e39",
    "-1e39",
    "1e400",
    "-1e-400",
    "1e22",
    "1e23",
    "8.5e-46",
    "6.9294956446009195e15",
    "3.518437208883201171875e13",
    "1.00000005960464477539062501",
    "1.00000005960464477539062499",
    "1.000000059604644775390625",
    "7.2057594037927933e16",
    "1e99999999999999999999",
    "1e-99999999999999999999",
    "-1e99999999999999999999",
    "0e99999999999999999999",
    "-0e-99999999999999999999",
    "1e0000000000000000000000000000005",
    "0." + zeros(400) + "1e401",
    "1" + zeros(400) + "e-400",
    "1" + zeros(400),
    "0." + zeros(400) + "1",
    "0." + zeros(2000) + "17e1990",
    "17" + zeros(2000) + "e-2005",
    "1.0000000000000001110223024625156540423631668090820312500" + zeros(800) + "1",
    "1.0000000000000001110223024625156540423631668090820312500" + zeros(800),
    "",
    "-",
    "+1",
    "--1",
    ".",
    "-.",
    "e5",
    ".e5",
    " 1",
    "x1",
    "1e",
    "1e+",
    "1e-",
    "1ex",
    "1.e5",
    "1.5.5",
    "1,5",
    "1e5e5",
    "1e5.5",
    "1E5",
    "1e+5",
    "1x",
    "1 ",
    "0x10",
    "1_000"};

template <class F>
void for_each_hard(F f) {
  for (const std::string& text : hard)
    for (const std::string& each : {text, "-" + text, text + "e-5", text + "1"}) f(each);
}

}  // namespace

TEST_CASE("decimal: numbers are read without from_chars, to the bit") {
  CHECK(read<double>("9007199254740993") ==
        Read{16, std::errc(), std::bit_cast<std::uint64_t>(9007199254740992.0)});
  CHECK(read<double>("-2.2250738585072011e-308x") == Read{24, std::errc(), 0x800fffffffffffffu});
  CHECK(read<double>("5e-324") == Read{6, std::errc(), 1});
  CHECK(read<float>("16777217.0000000000000000000000001") ==
        Read{34, std::errc(), std::bit_cast<std::uint64_t>(16777218.0)});
  CHECK(read<float>("1e39") ==
        Read{4, std::errc::result_out_of_range, std::bit_cast<std::uint64_t>(17.0)});
  CHECK(read<float>("+1") ==
        Read{0, std::errc::invalid_argument, std::bit_cast<std::uint64_t>(17.0)});
  CHECK(read<float>("-.e5").error == std::errc::invalid_argument);
  CHECK(read<double>("1e+").length == 1);
  // Numbers as they are written read back.
  plait::Random random(1);
  for (int i = 0; i < 20000; ++i) {
    const auto number = std::bit_cast<double>(random.bits());
    if (!std::isfinite(number)) continue;
    double back = 0;
    const std::string text = plait::csv_number(number);
    const auto [after, error] = plait::detail::parse_decimal_by_strtod(text, back);
    const bool same = std::bit_cast<std::uint64_t>(back) == std::bit_cast<std::uint64_t>(number);
    if (!same || error != std::errc() || after != text.data() + text.size()) FAIL_CHECK(text);
  }
}

TEST_CASE("decimal: hard cases give the same everywhere: these are from_chars's of libstdc++ 12") {
  Digest digest;
  for_each_hard([&](const std::string& text) {
    digest.add(read<float>(text));
    digest.add(read<double>(text));
  });
  CHECK(digest.value() == 0xbf868d1859a86648u);
}

#ifdef __cpp_lib_to_chars
TEST_CASE("decimal: hard cases are read as from_chars reads them, end, error and bits") {
  for_each_hard(check_same);
}

TEST_CASE("decimal: random digits are read as from_chars reads them") {
  plait::Random random(2);
  const auto below = [&](std::uint64_t n) { return random.bits() % n; };
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (std::uint64_t digits = below(30); digits > 0; --digits)
      text += static_cast<char>('0' + below(10));
    text.insert(below(text.size() + 1), below(2) == 0 ? "." : "");
    if (below(4) != 0) {
      text += "e-";
      text += std::to_string(below(360));
    }
    check_same(text);
  }
}
#endif

TEST_CASE("decimal: a comma for a point in the C library's locale changes nothing") {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  bool found = false;
  for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "de_DE", "German_Germany", "fr_FR.UTF-8"})
    found = found ||
            (std::setlocale(LC_ALL, name) != nullptr && *std::localeconv()->decimal_point == ',');
  const Read point = read<double>("-12.75e-1");
  const Read comma = read<double>("1,5");
  std::setlocale(LC_ALL, before.c_str());
  if (!found) WARN("no locale with a comma for a point is installed");
  CHECK(point == Read{9, std::errc(), std::bit_cast<std::uint64_t>(-1.275)});
  CHECK(comma.length == 1);
}
