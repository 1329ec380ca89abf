// Errors: their texts and their types.
#include "plait/core/error.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>

#include "support/catch.hpp"

TEST_CASE("an error names where, which argument, what was got and what was expected", "[error]") {
  const plait::ShapeError error("Towers", "x", plait::text("[", 2, ", ", 3, "]"), "[batch, 4]");
  CHECK(error.what() == std::string("plait::Towers: x: got [2, 3], expected [batch, 4]"));
}

TEST_CASE("text() joins its arguments", "[error]") {
  const auto check = [](const auto&... parts) {
    std::ostringstream stream;
    (stream << ... << parts);
    CHECK(plait::text(parts...) == stream.str());
  };
  check("words, ", std::string("a string, "), std::string_view("a view, "), 'c', true);
  check(0, ' ', -1, ' ', (std::numeric_limits<std::int64_t>::min)(), ' ',
        (std::numeric_limits<std::uint64_t>::max)(), ' ', short{-7}, ' ', 8u);
  check(0.1f, ' ', 0.1, ' ', 1.0, ' ', -2.5e-300, ' ', 1e6, ' ', 100000.0f);
  check(-std::numeric_limits<double>::infinity(), ' ', std::numeric_limits<float>::quiet_NaN());
  CHECK(plait::text().empty());
}

TEST_CASE("text() tells every number from its neighbours, in its own type", "[error]") {
  CHECK(plait::text(std::nextafter(1.0f, 2.0f)) == "1.0000001");
  CHECK(plait::text(std::nextafter(1.0, 2.0)) == "1.0000000000000002");
  CHECK(plait::text(std::nextafter(0.1f, 1.0f)) == "0.10000001");
  CHECK(plait::text(16777217.0) == "1.6777217e+07");
  CHECK(plait::text((std::numeric_limits<double>::lowest)()) == "-1.7976931348623157e+308");
  CHECK(plait::text(-std::numeric_limits<double>::denorm_min()) == "-5e-324");
  CHECK(plait::text(-(std::numeric_limits<float>::min)()) == "-1.1754944e-38");
  CHECK(plait::text(-std::numeric_limits<double>::quiet_NaN()) == "nan");
#ifndef _LIBCPP_VERSION  // its to_chars takes a long double for a double
  CHECK(plait::text((std::numeric_limits<long double>::max)()).size() > 5);
#endif
  for (const double number : {1.0 / 3, 2e-5 / 7, 1e300 / 3, 12345678.9, -0.00012345678901234567}) {
    CHECK(std::stod(plait::text(number)) == number);
    CHECK(std::stof(plait::text(static_cast<float>(number) / 3)) == static_cast<float>(number) / 3);
  }
}

TEST_CASE("an error shows what it names: nothing steers a terminal, hides or goes on for ever",
          "[error]") {
  const auto got = [](const std::string& words) {
    const std::string what = plait::ConfigError("Head", "name", words, "another").what();
    const std::string before = "plait::Head: name: got ", after = ", expected another";
    REQUIRE(what.size() >= before.size() + after.size());
    return what.substr(before.size(), what.size() - before.size() - after.size());
  };
  CHECK(got("a\nb\r\tc") == "a\\x0ab\\x0d\\x09c");
  CHECK(got("\x1b[2J\x1b]0;t\x07") == "\\x1b[2J\\x1b]0;t\\x07");
  CHECK(got(std::string("a\0b\x7f", 4)) == "a\\x00b\\x7f");
  CHECK(got("\xef\xbb\xbf"
            "1") == "\\xef\\xbb\\xbf1");  // a byte order mark
  CHECK(got("\xe2\x80\xae"
            "evil") == "\\xe2\\x80\\xaeevil");  // right to left
  CHECK(got("\xc2\x9b"
            "31m") == "\\xc2\\x9b31m");             // ESC [ in one character
  CHECK(got("\xff\xc0\x80\xed\xa0\x80\xe2\x82") ==  // no UTF-8
        "\\xff\\xc0\\x80\\xed\\xa0\\x80\\xe2\\x82");
  CHECK(got("cl\xc3\xaf"
            "ck \xe6\x97\xa5 \xf0\x9f\x98\x80") ==
        "cl\xc3\xaf"
        "ck \xe6\x97\xa5 \xf0\x9f\x98\x80");
  CHECK(got(std::string(4000, 'x')) == std::string(4000, 'x'));
  CHECK(got(std::string(1'000'000, 'x')) == std::string(4000, 'x') + "...");
  CHECK(got(std::string(3999, 'x') + "\xc3\xaf") == std::string(3999, 'x') + "...");
  CHECK(plait::in_quotes("a\nb") == "'a\\x0ab'");
  CHECK(plait::in_quotes(std::string(101, 'n')) == "'" + std::string(100, 'n') + "...'");

  const plait::ValueError everywhere("a\n", "b\n", "c\n", "d\n");
  CHECK(everywhere.what() == std::string("plait::a\\x0a: b\\x0a: got c\\x0a, expected d\\x0a"));
}

TEST_CASE("require_config throws only when the condition fails", "[error]") {
  CHECK_NOTHROW(plait::require_config(true, "AdaTT", "levels", "1 level", "at least one"));
  CHECK_THROWS_AS(plait::require_config(false, "AdaTT", "levels", "0 levels", "at least one"),
                  plait::ConfigError);
  CHECK_THROWS_WITH(plait::require_config(false, "AdaTT", "levels", "0 levels", "at least one"),
                    "plait::AdaTT: levels: got 0 levels, expected at least one");
}

// One base to catch, and kinds that do not catch each other.
static_assert(std::is_base_of_v<std::runtime_error, plait::Error>);
static_assert(std::is_base_of_v<plait::Error, plait::ConfigError>);
static_assert(std::is_base_of_v<plait::Error, plait::ShapeError>);
static_assert(std::is_base_of_v<plait::Error, plait::ValueError>);
static_assert(!std::is_convertible_v<plait::ShapeError*, plait::ValueError*>);
