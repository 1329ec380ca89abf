// What a caller may ask of one forward or backward pass beside what the Layer concept promises.
// All of it is optional for a layer of one's own, which is then called as the concept says.
#pragma once
#include <cstdint>
#include <span>

#include "plait/core/config.hpp"
#include "plait/core/hash.hpp"

namespace plait {

// Which of some slots, experts or tasks have a gradient, by index. Empty means all of them, where a
// function says so.
using Flags = std::span<const bool>;

// Experts that gates do without, at random (fusion/dropout.hpp). As constructed nothing is dropped.
struct ExpertDropout {
  double rate = 0;  // in [0, 1)
  std::uint64_t seed = 0;
  Index step = 0;
  Index level = 0;
};

// What layers draw their randomness by: of seed, step, the layer's place in the network and, where
// rows have draws of their own, the row's place in the batch (ForwardOptions::first_row); of no
// tile, lane or thread. As constructed there is none, and a layer takes the form that its paper
// serves with: expected, or discrete.
//
// A layer that holds others calls the n-th with inside(n), so that each has a stream of its own,
// and may draw by its own Draws itself: a fusion stack counts its levels, a level its experts and
// then its gates, a gate's hidden layers are 0, towers count tasks.
struct Draws {
  std::uint64_t seed = 0;
  Index step = -1;
  Index layer = 0;         // among those one after the other; a Sequential counts them
  std::uint64_t path = 0;  // of the layers around this one; 0: of none

  explicit operator bool() const { return step >= 0; }
  // Those of the n-th layer inside this one.
  Draws inside(Index n) const {
    Draws result = *this;
    if (!*this) return result;
    const std::uint64_t here = mix64(path + static_cast<std::uint64_t>(layer));
    result.layer = 0;
    result.path = mix64(here + static_cast<std::uint64_t>(n) + 1);
    return result;
  }
};

struct ForwardOptions {
  ExpertDropout expert_dropout{};
  Draws draws{};
  Index first_row = 0;  // of the batch, in a forward pass over some of its rows
  // Fusion levels whose activations a workspace does not keep: backward computes those of so many
  // levels at a time again. 0: all are kept.
  Index recompute_levels = 0;

  // Those of the n-th layer inside: what it draws. Experts are dropped by the trunk's levels alone.
  ForwardOptions inside(Index n) const {
    return {.draws = draws.inside(n), .first_row = first_row};
  }
};

// What a level does together with the layers inside it: the parts of their backward that a
// neighbour computes in the same pass over memory.
struct BackwardOptions {
  bool adds_to_dx = false;        // dx has gradients of others already: += instead of =
  bool passed_last_relu = false;  // dy is zero already where y is (for a layer with ends_in_relu())
};

}  // namespace plait
