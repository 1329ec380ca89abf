// SkipPolicy: whether a block is executed or skipped, decided at random by two learned logits a
// (fusion/gumbel_softmax.hpp; 0 executes, 1 skips).
//
//   u = p in training, so that a block is executed in part;  with `hard` the one-hot of what is
//       chosen, learned by the straight-through estimator, du for dp
//   u = the one-hot of the larger logit without draws; of equal ones the block is executed
//
// In the first steps, a warm-up, all blocks are executed; afterwards the policy decides on the last
// block, and every `curriculum_steps` on one more below it. Source: Sun et al., "AdaShare: Learning
// What To Share For Efficient Deep Multi-Task Learning", NeurIPS 2020; sunxm2357/AdaShare.
#pragma once
#include <cmath>
#include <string>

#include "plait/core/annealing.hpp"
#include "plait/core/config.hpp"
#include "plait/core/counter_random.hpp"
#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/options.hpp"
#include "plait/fusion/gumbel_softmax.hpp"

namespace plait {

struct SkipPolicy {
  Annealing temperature{};
  bool hard = false;
  double warmup_steps = 0;
  double curriculum_steps = 0;  // 0: on all blocks at once

  // What is kept for the backward of a decision.
  static constexpr Index kept_size = 3;

  PLAIT_COLD void validate(const std::string& where) const {
    temperature.validate(where);
    const auto require = [&](const char* argument, double steps) {
      require_config(std::isfinite(steps) && steps >= 0, where, argument, text(steps),
                     "a finite number of at least 0");
    };
    require("warmup_steps", warmup_steps);
    require("curriculum_steps", curriculum_steps);
  }
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("temperature", temperature);
    visit("hard", hard);
    visit("warmup_steps", warmup_steps);
    visit("curriculum_steps", curriculum_steps);
  }

  // Whether the policy decides on block `l` of `blocks` in a step.
  bool decides(Index l, Index blocks, Index step) const {
    const double since = static_cast<double>(step) - warmup_steps;
    if (since < 0) return false;
    return curriculum_steps == 0 ||
           static_cast<double>(blocks - 1 - l) <= std::floor(since / curriculum_steps);
  }

  // That a block with logits a is executed, where the policy decides on it.
  template <class Scalar>
  static double executed_probability(const Scalar* a) {
    double p[2];
    chosen_probabilities(Index{2}, a, p);
    return p[0];
  }

  // u [2] of block `l`; `stream` has its draws, which there are with draws alone.
  template <class Scalar>
  void decide(Index l, Index blocks, const Scalar* a, const Draws& draws,
              const CounterRandom& stream, Scalar* u, Scalar* kept) const {
    Index chosen = 0;
    kept[2] = 0;
    if (!draws || decides(l, blocks, draws.step))
      chosen = gumbel_softmax(2, a, draws, stream, temperature, kept);
    const bool in_part = kept[2] != 0 && !hard;
    u[0] = in_part ? kept[0] : Scalar(1 - chosen);
    u[1] = in_part ? kept[1] : Scalar(chosen);
  }
  // Adds da.
  template <class Scalar>
  static void backward(const Scalar* kept, const Scalar* du, Scalar* da) {
    gumbel_softmax_backward(Index{2}, kept, du, da);
  }
  // Whether a learns from what was, or was not, executed.
  template <class Scalar>
  static bool learns(const Scalar* kept) {
    return kept[2] != 0;
  }
};

}  // namespace plait
