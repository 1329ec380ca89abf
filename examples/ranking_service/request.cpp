#include "request.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "errors.hpp"
#include "plait/core/error.hpp"
#include "rank_score.hpp"

namespace service {
namespace {

using plait::text;

// nlohmann's events, as they come.
class Handler {
 public:
  Handler(const Interface& interface, Index max_rows, Request& request)
      : interface_(interface), max_rows_(max_rows), request_(request) {}

  bool null() { refuse("null"); }
  bool boolean(bool value) { refuse(value ? "true" : "false"); }
  bool string(std::string&) { refuse("a string"); }
  bool binary(std::vector<std::uint8_t>&) { refuse("binary data"); }
  bool number_integer(std::int64_t value) { return number(static_cast<double>(value)); }
  bool number_unsigned(std::uint64_t value) { return number(static_cast<double>(value)); }
  bool number_float(double value, const std::string&) { return number(value); }

  bool start_object(std::size_t) {
    if (place_ == Place::start) return enter(Place::request);
    if (place_ == Place::request && member_ == Member::weights) {
      request_.weights.assign(interface_.columns.size(), 0.0);
      given_.assign(interface_.columns.size(), false);
      return enter(Place::weights);
    }
    refuse("an object");
  }
  bool end_object() { return enter(place_ == Place::weights ? Place::request : Place::start); }

  bool start_array(std::size_t) {
    if (place_ == Place::request && member_ == Member::user) return enter(Place::user);
    if (place_ == Place::request && member_ == Member::candidates) return enter(Place::candidates);
    if (place_ == Place::candidates) {
      if (request_.rows == max_rows_)
        throw RequestError(
            413, text("candidates: got more than ", max_rows_, ", expected at most ", max_rows_));
      ++request_.rows;
      row_end_ = request_.candidates.size() + size(interface_.candidate_features);
      return enter(Place::candidate);
    }
    refuse("an array");
  }
  bool end_array() {
    if (place_ == Place::candidate) {
      const std::size_t got =
          request_.candidates.size() + size(interface_.candidate_features) - row_end_;
      if (request_.candidates.size() != row_end_)
        reject(row_name(), text(got, " features"), text(interface_.candidate_features));
      return enter(Place::candidates);
    }
    return enter(Place::request);
  }

  bool key(std::string& name) {
    if (place_ == Place::weights) {
      const auto at = std::ranges::find(interface_.columns, name);
      if (at == interface_.columns.end()) reject("weights", quoted(name), "names of scores");
      column_ = size(at - interface_.columns.begin());
      if (given_[column_]) reject("weights", quoted(name) + " twice", "it once");
      given_[column_] = true;
      return true;
    }
    for (const auto& [member, its_name] : members) {
      if (name != its_name) continue;
      bool& seen = seen_[size(static_cast<int>(member))];
      if (seen) reject("request", quoted(name) + " twice", "it once");
      seen = true;
      member_ = member;
      return true;
    }
    reject("request", quoted(name), "user, candidates and weights");
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception& error) {
    const bool range = error.id == 406;  // a number such as 1e999
    throw RequestError(400, text("body: got ", range ? "a number out of range" : "no JSON",
                                 " at byte ", position, ", expected a JSON object"));
  }

  void finish() const {
    if (!seen_[size(static_cast<int>(Member::candidates))])
      reject("request", "no candidates", "an array of them");
    if (std::ssize(request_.user) != interface_.user_features)
      reject("user", text(request_.user.size(), " features"), text(interface_.user_features));
    if (!request_.weights.empty() && !valid_weights(request_.weights))
      reject("weights", "weights that are too large", valid_weights_text());
  }

 private:
  enum class Place { start, request, user, candidates, candidate, weights };
  enum class Member { user, candidates, weights };
  static constexpr std::pair<Member, const char*> members[] = {
      {Member::user, "user"}, {Member::candidates, "candidates"}, {Member::weights, "weights"}};

  static std::size_t size(Index n) { return static_cast<std::size_t>(n); }
  static std::string quoted(const std::string& name) {
    return "'" + (name.size() > 64 ? name.substr(0, 64) + "..." : name) + "'";
  }

  bool enter(Place place) {
    place_ = place;
    return true;
  }

  bool number(double value) {
    if (place_ == Place::candidate) {
      if (request_.candidates.size() == row_end_)
        reject(row_name(), text("more than ", interface_.candidate_features, " features"),
               text(interface_.candidate_features));
      return add(value, request_.candidates);
    }
    if (place_ == Place::user) {
      if (std::ssize(request_.user) == interface_.user_features)
        reject("user", text("more than ", interface_.user_features, " features"),
               text(interface_.user_features));
      return add(value, request_.user);
    }
    if (place_ == Place::weights) {
      request_.weights[column_] = value;
      return true;
    }
    refuse("a number");
  }

  bool add(double value, std::vector<float>& numbers) const {
    const auto rounded = static_cast<float>(value);
    if (!std::isfinite(rounded)) refuse("a number beyond float's range");
    numbers.push_back(rounded);
    return true;
  }

  std::string row_name() const { return text("candidates[", request_.rows - 1, "]"); }

  // A value that does not belong where it stands.
  [[noreturn]] void refuse(const std::string& got) const {
    switch (place_) {
      case Place::start:
        reject("request", got, "an object");
      case Place::request:
        reject(members[static_cast<int>(member_)].second, got,
               member_ == Member::weights ? "an object" : "an array");
      case Place::user:
        reject(text("user[", request_.user.size(), "]"), got, "a number");
      case Place::candidates:
        reject(text("candidates[", request_.rows, "]"), got, "an array");
      case Place::candidate:
        reject(
            text(row_name(), "[",
                 request_.candidates.size() + size(interface_.candidate_features) - row_end_, "]"),
            got, "a number");
      case Place::weights:
        reject("weights." + interface_.columns[column_], got, "a number");
    }
    reject("request", got, "something else");
  }

  [[noreturn]] static void reject(const std::string& where, const std::string& got,
                                  const std::string& expected) {
    throw RequestError(422, where + ": got " + got + ", expected " + expected);
  }

  const Interface& interface_;
  Index max_rows_;
  Request& request_;
  Place place_ = Place::start;
  Member member_ = Member::user;  // last key of the request
  bool seen_[3] = {};             // by Member
  std::size_t row_end_ = 0;       // size of the candidates when the row at hand is complete
  std::size_t column_ = 0;        // last key of the weights
  std::vector<bool> given_;       // by column
};

}  // namespace

void parse_request(std::string_view body, const Interface& interface, Index max_rows,
                   Request& request) {
  request.user.clear();
  request.candidates.clear();
  request.rows = 0;
  request.weights.clear();
  Handler handler(interface, max_rows, request);
  nlohmann::json::sax_parse(body.begin(), body.end(), &handler);
  handler.finish();
}

}  // namespace service
