// Requests of raw rows: what of JSON becomes which values, and what is refused.
#include <sstream>
#include <string>
#include <vector>

#include "errors.hpp"
#include "json_reader.hpp"
#include "plait/io/json_lines_reader.hpp"
#include "refusals.hpp"
#include "request.hpp"
#include "support/catch.hpp"

using namespace service;

namespace {

const Interface interface {
  .columns = {"click", "buy"},
  .raw = {{"age", true}, {"item_id", false}, {"tags", false}, {"user_id", true}}
};

Request parse(const std::string& body) { return service::parsed(body, interface); }

std::vector<std::string> texts(const plait::RawValue& value) {
  if (value.is_text()) return {"text", std::string(value.text())};
  if (value.is_missing()) return {"missing"};
  std::vector<std::string> list{"list"};
  for (const std::string_view item : value.list()) list.emplace_back(item);
  return list;
}
using Texts = std::vector<std::string>;

void check_refused(const std::string& body, int status, const std::string& what) {
  service::check_refused(body, interface, status, what);
}

}  // namespace

TEST_CASE("raw values come by name, in any order, and what is not there is missing") {
  Request request = parse(R"({"candidates": [{"tags": ["a", 1.50, true, null, "b\u00e4"],
      "item_id": 7}, {}, {"tags": [], "item_id": null}], "weights": {"buy": 2},
      "user": {"user_id": "u\n7", "age": 31}})");
  REQUIRE(request.rows == 3);
  CHECK(request.weights == std::vector<double>{0, 2});
  auto user = request.raw_user.row(0);
  CHECK(texts(user[0]) == Texts{"text", "31"});
  CHECK(texts(user[1]) == Texts{"missing"});
  CHECK(texts(user[3]) == Texts{"text", "u\n7"});
  auto row = request.raw_candidates.row(0);
  CHECK(texts(row[1]) == Texts{"text", "7"});
  CHECK(texts(row[2]) == Texts{"list", "a", "1.5", "true", "b\xc3\xa4"});
  CHECK(texts(row[3]) == Texts{"missing"});
  row = request.raw_candidates.row(1);
  for (const plait::RawValue& value : row) CHECK(value.is_missing());
  row = request.raw_candidates.row(2);
  CHECK(texts(row[1]) == Texts{"missing"});
  CHECK(texts(row[2]) == Texts{"list"});

  parse_request(R"({"candidates": [{"tags": "a|b"}]})", interface, 4, request);  // of one before
  CHECK(request.rows == 1);
  CHECK(request.raw_user.row(0)[0].is_missing());
  CHECK(texts(request.raw_candidates.row(0)[2]) == Texts{"text", "a|b"});
}

TEST_CASE("a number becomes the text that it is when training reads JSON lines") {
  for (const char* number : {"0",
                             "-0",
                             "7",
                             "-12",
                             "007e0",
                             "1.50",
                             "1.5e0",
                             "-0.0",
                             "1e3",
                             "1E-3",
                             "123456789.125",
                             "18446744073709551615",
                             "18446744073709551616",
                             "-9223372036854775808",
                             "-9223372036854775809",
                             "1e21",
                             "0.1",
                             "100000000000000000000000",
                             "5e-324",
                             "1e-400",
                             "1e400",
                             "-1e400",
                             "1.",
                             "01",
                             "+1"}) {
    INFO(number);
    std::string expected = "refused";
    try {
      std::istringstream stream(std::string("{\"x\": ") + number + "}");
      plait::JsonLinesReader reader(stream, "rows", {"x"});
      reader.next();
      expected = std::string(reader.row()[0].text());
    } catch (const plait::FormatError&) {
    }
    std::string got = "refused";
    try {
      Request request =
          parse(std::string(R"({"user": {"age": )") + number + R"(}, "candidates": []})");
      got = std::string(request.raw_user.row(0)[0].text());
    } catch (const RequestError&) {
    }
    CHECK(got == expected);
  }
}

TEST_CASE("raw values that no request has are refused with their place") {
  const auto refused = [](const std::string& body, const std::string& what) {
    check_refused(body, 422, what);
  };
  refused(R"({"user": []})", "user: got an array, expected an object");
  refused(R"({"candidates": [[1]]})", "candidates[0]: got an array, expected an object");
  refused(R"({"candidates": [{}, 1]})", "candidates[1]: got a number, expected an object");
  refused(R"({"candidates": {}})", "candidates: got an object, expected an array");
  refused(R"({"user": {"name": 1}})", "user: got 'name', expected names of the model's columns");
  refused(R"({"candidates": [{"price": 1}]})",
          "candidates[0]: got 'price', expected names of the model's columns");
  refused(R"({"candidates": [{"user_id": 1}]})",
          "candidates[0]: got 'user_id', expected it in user: it is the same for all candidates");
  refused(R"({"candidates": [{"item_id": 1, "item_id": 1}]})",
          "candidates[0]: got 'item_id' twice, expected it once");
  for (const char* values :
       {R"("item_id": null, "item_id": 1)", R"("item_id": 1, "item_id": null)"})
    check_refused(R"({"candidates": [{)" + std::string(values) + "}]}", 422,
                  "candidates[0]: got 'item_id' twice, expected it once");
  refused(R"({"candidates": [{}, {"tags": "a"}], "user": {"tags": []}})",
          "candidates[1]: got 'tags', expected it once: user has it for all candidates");
  refused(R"({"candidates": [{"tags": {"a": 1}}]})",
          "candidates[0].tags: got an object, expected a text, a number, or a list of them");
  refused(R"({"candidates": [{"tags": ["a", ["b"]]}]})",
          "candidates[0].tags[1]: got an array, expected a text or a number");
  refused(R"({"candidates": [{"tags": [{}]}]})",
          "candidates[0].tags[0]: got an object, expected a text or a number");
  refused(R"({"user": {"age": 1e400}})",
          "user.age: got a number beyond double's range, expected a number");
  refused(R"({"candidates": [{"tags": [1, -1e999]}]})",
          "candidates[0].tags[1]: got a number beyond double's range, expected a number");
  refused("{}", "request: got no candidates, expected an array of them");
}

TEST_CASE("raw values take no more than they may") {
  check_refused(R"({"candidates": [{},{},{},{},{}]})", 413,
                "candidates: got more than 4, expected at most 4");
  const std::string text(most_text, 'x');
  CHECK(parse(R"({"user": {"user_id": ")" + text + R"("}, "candidates": []})")
            .raw_user.row(0)[3]
            .text() == text);
  check_refused(R"({"user": {"user_id": "x)" + text + R"("}, "candidates": []})", 413,
                "user.user_id: got a text of 65537 bytes, expected at most 65536");
  std::string items = "\"\"";
  for (std::size_t i = 1; i < most_items; ++i) items += ",null";
  CHECK(parse(R"({"candidates": [{"tags": [)" + items + "]}]}").rows == 1);
  check_refused(R"({"candidates": [{"tags": [)" + items + R"(]}, {"tags": ["x"]}]})", 413,
                "candidates[1].tags[0]: got more than 262144 items of lists, expected at most "
                "262144");
}

TEST_CASE("raw values that are no JSON are refused, whatever is in them") {
  const auto refused = [](const std::string& body) {
    CHECK_THROWS_WITH(parse(body), Catch::Matchers::StartsWith("body: got no JSON at byte "));
  };
  refused("{\"user\": {\"user_id\": \"\xff\"}}");
  refused("{\"user\": {\"user_id\": \"\xed\xa0\x80\"}}");
  refused("{\"user\": {\"user\xc3\": 1}}");
  refused(R"({"user": {"user_id": "\ud800"}})");
  refused(R"({"user": {"user_id": "\x"}})");
  refused("{\"user\": {\"user_id\": \"a\nb\"}}");
  refused(R"({"user": {"user_id": "a)");
  refused(R"({"user": {"user_id": "a\)");
  refused(R"({"user": {"user_id": "a\")");
  refused(R"({"user": {"user_id")");
  refused(R"({"user": {"user_id": tru}})");
  refused(R"({"candidates": [{"tags": [nul]}]})");
  check_refused(R"({"candidates": [{"tags": )" + std::string(1 << 20, '[') + "]}]}", 422,
                "candidates[0].tags[0]: got an array, expected a text or a number");
}
