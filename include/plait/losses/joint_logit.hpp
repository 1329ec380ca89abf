// The joint logit of a conditional head: of its event and of all that it is conditional on.
#pragma once
#include <cstddef>
#include <optional>
#include <span>

#include "plait/core/config.hpp"
#include "plait/losses/conditional.hpp"
#include "plait/losses/head.hpp"

namespace plait {

// Calls visit(s, k) for every task s that task t's event is conditional on, directly or through
// others; its logit lies k columns before task t's.
template <class Visit>
void for_each_given(std::span<const Head> heads, Index t, const Visit& visit) {
  std::optional<Index> wanted = heads[static_cast<std::size_t>(t)].given;
  Index columns = 0;
  for (Index s = t - 1; wanted; --s) {
    const Head& head = heads[static_cast<std::size_t>(s)];
    columns += head.width();
    if (s != *wanted) continue;
    visit(s, columns);
    wanted = head.given;
  }
}

// The logit of P(click) P(like | click) P(share | like) for a task share that is conditional on
// like, which is conditional on click; z points to task t's logit in a row of all tasks' logits.
// Equal to *z for a head that is conditional on nothing.
template <class Scalar>
double joint_logit(std::span<const Head> heads, Index t, const Scalar* z) {
  auto joint = static_cast<double>(*z);
  for_each_given(heads, t, [&](Index, Index columns) {
    joint = product_logit(joint, static_cast<double>(z[-columns]));
  });
  return joint;
}

}  // namespace plait
