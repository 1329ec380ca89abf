// A request for scores, from JSON to numbers.
//
//   {"user": [0.1, 2], "candidates": [[1, 0, 3], [0, 1, 5]], "weights": {"click": 1, "buy": 0.5}}
//
// user is there exactly when the interface has user features; weights may be absent.
#pragma once
#include <string_view>
#include <vector>

#include "interface.hpp"

namespace service {

// Its buffers are reused by the next request.
struct Request {
  std::vector<float> user;        // [user features]
  std::vector<float> candidates;  // [rows, candidate features]
  Index rows = 0;
  std::vector<double> weights;  // one per score; empty: the service's
};

// Throws RequestError, which says what is wrong and where: 400 for what is no JSON, 413 for more
// than max_rows candidates, 422 for JSON that is something else than a request.
void parse_request(std::string_view body, const Interface& interface, Index max_rows,
                   Request& request);

}  // namespace service
