// The reference constructors' arguments as plait's descriptions.
#pragma once
#include <string>
#include <vector>

#include "golden/golden_case.hpp"
#include "plait/layers/body.hpp"

namespace golden {

using Widths = std::vector<Index>;

inline std::vector<plait::Body> bodies(const std::vector<Widths>& levels) {
  std::vector<plait::Body> result;
  for (const Widths& widths : levels) result.emplace_back(widths);
  return result;
}

inline Widths flattened(const std::vector<Widths>& levels) {
  Widths result;
  for (const Widths& widths : levels) result.insert(result.end(), widths.begin(), widths.end());
  return result;
}

// "num_task_experts": one number for all tasks, or a list with one for each.
inline Widths one_or_list(const Json& json) {
  return json.is_array() ? json.get<Widths>() : Widths{json.get<Index>()};
}

}  // namespace golden
