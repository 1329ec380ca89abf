#include "request.hpp"

#include <limits>

#include "errors.hpp"
#include "refusals.hpp"
#include "support/catch.hpp"

using namespace service;

namespace {

const Interface interface {
  .user_features = 2, .candidate_features = 3, .columns = {"click", "buy"}
};

Request parse(const std::string& body, const Interface& of = interface) {
  return service::parsed(body, of);
}

void check_refused(const std::string& body, int status, const std::string& what) {
  service::check_refused(body, interface, status, what);
}

}  // namespace

TEST_CASE("a request becomes its numbers") {
  const Request request =
      parse(R"( {"candidates": [[1, -2.5, 3e-1], [0, 16777216, 18446744073709551616]],
                                     "user": [0.1, 7], "weights": {"buy": 0.5}} )");
  CHECK(request.user == std::vector<float>{0.1f, 7});
  CHECK(request.candidates ==
        std::vector<float>{1, -2.5f, 0.3f, 0, 16777216, 18446744073709551616.f});
  CHECK(request.rows == 2);
  CHECK(request.weights == std::vector<double>{0, 0.5});
}

TEST_CASE(
    "a request may have no candidates, no weights and no user where there are no user features") {
  const Request request =
      parse(R"({"candidates": []})", {.user_features = 0, .candidate_features = 3, .columns = {}});
  CHECK(request.rows == 0);
  CHECK(request.user.empty());
  CHECK(request.weights.empty());
}

TEST_CASE("a request leaves nothing to the next one") {
  Request request;
  parse_request(R"({"user":[1,2],"candidates":[[1,2,3]],"weights":{"click":2}})", interface, 4,
                request);
  CHECK_THROWS(parse_request(R"({"user":[1,2],"candidates":[[1,2,)", interface, 4, request));
  parse_request(R"({"user":[3,4],"candidates":[[4,5,6]]})", interface, 4, request);
  CHECK(request.user == std::vector<float>{3, 4});
  CHECK(request.candidates == std::vector<float>{4, 5, 6});
  CHECK(request.weights.empty());
}

TEST_CASE("what is no JSON is refused with its place") {
  const auto refused = [](const std::string& body, int byte) {
    check_refused(body, 400,
                  "body: got no JSON at byte " + std::to_string(byte) + ", expected a JSON object");
  };
  refused("", 1);
  refused("{", 2);
  refused(R"({"user":[NaN,1]})", 10);
  refused(R"({"user":[1,2],"candidates":[[1,2,3]]} x)", 39);
  refused(R"({"user":[1,2],"candidates":[[1,2,3)", 35);
}

TEST_CASE("numbers are JSON's, and nothing else is") {
  const auto number = [](const std::string& text) {
    return parse(R"({"user":[0,)" + text + R"(],"candidates":[]})").user[1];
  };
  CHECK(number("-0") == 0);
  CHECK(number("1E+2") == 100);
  CHECK(number("16777217") == 16777216);  // the nearest even float
  CHECK(number("1e-60") == 0);
  CHECK(number("0." + std::string(500, '0') + "1") == 0);
  CHECK(number("1e-40") == 1e-40f);
  CHECK(number("3.4028235e38") == std::numeric_limits<float>::max());
  for (const char* text :
       {"01", "1.", ".5", "+1", "0x1", "1e", "--1", "inf", "nan", "1_0", "- 1"}) {
    INFO(text);
    CHECK_THROWS_WITH(number(text), Catch::Matchers::StartsWith("body: got no JSON at byte 1"));
  }
}

TEST_CASE("JSON that is no request is refused with the place, what was got and what was expected") {
  const auto refused = [](const std::string& body, const std::string& what) {
    check_refused(body, 422, what);
  };
  const std::string user = R"({"user":[1,2],)";
  const std::string good = user + R"("candidates":[[1,2,3]],)";
  refused("[]", "request: got an array, expected an object");
  refused("7", "request: got a number, expected an object");
  refused("{}", "request: got no candidates, expected an array of them");
  refused(R"({"users":[]})", "request: got 'users', expected user, candidates and weights");
  refused(good + R"("user":[1,2]})", "request: got 'user' twice, expected it once");
  refused(R"({"candidates":[]})", "user: got 0 features, expected 2");
  refused(R"({"user":[1],"candidates":[]})", "user: got 1 features, expected 2");
  refused(R"({"user":[1,2,3],"candidates":[]})", "user: got more than 2 features, expected 2");
  refused(R"({"user":5})", "user: got a number, expected an array");
  refused(R"({"user":{}})", "user: got an object, expected an array");
  refused(R"({"user":[1,null]})", "user[1]: got null, expected a number");
  refused(R"({"user":[[1]]})", "user[0]: got an array, expected a number");
  refused(R"({"user":["1"]})", "user[0]: got a string, expected a number");
  refused(R"({"user":[1e39,1]})", "user[0]: got a number beyond float's range, expected a number");
  refused(R"({"user":[1e999,1]})", "user[0]: got a number beyond float's range, expected a number");
  refused(user + R"("candidates":null})", "candidates: got null, expected an array");
  refused(user + R"("candidates":[1]})", "candidates[0]: got a number, expected an array");
  refused(user + R"("candidates":[[1,2,3],{}]})",
          "candidates[1]: got an object, expected an array");
  refused(user + R"("candidates":[[1,2,3],[1,2]]})", "candidates[1]: got 2 features, expected 3");
  refused(user + R"("candidates":[[1,2,3,4]]})",
          "candidates[0]: got more than 3 features, expected 3");
  refused(user + R"("candidates":[[1,2,3],[1,true,3]]})",
          "candidates[1][1]: got a boolean, expected a number");
  refused(user + R"("candidates":[[1,2,[3]]]})",
          "candidates[0][2]: got an array, expected a number");
  refused(good + R"("weights":[]})", "weights: got an array, expected an object");
  refused(good + R"("weights":{"like":1}})", "weights: got 'like', expected names of scores");
  refused(good + R"("weights":{"buy":1,"buy":2}})", "weights: got 'buy' twice, expected it once");
  refused(good + R"("weights":{"buy":"1"}})", "weights.buy: got a string, expected a number");
  refused(good + R"("weights":{"buy":-20,"click":20}})",
          "weights: got weights that are too large, expected weights whose magnitudes add up to at "
          "most 32");
  check_refused(user + R"("candidates":[[1,2,3],[1,2,3],[1,2,3],[1,2,3],[1,2,3]]})", 413,
                "candidates: got more than 4, expected at most 4");
}

TEST_CASE("a name of the client's is repeated in part") {
  check_refused(
      "{\"" + std::string(5000, 'n') + "\":1}", 422,
      "request: got '" + std::string(64, 'n') + "...', expected user, candidates and weights");
}

TEST_CASE("depth costs nothing") {
  check_refused(std::string(1 << 20, '['), 422, "request: got an array, expected an object");
  check_refused(R"({"candidates":)" + std::string(1 << 20, '['), 422,
                "candidates[0][0]: got an array, expected a number");
}
