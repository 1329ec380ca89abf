#include "json_reader.hpp"

#include <bit>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "plait/core/random.hpp"
#include "support/catch.hpp"

using service::JsonError;
using service::JsonReader;

namespace {

std::uint32_t bits(float value) { return std::bit_cast<std::uint32_t>(value); }

// The number alone and as an element, by a list's end and by more text.
void check_nearest(const std::string& text) {
  INFO(text);
  const float expected = std::strtof(text.c_str(), nullptr);
  JsonReader alone(text);
  CHECK(bits(alone.read_float()) == bits(expected));
  CHECK_NOTHROW(alone.finish());
  const std::string list = "[" + text + "," + text + " ]";
  JsonReader reader(list);
  int count = 0;
  reader.array([&] {
    CHECK(bits(reader.read_float()) == bits(expected));
    ++count;
  });
  CHECK(count == 2);
  CHECK_NOTHROW(reader.finish());
}

}  // namespace

TEST_CASE("a float is the nearest to its text") {
  for (const char* text : {"0",           "-0",         "0.0",          "-0.0",
                           "-0.00",       "1",          "-1",           "0.1",
                           "-0.1",        "0.3",        "16777216.5",   "16777217.0",
                           "1677721.7",   "-1677721.9", "9999999.9",    "0.0000001",
                           "-0.000001",   "123456789",  "1234567.25",   "0.12345678",
                           "0.123456789", "1e3",        "1.5e3",        "-2.5E-2",
                           "1.5e+38",     "1e-46",      "3.4028236e38", "0.30000001192092896",
                           "2147483648",  "4294967295", "9999999999",   "9999999999.5",
                           "-3000000000"})
    check_nearest(text);
  plait::Random random(5);
  for (int i = 0; i < 20000; ++i) {
    std::string text = random.uniform() < 0.5 ? "-" : "";
    const auto digits = [&](double most) {
      for (auto n = 1 + static_cast<int>(most * random.uniform()); n > 0; --n)
        text += static_cast<char>('0' + static_cast<int>(10 * random.uniform()));
    };
    const std::string sign = text;
    digits(7);
    while (text.size() > sign.size() + 1 && text[sign.size()] == '0') text.erase(sign.size(), 1);
    if (random.uniform() < 0.9) {
      text += '.';
      digits(8);
    }
    check_nearest(text);
  }
}

TEST_CASE("a text that only begins like a number is refused") {
  for (const char* text : {"", "-", "-.5", ".5", "1.", "-1.", "1.e3", "01.5", "-01.5", "00", "+1.5",
                           "1.5e", "1.5e+", "0x1.5", "1.5.5", "1.5-", "--1.5", "inf", "nan"}) {
    INFO(text);
    JsonReader reader(text);
    CHECK_THROWS_AS((reader.read_float(), reader.finish()), JsonError);
  }
}
