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
        user();
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
    refuse_common_values();
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

  void user() {
    const auto where = [] { return std::string("user"); };
    require(interface_.takes_raw() ? Kind::object : Kind::array, where);
    if (!interface_.takes_raw()) return features(request_.user, interface_.user_features, where);
    raw_values(request_.raw_user, where);
  }

  void candidates() {
    require(Kind::array, [] { return "candidates"; });
    json_.array([&] {
      const auto row = [&] { return text("candidates[", request_.rows, "]"); };
      require(interface_.takes_raw() ? Kind::object : Kind::array, row);
      if (request_.rows == max_rows_)
        throw RequestError(
            413, text("candidates: got more than ", max_rows_, ", expected at most ", max_rows_));
      if (interface_.takes_raw()) {
        request_.raw_candidates.begin_row();
        raw_values(request_.raw_candidates, row);
      } else {
        features(request_.candidates, interface_.candidate_features, row);
      }
      ++request_.rows;
    });
  }

  // An object of values by name, to the last of `rows`.
  template <class Where>
  void raw_values(plait::RawRows& rows, const Where& where) {
    named_.assign(interface_.raw.size(), false);
    json_.object([&](const std::string& name) {
      const auto column = std::ranges::lower_bound(interface_.raw, name, {}, &RawColumn::name);
      if (column == interface_.raw.end() || column->name != name)
        reject(where(), quoted(name), "names of the model's columns");
      const auto c = static_cast<std::size_t>(column - interface_.raw.begin());
      if (column->is_user && &rows != &request_.raw_user)
        reject(where(), quoted(name), "it in user: it is the same for all candidates");
      if (named_[c]) reject(where(), quoted(name) + " twice", "it once");
      named_[c] = true;
      raw_value(rows, c, [&] { return where() + '.' + name; });
    });
  }

  template <class Where>
  void raw_value(plait::RawRows& rows, std::size_t column, const Where& where) {
    switch (const Kind kind = json_.kind()) {
      case Kind::null:
        return json_.read_null();
      case Kind::object:
        reject(where(), describe(kind), "a text, a number, or a list of them");
      case Kind::array:
        break;
      default:
        return scalar(kind, where, [&](std::string_view value) { rows.set(column, value); });
    }
    rows.begin_list(column);
    Index items = 0;
    json_.array([&] {
      const auto item = [&] { return text(where(), '[', items, ']'); };
      const Kind kind = json_.kind();
      if (kind == Kind::object || kind == Kind::array)
        reject(item(), describe(kind), "a text or a number");
      if (++items_ > most_items)
        throw RequestError(413, text(item(), ": got more than ", most_items,
                                     " items of lists, expected at most ", most_items));
      if (kind == Kind::null)
        json_.read_null();
      else
        scalar(kind, item, [&](std::string_view value) { rows.add_item(value); });
      ++items;
    });
  }

  // Gives use() the text of a string, a number or a boolean.
  template <class Where, class Use>
  void scalar(Kind kind, const Where& where, const Use& use) {
    if (kind == Kind::boolean) return use(json_.read_boolean() ? "true" : "false");
    if (kind == Kind::number) {
      const std::string digits = json_.read_number_text();
      if (digits.empty()) reject(where(), "a number beyond double's range", "a number");
      return use(digits);
    }
    const std::string_view value = json_.read_string();
    if (value.size() > most_text)
      throw RequestError(413, text(where(), ": got a text of ", value.size(),
                                   " bytes, expected at most ", most_text));
    use(value);
  }

  // What user has, no candidate may have, whichever comes first.
  void refuse_common_values() const {
    for (std::size_t c = 0; c < interface_.raw.size(); ++c)
      for (Index b = 0; request_.raw_user.has(0, c) && b < request_.rows; ++b)
        if (request_.raw_candidates.has(b, c))
          reject(text("candidates[", b, "]"), quoted(interface_.raw[c].name),
                 "it once: user has it for all candidates");
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
  std::size_t items_ = 0;    // of all lists
  std::vector<bool> named_;  // [raw columns], in the object that is read
};

}  // namespace

void parse_request(std::string_view body, const Interface& interface, Index max_rows,
                   Request& request) {
  request.user.clear();
  request.candidates.clear();
  request.rows = 0;
  request.weights.clear();
  for (plait::RawRows* rows : {&request.raw_user, &request.raw_candidates}) {
    if (rows->columns() != interface.raw.size()) *rows = plait::RawRows(interface.raw.size());
    rows->clear();
  }
  request.raw_user.begin_row();
  try {
    Parser(body, interface, max_rows, request).parse();
  } catch (const JsonError& error) {
    throw RequestError(400, text("body: got ", error.what(), ", expected a JSON object"));
  }
}

}  // namespace service
