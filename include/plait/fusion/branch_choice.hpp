// BranchChoice: one of n connections, z one-hot, chosen at random by learned logits a (fusion/
// gumbel_softmax.hpp) and learned by the straight-through estimator: dp = dz, as if z were p, so
// that connections which were not chosen have a dz too.
//
// In the first steps, a warm-up, all are taken, z_j = 1. Without draws z is the one-hot of the
// largest logit. Source: Guo et al., "Learning to Branch for Multi-Task Learning", ICML 2020; the
// warm-up is that of LibMTL's architecture/LTB.py.
#pragma once
#include <algorithm>
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

struct BranchChoice {
  Annealing temperature{};
  double warmup_steps = 0;

  PLAIT_COLD void validate(const std::string& where) const {
    temperature.validate(where);
    require_config(std::isfinite(warmup_steps) && warmup_steps >= 0, where, "warmup_steps",
                   text(warmup_steps), "a finite number of at least 0");
  }
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("temperature", temperature);
    visit("warmup_steps", warmup_steps);
  }

  // P(z_j = 1) of n connections.
  template <class Scalar>
  void probabilities(Index n, const Scalar* a, double* p) const {
    chosen_probabilities(n, a, p);
  }

  // What is kept for the backward of n weights.
  static constexpr Index kept_size(Index n) { return n + 1; }

  template <class Scalar>
  void weigh(Index n, const Scalar* a, const Draws& draws, const CounterRandom& stream, Scalar* z,
             Scalar* kept) const {
    if (draws && static_cast<double>(draws.step) < warmup_steps) {
      kept[n] = 0;
      std::fill_n(z, n, Scalar(1));
      return;
    }
    std::fill_n(z, n, Scalar(0));
    z[gumbel_softmax(n, a, draws, stream, temperature, kept)] = 1;
  }
  // Adds da.
  template <class Scalar>
  void backward(Index n, const Scalar* kept, const Scalar* dz, Scalar* da) const {
    gumbel_softmax_backward(n, kept, dz, da);
  }
  template <class Scalar>
  static bool learns_from_unused(Index n, const Scalar* kept) {
    return kept[n] != 0;
  }
};

}  // namespace plait
