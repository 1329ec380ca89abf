// Weights that follow a schedule (PLE, Tang et al., RecSys 2020, eq. 10).
#pragma once
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/methods/per_task.hpp"
#include "plait/methods/weighting_method.hpp"

namespace plait {

//   w_t = initial_t factor_t^k
//
// where k counts the epochs that have ended or the steps that were taken: the paper's equation has
// epochs, its prose steps. state.numbers are the epochs ended.
struct ScheduledWeights {
  enum class Per { epoch, step };

  std::vector<double> initial = {};  // ω_0 [T]; empty: 1 each
  std::vector<double> factor = {};   // γ [T]; empty: 1 each
  Per per = Per::epoch;

  static constexpr std::string_view name = "ScheduledWeights";
  static constexpr bool needs_losses = false;
  static constexpr bool needs_gradient_norms = false;

  void fields(FieldVisitor& visit) {
    visit("initial", initial);
    visit("factor", factor);
    bool per_step = per == Per::step;
    visit("per_step", per_step);
    per = per_step ? Per::step : Per::epoch;
  }

  // Throws ConfigError for weights or factors that are not one finite number of at least 0 per
  // task, and for weights that float cannot hold.
  void validate(Index tasks) const {
    detail::validate_factors("ScheduledWeights", "initial", initial, tasks);
    detail::validate_per_task("ScheduledWeights", "factor", factor, tasks);
  }
  std::vector<double> initial_numbers(Index) const { return {0}; }

  // Throws ValueError where a factor above 1 has made a weight grow beyond what float holds.
  void weights(const WeightingInput& input, MethodState& state, std::span<double> out,
               Scratch&) const {
    const double k = per == Per::epoch ? state.numbers[0] : static_cast<double>(state.steps);
    for (Index t = 0; t < input.tasks; ++t) {
      const double w =
          detail::per_task(initial, t, 1) * std::pow(detail::per_task(factor, t, 1), k);
      if (!(w <= detail::largest_factor))
        throw ValueError("ScheduledWeights", text("weight of task ", t), text(w),
                         "a finite number");
      out[static_cast<std::size_t>(t)] = w;
    }
  }

  void end_epoch(MethodState& state) const { state.numbers[0] += 1; }
};

static_assert(WeightingMethod<ScheduledWeights>);

}  // namespace plait
