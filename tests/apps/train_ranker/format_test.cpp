#include "format.hpp"

#include <limits>

#include "support/catch.hpp"

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
