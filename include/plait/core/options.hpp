// What a caller may ask of one forward or backward pass beside what the Layer concept promises.
// All of it is optional for a layer of one's own, which is then called as the concept says.
#pragma once
#include <cstdint>
#include <span>

#include "plait/core/config.hpp"

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
  Index first_row = 0;  // of the batch, in a forward pass over some of its rows
};

// What layers draw their randomness by, one draw per step and the same in all tiles of it. As
// constructed there is none, and a layer takes the form that its paper serves with: expected, or
// discrete.
// A trunk is called with them, and what a Sequential holds; experts, gates and towers inside fusion
// levels are not.
struct Draws {
  std::uint64_t seed = 0;
  Index step = -1;
  Index layer = 0;  // tells the layers of one network apart, that draw; a Sequential counts them

  explicit operator bool() const { return step >= 0; }
};

struct ForwardOptions {
  ExpertDropout expert_dropout{};
  Draws draws{};
  // Fusion levels whose activations a workspace does not keep: backward computes those of so many
  // levels at a time again. 0: all are kept.
  Index recompute_levels = 0;
};

// What a level does together with the layers inside it: the parts of their backward that a
// neighbour computes in the same pass over memory.
struct BackwardOptions {
  bool adds_to_dx = false;        // dx has gradients of others already: += instead of =
  bool passed_last_relu = false;  // dy is zero already where y is (for a layer with ends_in_relu())
};

}  // namespace plait
