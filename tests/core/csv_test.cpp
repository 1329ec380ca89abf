// Fields of CSV files.
#include "plait/core/csv.hpp"

#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "support/catch.hpp"

using plait::csv_number;
using plait::csv_text;

namespace {

std::optional<float> number(const std::string& field) {
  return plait::parse_csv_number<float>(field);
}

}  // namespace

TEST_CASE("csv: numbers are read as written, the nearest of their type") {
  CHECK(number("0.1") == 0.1f);
  CHECK(number("-1e-3") == -1e-3f);
  CHECK(number("+1") == 1);
  CHECK(number("+.5e+1") == 5);
  CHECK(number("1e-40") == 1e-40f);  // a subnormal number
  CHECK(number("8e-46") == std::numeric_limits<float>::denorm_min());
  CHECK(number("3.4028235e38") == (std::numeric_limits<float>::max)());
  CHECK(plait::parse_csv_number<double>("1e-46") == 1e-46);
}

TEST_CASE("csv: numbers below the type's range are 0, of their sign") {
  for (const char* field :
       {"1e-46", "1e-400", "1e-99999999999999999999", "0.1e-45", "123e-60",
        "0.00000000000000000000000000000000000000000000000000000001", "+1e-46"}) {
    CAPTURE(field);
    CHECK(number(field) == 0);
    CHECK_FALSE(std::signbit(number(field).value_or(-1)));
    CHECK(number("-" + std::string(field).substr(*field == '+' ? 1 : 0)) == 0);
  }
  CHECK(std::signbit(number("-1e-46").value_or(1)));
  CHECK(plait::parse_csv_number<double>("4e-325") == 0);
}

TEST_CASE("csv: what is no finite number is none") {
  for (const char* field : {"",
                            "+",
                            "-",
                            "+-1",
                            "++1",
                            "1x",
                            "x1",
                            " 1",
                            "1 ",
                            "1e",
                            "nan",
                            "-nan",
                            "inf",
                            "-inf",
                            "1e39",
                            "-1e39",
                            "1e999",
                            "1e99999999999999999999",
                            "1000000000000000000000000000000000000000",
                            "0x1p3",
                            "1,5",
                            "\xef\xbb\xbf"
                            "1"}) {
    CAPTURE(field);
    CHECK_FALSE(number(field));
  }
}

TEST_CASE("csv: numbers are written in the fewest digits of their type, NaN without a sign") {
  CHECK(csv_number(0.1f) == "0.1");
  CHECK(csv_number(0.1) == "0.1");
  CHECK(csv_number(std::nextafter(0.1f, 1.0f)) == "0.10000001");
  CHECK(csv_number(-std::numeric_limits<float>::quiet_NaN()) == "nan");
  CHECK(csv_number(std::numeric_limits<double>::quiet_NaN()) == "nan");
  CHECK(csv_number(-std::numeric_limits<float>::infinity()) == "-inf");
}

TEST_CASE("csv: texts are quoted where they would end a field or a line") {
  CHECK(csv_text("click") == "click");
  CHECK(csv_text("") == "");
  CHECK(csv_text("click,like") == "\"click,like\"");
  CHECK(csv_text("a\"b") == "\"a\"\"b\"");
  CHECK(csv_text("a\nb") == "\"a\nb\"");
  CHECK(csv_text("a\rb") == "\"a\rb\"");
  CHECK(csv_text(" a") == "\" a\"");
  CHECK(csv_text("a b; c") == "a b; c");
}
