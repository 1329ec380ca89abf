// A request for scores, from JSON to numbers,
//
//   {"user": [0.1, 2], "candidates": [[1, 0, 3], [0, 1, 5]], "weights": {"click": 1, "buy": 0.5}}
//
// or to raw rows, where the interface takes them:
//
//   {"user": {"user_id": "u7", "age": 31}, "candidates": [{"item_id": "i9", "tags": ["a", "b"]}]}
//
// Of numbers, user is there exactly when the interface has user features; weights may be absent. Of
// raw rows, user holds what all candidates have in common: the user's columns, and any others,
// which candidates then do not have. What is not there is missing. Texts and numbers mean what they
// do in plait::JsonLinesReader.
#pragma once
#include <cstddef>
#include <string_view>
#include <vector>

#include "interface.hpp"
#include "plait/features/raw_rows.hpp"

namespace service {

// Its buffers are reused by the next request.
struct Request {
  std::vector<float> user;        // [user features]
  std::vector<float> candidates;  // [rows, candidate features]
  plait::RawRows raw_user;        // [1, raw columns]
  plait::RawRows raw_candidates;  // [rows, raw columns]
  Index rows = 0;
  std::vector<double> weights;  // one per score; empty: the service's
};

// Of raw rows: bytes of a text, and items of all lists together.
inline constexpr std::size_t most_text = std::size_t{1} << 16;
inline constexpr std::size_t most_items = std::size_t{1} << 18;

// Throws RequestError, which says what is wrong and where: 400 for what is no JSON, 413 for more
// than max_rows candidates, most_text or most_items, 422 for JSON that is something else than a
// request.
void parse_request(std::string_view body, const Interface& interface, Index max_rows,
                   Request& request);

}  // namespace service
