#include "plait/io/json_lines_reader.hpp"

#include <sstream>
#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace plait;

namespace {

using Names = std::vector<std::string>;

// A value as a text that tells what it is.
std::string shown_value(const RawValue& value) {
  if (value.is_missing()) return "-";
  if (value.is_text()) return std::string(value.text());
  std::string result = "[";
  for (const std::string_view item : value.list()) result.append(item).append(" ");
  return result + "]";
}

std::vector<Names> read(const std::string& text, const Names& columns = {},
                        Names* found = nullptr) {
  std::istringstream stream(text);
  JsonLinesReader reader(stream, "rows.jsonl", columns);
  std::vector<Names> rows;
  while (reader.next()) {
    rows.emplace_back();
    for (const RawValue& value : reader.row()) rows.back().push_back(shown_value(value));
  }
  if (found != nullptr) found->assign(reader.columns().begin(), reader.columns().end());
  return rows;
}

std::string error_of(const std::string& text, const Names& columns = {"a"}) {
  try {
    read(text, columns);
  } catch (const FormatError& error) {
    return error.what();
  }
  return "none";
}

using Rows = std::vector<Names>;

}  // namespace

TEST_CASE("json lines: texts, numbers, words, lists and nothing") {
  CHECK(read(R"({"a": "x\n\u00e9", "b": 1, "c": [1, "y", null, true, 2.50]})"
             "\n"
             R"({"b": null, "c": []})"
             "\r\n\n"
             R"({"c": [""], "a": false, "d": {"a": [{"a": 5}]}})",
             {"a", "b", "c"}) ==
        Rows{{"x\n\xc3\xa9", "1", "[1 y true 2.5 ]"}, {"-", "-", "[]"}, {"false", "-", "[ ]"}});
}

TEST_CASE("json lines: numbers keep their digits where they are whole, else have the fewest") {
  CHECK(
      read(
          R"({"a": [1, -1, 0, 18446744073709551615, 184467440737095516150, 1.0, 1.50, 1e2, -0.5]})",
          {"a"}) == Rows{{"[1 -1 0 18446744073709551615 184467440737095516150 1 1.5 100 -0.5 ]"}});
}

TEST_CASE("json lines: columns that are not given are found") {
  Names columns;
  CHECK(read("\xef\xbb\xbf{\"b\": 1}\n{\"a\": 2, \"c\": {\"x\": 1}}\n{\"c\": [[1]], \"b\": 3}\n",
             {}, &columns) == Rows{{"1"}, {"-", "2", "-"}, {"3", "-", "-"}});
  CHECK(columns == Names{"b", "a", "c"});
}

TEST_CASE("json lines: errors name file, line and column") {
  CHECK(error_of("{\"a\": 1}\n{\"a\": 1,}\n") ==
        "plait::rows.jsonl:2: row: got no JSON at byte 9, expected a JSON object");
  CHECK(error_of("{\"a\": {}}") ==
        "plait::rows.jsonl:1: column 'a': got an object, expected a text, a number or a list of "
        "them");
  CHECK(error_of("{\"a\": [[]]}") ==
        "plait::rows.jsonl:1: column 'a': got a list in a list, expected a text, a number or a "
        "list of them");
  CHECK(error_of("{\"a\": 1, \"a\": 1}") ==
        "plait::rows.jsonl:1: column 'a': got it twice, expected it once");
  CHECK(error_of("{\"a\": [], \"a\": 1}") != "none");
  CHECK(error_of("[1]") == "plait::rows.jsonl:1: row: got a list, expected a JSON object");
  CHECK(error_of("1") == "plait::rows.jsonl:1: row: got a value, expected a JSON object");
  CHECK(error_of("{} {}") != "none");
  CHECK(error_of("{\"a\": 1") != "none");
  CHECK(error_of("{\"a\": \"\xff\"}") != "none");
  CHECK(error_of("{\"a\": 1e999}") != "none");
  CHECK(error_of("{\"b\": " + std::string(100'000, '[') + "\n") != "none");
  CHECK(error_of("{\"b\": {\"a\": [1, {\"a\": 2}]}, \"a\": 3}") == "none");
  std::istringstream stream("{}");
  CHECK_THROWS_AS(JsonLinesReader(stream, "x", {"a", "a"}), ConfigError);
  CHECK_THROWS_AS(JsonLinesReader(stream, "x", {}, 0), ConfigError);
}
