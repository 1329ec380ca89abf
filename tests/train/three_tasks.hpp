// Three tasks of a small model and random batches for them, some labels of which are missing.
#pragma once
#include <cstdint>
#include <vector>

#include "plait/core/view.hpp"
#include "plait/losses/head.hpp"
#include "plait/losses/targets.hpp"
#include "support/data.hpp"
#include "support/models.hpp"

namespace three_tasks {

inline constexpr models::Sizes sizes{};
inline constexpr plait::Index tasks = 3;

// With weights of their own, the last one conditional on the first on request.
inline std::vector<plait::Head> heads(bool conditional = false) {
  using plait::HeadKind;
  std::vector<plait::Head> result{{.weight = 0.5}, {.kind = HeadKind::regression, .weight = 2}, {}};
  if (conditional) result[2] = {.kind = HeadKind::conditional, .given = 0, .weight = 1.5};
  return result;
}

struct Batch {
  plait::Matrix<double> x, labels, mask;
  explicit Batch(plait::Index rows, std::uint64_t seed = 5)
      : x(data::normal<double>(rows, sizes.input_dim, seed)),
        labels(data::binary<double>(rows, tasks, seed + 1)),
        mask(data::binary<double>(rows, tasks, seed + 2)) {}
  plait::Targets<double> targets() const { return {labels, mask}; }
};

}  // namespace three_tasks
