#include "plait/io/csv_reader.hpp"

#include <sstream>
#include <string>
#include <vector>

#include "plait/core/random.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/dripping.hpp"

using namespace plait;

namespace {

using Names = std::vector<std::string>;
using Rows = std::vector<Names>;

Rows read(const std::string& text, const CsvOptions& options = {}, Names* columns = nullptr) {
  std::istringstream stream(text);
  CsvReader reader(stream, "rows.csv", options);
  Rows rows;
  while (reader.next()) {
    rows.emplace_back();
    for (const RawValue& value : reader.row()) rows.back().emplace_back(value.text());
  }
  if (columns != nullptr) columns->assign(reader.columns().begin(), reader.columns().end());
  return rows;
}

std::string error_of(const std::string& text, const CsvOptions& options = {}) {
  try {
    read(text, options);
  } catch (const FormatError& error) {
    return error.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("csv: fields, with and without quotes, as RFC 4180 has them") {
  Names columns;
  CHECK(read("a,b\n1,2\n3,\n", {}, &columns) == Rows{{"1", "2"}, {"3", ""}});
  CHECK(columns == Names{"a", "b"});
  CHECK(read("a,b\n\"1\",\"x,\"\"y\"\"\"\n\"\",\"\"\n") == Rows{{"1", "x,\"y\""}, {"", ""}});
  CHECK(read("a,b\n\"1\n2\r\n3\",4\n5,\"6\n\"\n7,8") ==
        Rows{{"1\n2\r\n3", "4"}, {"5", "6\n"}, {"7", "8"}});
  CHECK(read("a,b\nx\"y\",\"z\"\n") == Rows{{"x\"y\"", "z"}});
  CHECK(read("\"a,b\",c\n,\n", {}, &columns) == Rows{{"", ""}});
  CHECK(columns == Names{"a,b", "c"});
  CHECK(read("a\n1\n\n\r\n2\n") == Rows{{"1"}, {"2"}});
}

TEST_CASE("csv: Windows line ends, a byte order mark and no last line end change nothing") {
  const Rows expected{{"1", "2"}, {"3", "4 "}};
  Names columns;
  for (const std::string text : {"a,b\n1,2\n3,4 \n", "a,b\r\n1,2\r\n3,4 \r\n",
                                 "\xef\xbb\xbf"
                                 "a,b\n1,2\n3,4 ",
                                 "\xef\xbb\xbf\"a\",b\r\n\"1\",2\r\n3,\"4 \"\r\n"}) {
    CHECK(read(text, {}, &columns) == expected);
    CHECK(columns == Names{"a", "b"});
  }
  CHECK(read("a,b\n1,\xef\xbb\xbf\n") == Rows{{"1", "\xef\xbb\xbf"}});
}

TEST_CASE("csv: any bytes are a text") {
  const std::string bytes{'\0', '\xff', '\xfe', '\xc3', ' ', '\r', 'x'};
  CHECK(read("a,b\n" + bytes + ",2\n") == Rows{{bytes, "2"}});
}

TEST_CASE("csv: the separator is the one that the first line has most of, or given") {
  Names columns;
  CHECK(read("a;b,c;d\n1;2,5;3\n", {}, &columns) == Rows{{"1", "2,5", "3"}});
  CHECK(read("a\tb c\n1\t2\n", {}, &columns) == Rows{{"1", "2"}});
  CHECK(read("\"a;b;c\",d\n1,2\n", {}, &columns) == Rows{{"1", "2"}});
  CHECK(read("a|b\n1|2\n", {.separator = '|'}) == Rows{{"1", "2"}});
  CHECK(read("1\t\"2\n", {.quote = 0, .columns = {"a", "b"}}, &columns) == Rows{{"1", "\"2"}});
  CHECK(columns == Names{"a", "b"});
}

TEST_CASE("csv: errors name file, line and column") {
  CHECK(error_of("a,b\n1,2\n1,2,3\n") == "plait::rows.csv:3: row: got 3 values, expected 2");
  CHECK(error_of("a,b\n\n\"x\ny\",1\n1\n") == "plait::rows.csv:5: row: got 1 values, expected 2");
  CHECK(error_of("a,b\n1,\"2\n3,4\n") ==
        "plait::rows.csv:2: column 'b': got no closing quote, expected one");
  CHECK(error_of("a,b\n\"1\"2,3\n") ==
        "plait::rows.csv:2: column 'a': got more after the closing quote, expected a separator or "
        "the line's end");
  CHECK(error_of("") == "plait::rows.csv: header: got no line, expected the names of the columns");
  CHECK(error_of("a\n1234567890\n12345678901\n", {.max_line = 10}) ==
        "plait::rows.csv:3: line: got more than 10 bytes, expected fewer");
  CHECK(
      error_of("a\n\"" + std::string(5, '\n') + std::string(10, 'x') + "\"\n", {.max_line = 10}) ==
      "plait::rows.csv:2: line: got more than 10 bytes, expected fewer");
  CHECK(error_of("a\n" + std::string(1'000'000, 'x'), {.max_line = 1000}) ==
        "plait::rows.csv:2: line: got more than 1000 bytes, expected fewer");
  std::istringstream stream("a");
  CHECK_THROWS_AS(CsvReader(stream, "x", {.separator = '"'}), ConfigError);
  CHECK_THROWS_AS(CsvReader(stream, "x", {.separator = '\n'}), ConfigError);
  CHECK_THROWS_AS(CsvReader(stream, "x", {.max_line = 0}), ConfigError);
  stream.setstate(std::ios::failbit);
  CHECK_THROWS_AS(CsvReader(stream, "x"), FileError);
}

TEST_CASE("csv: a line of a megabyte, and of many blocks") {
  const std::string big(1'000'000, 'x');
  CHECK(read("a,b\n" + big + ",1\n\"" + big + "\n" + big + "\",2\n3,4\n") ==
        Rows{{big, "1"}, {big + "\n" + big, "2"}, {"3", "4"}});
}

TEST_CASE("csv: what is written with quotes is read again, however the bytes come") {
  Random random(3);
  const std::string alphabet = "ab,\"\n\r; ";
  for (int repeat = 0; repeat < 300; ++repeat) {
    Rows rows(static_cast<std::size_t>(1 + random.below(8)));
    std::string text = "a,b,c\n";
    for (auto& row : rows) {
      for (int c = 0; c < 3; ++c) {
        std::string value(static_cast<std::size_t>(random.below(6)), ' ');
        for (char& x : value)
          x = alphabet[static_cast<std::size_t>(random.below(std::ssize(alphabet)))];
        const bool plain = value.find_first_of(",\"\r\n") == value.npos;
        std::string quoted = "\"";
        for (const char x : value) quoted.append(x == '"' ? 2 : 1, x);
        text += plain && random.below(2) == 0 ? value : quoted + '"';
        text += c < 2 ? "," : random.below(2) == 0 ? "\n" : "\r\n";
        row.push_back(value);
      }
    }
    REQUIRE(read(text) == rows);
    Dripping drip(text, static_cast<std::size_t>(1 + random.below(5)));
    std::istream stream(&drip);
    CsvReader reader(stream, "x", {.separator = ','});
    for (const auto& row : rows) {
      REQUIRE(reader.next());
      for (std::size_t c = 0; c < 3; ++c) REQUIRE(reader.row()[c].text() == row[c]);
    }
    REQUIRE(!reader.next());
    REQUIRE(!reader.next());
  }
}

TEST_CASE("csv: rows of a size allocate nothing") {
  std::string text = "a,b\n";
  for (int i = 0; i < 100'000; ++i) text += i % 3 == 0 ? "\"x\"\"\n\",22\n" : "1,2\n";
  std::istringstream stream(text);
  CsvReader reader(stream, "x");
  for (int i = 0; i < 10; ++i) reader.next();
  const std::size_t before = allocations::count();
  Index rows = 10;
  while (reader.next()) ++rows;
  CHECK(rows == 100'000);
  CHECK(allocations::count() == before);
}
