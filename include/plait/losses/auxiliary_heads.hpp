// The heads of small auxiliary towers (TowersConfig::small).
#pragma once
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/losses/check_heads.hpp"
#include "plait/losses/head.hpp"

namespace plait {

// The T heads, then for each of them one of the same kind and settings on the same labels, with
// lambda times its weight:
//
//   total = Σ_t weight_t L_t(tower t) + lambda Σ_t weight_t L_t(small tower t)
//
// (Wang et al., WWW 2022, who leave open whether lambda is one for all tasks: change the weights of
// the heads that are returned where it is not.) The small head of a conditional task is conditional
// on the small head of the other. Throws ConfigError for heads without a meaning, and unless lambda
// is a finite number of at least 0.
inline std::vector<Head> with_auxiliary(std::span<const Head> heads, double lambda) {
  check_heads("with_auxiliary", heads);
  require_config(std::isfinite(lambda) && lambda >= 0, "with_auxiliary", "lambda", text(lambda),
                 "a finite number of at least 0");
  std::vector<Head> result(heads.begin(), heads.end());
  for (Index t = 0; t < std::ssize(heads); ++t) {
    Head small = heads[static_cast<std::size_t>(t)];
    small.labels_of = label_column(heads, t);
    if (small.given) *small.given += std::ssize(heads);
    small.weight *= lambda;
    small.name = task_name(heads, t) + " (auxiliary)";
    result.push_back(std::move(small));
  }
  return result;
}

}  // namespace plait
