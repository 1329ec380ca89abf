// Heads and the towers that they are for.
#pragma once
#include <cstddef>
#include <span>
#include <string>

#include "plait/core/error.hpp"
#include "plait/layers/towers.hpp"
#include "plait/losses/head.hpp"

namespace plait {

// Throws ConfigError, in the name of `where`, unless there is a head per task, as wide as its
// tower.
template <class Scalar>
void check_heads_fit(const std::string& where, std::span<const Head> heads,
                     const Towers<Scalar>& towers) {
  require_config(std::ssize(heads) == towers.num_tasks(), where, "heads", text(heads.size()),
                 text(towers.num_tasks(), ", one per task"));
  for (Index t = 0; t < towers.num_tasks(); ++t) {
    const Index width = heads[static_cast<std::size_t>(t)].width();
    require_config(width == towers.outputs(t), where, text("head ", t), text(width, " logits"),
                   text(towers.outputs(t), " as its tower"));
  }
}

}  // namespace plait
