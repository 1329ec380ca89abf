// Fixed weights.
#pragma once
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "plait/core/fields.hpp"
#include "plait/methods/per_task.hpp"
#include "plait/methods/weighting_method.hpp"

namespace plait {

// w_t as given, 1 each when none are.
struct StaticWeights {
  std::vector<double> values = {};  // [T]

  static constexpr std::string_view name = "StaticWeights";
  static constexpr bool needs_losses = false;
  static constexpr bool needs_gradient_norms = false;

  void fields(FieldVisitor& visit) { visit("values", values); }

  // Throws ConfigError for values that are not one finite number of at least 0 per task, and for
  // one that float cannot hold.
  void validate(Index tasks) const {
    detail::validate_factors("StaticWeights", "values", values, tasks);
  }

  void weights(const WeightingInput& input, MethodState&, std::span<double> out, Scratch&) const {
    for (Index t = 0; t < input.tasks; ++t)
      out[static_cast<std::size_t>(t)] = detail::per_task(values, t, 1);
  }
};

static_assert(WeightingMethod<StaticWeights>);

}  // namespace plait
