// Answers: a status and a JSON text.
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "interface.hpp"
#include "plait/core/view.hpp"

namespace service {

struct Reply {
  int status = 200;
  std::string body;
};

// {"error": "..."}
Reply error_reply(int status, const std::string& what);

// {"version": 1, "scores": {"click": [0.5, ...], ...}, "rank": [0.25, ...]}: a list per column of
// scores [B, 1, columns] and one of rank [B], as the shortest texts that read back as the same
// numbers, which must be finite.
Reply scores_reply(std::uint64_t version, const Interface& interface,
                   plait::View3<const float> scores, std::span<const double> rank);

}  // namespace service
