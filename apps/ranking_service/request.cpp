#include "request.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "errors.hpp"
#include "json_reader.hpp"
#include "plait/core/error.hpp"
#include "rank_score.hpp"

namespace service {
namespace {

using plait::text;
using Kind = JsonReader::Kind;

std::string describe(Kind kind) {
  switch (kind) {
    case Kind::object:
      return "an object";
    case Kind::array:
      return "an array";
    case Kind::string:
      return "a string";
    case Kind::number:
      return "a number";
    case Kind::boolean:
      return "a boolean";
    case Kind::null:
      return "null";
  }
  return "a value";
}

// A name of the sender's.
std::string quoted(const std::string& name) {
  return "'" + (name.size() > 64 ? name.substr(0, 64) + "..." : name) + "'";
}

[[noreturn]] void reject(const std::string& where, const std::string& got,
                         const std::string& expected) {
  throw RequestError(422, where + ": got " + got + ", expected " + expected);
}

class Parser {
 public:
  Parser(std::string_view body, const Interface& interface, Index max_rows, Request& request)
      : json_(body), interface_(interface), max_rows_(max_rows), request_(request) {}

  void parse() {
    bool has_candidates = false;
    bool has_user = false;
    bool has_weights = false;
    const auto once = [](bool& seen, const std::string& name) {
      if (seen) reject("request", quoted(name) + " twice", "it once");
      seen = true;
    };
    require(Kind::object, [] { return "request"; });
    json_.object([&](const std::string& name) {
      if (name == "user") {
        once(has_user, name);
        require(Kind::array, [] { return "user"; });
        features(request_.user, interface_.user_features, [] { return "user"; });
      } else if (name == "candidates") {
        once(has_candidates, name);
        candidates();
      } else if (name == "weights") {
        once(has_weights, name);
        weights();
      } else {
        reject("request", quoted(name), "user, candidates and weights");
      }
    });
    json_.finish();
    if (!has_candidates) reject("request", "no candidates", "an array of them");
    if (std::ssize(request_.user) != interface_.user_features)
      reject("user", text(request_.user.size(), " features"), text(interface_.user_features));
  }

 private:
  // `where` is called to name the value when it is of another kind.
  template <class Where>
  void require(Kind expected, const Where& where) {
    if (const Kind got = json_.kind(); got != expected)
      reject(where(), describe(got), describe(expected));
  }

  // Appends an array of `count` numbers.
  template <class Where>
  void features(std::vector<float>& numbers, Index count, const Where& where) {
    Index got = 0;
    json_.array([&] {
      const auto element = [&] { return text(where(), "[", got, "]"); };
      require(Kind::number, element);
      if (got == count) reject(where(), text("more than ", count, " features"), text(count));
      const float value = json_.read_float();
      if (!std::isfinite(value)) reject(element(), "a number beyond float's range", "a number");
      numbers.push_back(value);
      ++got;
    });
    if (got != count) reject(where(), text(got, " features"), text(count));
  }

  void candidates() {
    require(Kind::array, [] { return "candidates"; });
    json_.array([&] {
      const auto row = [&] { return text("candidates[", request_.rows, "]"); };
      require(Kind::array, row);
      if (request_.rows == max_rows_)
        throw RequestError(
            413, text("candidates: got more than ", max_rows_, ", expected at most ", max_rows_));
      features(request_.candidates, interface_.candidate_features, row);
      ++request_.rows;
    });
  }

  void weights() {
    require(Kind::object, [] { return "weights"; });
    request_.weights.assign(interface_.columns.size(), 0.0);
    std::vector<bool> given(interface_.columns.size(), false);
    json_.object([&](const std::string& name) {
      const auto at = std::ranges::find(interface_.columns, name);
      if (at == interface_.columns.end()) reject("weights", quoted(name), "names of scores");
      const auto column = static_cast<std::size_t>(at - interface_.columns.begin());
      if (given[column]) reject("weights", quoted(name) + " twice", "it once");
      given[column] = true;
      require(Kind::number, [&] { return "weights." + name; });
      request_.weights[column] = json_.read_double();
    });
    if (!valid_weights(request_.weights))
      reject("weights", "weights that are too large", valid_weights_text());
  }

  JsonReader json_;
  const Interface& interface_;
  Index max_rows_;
  Request& request_;
};

}  // namespace

void parse_request(std::string_view body, const Interface& interface, Index max_rows,
                   Request& request) {
  request.user.clear();
  request.candidates.clear();
  request.rows = 0;
  request.weights.clear();
  try {
    Parser(body, interface, max_rows, request).parse();
  } catch (const JsonError& error) {
    throw RequestError(400, text("body: got ", error.what(), ", expected a JSON object"));
  }
}

}  // namespace service
