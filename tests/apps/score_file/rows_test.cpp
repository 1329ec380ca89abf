#include "rows.hpp"

#include <sstream>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace {

std::vector<float> read(const std::string& text, plait::Index columns) {
  std::istringstream stream(text);
  scoring::RowReader reader(stream, "rows", columns);
  std::vector<float> numbers;
  while (reader.read(2, numbers) > 0) {
  }
  return numbers;
}

}  // namespace

TEST_CASE("rows: numbers of any size and with any sign are read") {
  CHECK(read("1,2\n", 2) == std::vector<float>{1, 2});
  CHECK(read("1e-46,-1e-60\n\n +1 ,\t-1\r\n", 2) == std::vector<float>{0, 0, 1, -1});
}

TEST_CASE("rows: a byte order mark before the first line is none of its fields") {
  CHECK(read("\xef\xbb\xbf"
             "1,2\n3,4\n",
             2) == std::vector<float>{1, 2, 3, 4});
  CHECK_THROWS_WITH(read("1,2\n\xef\xbb\xbf"
                         "3,4\n",
                         2),
                    "rows:2: column 1: got '\\xef\\xbb\\xbf3', expected a number");
}

TEST_CASE("rows: errors show what they found") {
  CHECK_THROWS_WITH(read("1,\x1b[2J\n", 2), "rows:1: column 2: got '\\x1b[2J', expected a number");
  CHECK_THROWS_WITH(read("1," + std::string(100'000, 'x'), 2),
                    "rows:1: column 2: got '" + std::string(100, 'x') + "...', expected a number");
  for (const char* field : {"", " ", "1e39", "nan", "inf", "1 2", "+-1"}) {
    CAPTURE(field);
    CHECK_THROWS_WITH(read(std::string(field) + ",1\n", 2),
                      "rows:1: column 1: got '" + std::string(field) + "', expected a number");
  }
  CHECK_THROWS_WITH(read("1\n", 2), "rows:1: got 1 columns, expected 2");
}
