#include "format.hpp"

#include <limits>

#include "support/catch.hpp"
#include "terminal.hpp"

TEST_CASE("format: numbers for people") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(ranker::fixed(0.12345, 4) == "0.1235");
  CHECK(ranker::fixed(nan, 4) == "-");
  CHECK(ranker::signed_fixed(1.5, 2) == "+1.50");
  CHECK(ranker::signed_fixed(-0.25, 2) == "-0.25");
  CHECK(ranker::grouped(0) == "0");
  CHECK(ranker::grouped(999) == "999");
  CHECK(ranker::grouped(1000) == "1,000");
  CHECK(ranker::grouped(-123456) == "-123,456");
  CHECK(ranker::grouped(1234567) == "1,234,567");
}

TEST_CASE("format: durations") {
  CHECK(ranker::duration(0) == "0:00");
  CHECK(ranker::duration(59.4) == "0:59");
  CHECK(ranker::duration(59.6) == "1:00");
  CHECK(ranker::duration(3600) == "1:00:00");
  CHECK(ranker::duration(3725) == "1:02:05");
  CHECK(ranker::duration(1e300) == "99:59:59");
}

TEST_CASE("format: numbers too large for decimals keep their digits") {
  CHECK(ranker::fixed(99999999.0, 4) == "99999999.0000");
  CHECK(ranker::fixed(117755179678608.36, 4) == "1.1776e+14");
  CHECK(ranker::signed_fixed(4.5e34, 4) == "+4.5e+34");
  CHECK(ranker::signed_fixed(-4.5e34, 4) == "-4.5e+34");
}

TEST_CASE("format: texts are broken at spaces") {
  CHECK(ranker::wrapped("a bc def", 80) == "a bc def\n");
  CHECK(ranker::wrapped("a bc def", 8) == "a bc def\n");
  CHECK(ranker::wrapped("a bc def", 7) == "a bc\ndef\n");
  CHECK(ranker::wrapped("a bc def", 1) == "a\nbc\ndef\n");
  CHECK(ranker::wrapped("0.9 ± 0.1", 9) == "0.9 ± 0.1\n");
  CHECK(ranker::wrapped("", 9) == "\n");
}

TEST_CASE("format: which locales have more than ASCII") {
  CHECK(ranker::is_utf8(nullptr, nullptr, "en_US.UTF-8"));
  CHECK(ranker::is_utf8("", "C.utf8", "C"));
  CHECK(ranker::is_utf8("de_DE.UTF-8@euro", nullptr, nullptr));
  CHECK_FALSE(ranker::is_utf8("C", nullptr, "en_US.UTF-8"));
  CHECK_FALSE(ranker::is_utf8(nullptr, nullptr, nullptr));
  CHECK_FALSE(ranker::is_utf8(nullptr, "de_DE@euro", "en_US.UTF-8"));
  CHECK_FALSE(ranker::is_utf8(nullptr, nullptr, "POSIX"));
}
