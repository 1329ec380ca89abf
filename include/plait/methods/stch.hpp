// STCH: smooth Tchebycheff scalarisation (Lin et al., ICML 2024).
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/methods/per_task.hpp"
#include "plait/methods/weighting_method.hpp"

namespace plait {

// A smooth form of the largest of the tasks' preferred losses:
//
//   total = T μ log Σ_t exp(λ_t f_t / μ),  w_t = ∂total/∂L_t = T softmax(λ f / μ)_t λ_t f_t'
//
// with f_t = L_t - ideal_t, or on log scale f_t = log(L_t / nadir_t) as the authors train networks.
// μ to 0 is T times the largest alone. The factor T, also theirs, makes w_t = λ_t where all λ_t f_t
// are equal. On log scale the total is Σ_t log L_t for warmup_epochs and one epoch more, whose mean
// losses become the nadir. The sums are over the tasks with a loss in the batch; the others' weight
// is 0.
//
// state.numbers are the epochs ended and, [T] each, the sum and the count of the losses of the
// epoch that sets the nadir.
struct STCH {
  double mu = 1;
  std::vector<double> preferences = {};  // λ [T]; empty: 1 each
  std::vector<double> ideal = {};        // [T], what each loss can reach; empty: 0 each
  bool log_scale = false;
  Index warmup_epochs = 4;  // on log scale only

  static constexpr std::string_view name = "STCH";
  static constexpr bool needs_losses = true;
  static constexpr bool needs_gradient_norms = false;

  void fields(FieldVisitor& visit) {
    visit("mu", mu);
    visit("preferences", preferences);
    visit("ideal", ideal);
    visit("log_scale", log_scale);
    visit("warmup_epochs", warmup_epochs);
  }

  // Throws ConfigError unless mu is a finite number above 0, preferences and ideal are one finite
  // number of at least 0 per task, the preferences such that float can hold them, and warmup_epochs
  // is at least 0.
  void validate(Index tasks) const {
    require_config(std::isfinite(mu) && mu > 0, "STCH", "mu", text(mu), "a finite number above 0");
    detail::validate_factors("STCH", "preferences", preferences, tasks);
    detail::validate_per_task("STCH", "ideal", ideal, tasks);
    require_config(warmup_epochs >= 0, "STCH", "warmup_epochs", text(warmup_epochs), "at least 0");
  }
  std::vector<double> initial_numbers(Index tasks) const {
    return std::vector<double>(static_cast<std::size_t>(1 + 2 * tasks), 0.0);
  }

  // Throws ValueError, on log scale, for a loss below 0 or one so small that float could not hold
  // its weight.
  void weights(const WeightingInput& input, MethodState& state, std::span<double> out,
               Scratch&) const {
    const bool warming_up = log_scale && state.numbers[0] <= static_cast<double>(warmup_epochs);
    double top = -std::numeric_limits<double>::infinity();
    Index count = 0;
    for (std::size_t t = 0; t < out.size(); ++t) {  // out holds the exponents
      const double loss = input.losses[t];
      out[t] = 0;
      if (loss == 0) continue;
      require_slope(loss);
      constexpr double most = (std::numeric_limits<double>::max)();
      out[t] = std::clamp(preference(t) * value(t, loss, state) / mu, -most, most);
      top = (std::max)(top, out[t]);
      ++count;
    }
    double sum = 0;
    for (std::size_t t = 0; t < out.size(); ++t) {
      const double loss = input.losses[t];
      if (loss == 0) continue;
      const double slope = log_scale ? 1 / loss : 1;
      const double power = warming_up ? 1 : std::exp(out[t] - top);
      sum += power;
      out[t] = power * slope * (warming_up ? 1 : preference(t));
    }
    if (count == 0) return;
    const double factor = static_cast<double>(count) / sum;
    for (std::size_t t = 0; t < out.size(); ++t) {
      out[t] *= factor;
      if (log_scale && !(out[t] <= detail::largest_factor)) refuse(input.losses[t]);
    }
  }

  void update(const WeightingInput& input, MethodState& state, Scratch&) const {
    if (!log_scale || state.numbers[0] != static_cast<double>(warmup_epochs)) return;
    const std::size_t tasks = input.losses.size();
    for (std::size_t t = 0; t < tasks; ++t) {
      if (input.losses[t] == 0) continue;
      state.numbers[1 + t] += input.losses[t];
      state.numbers[1 + tasks + t] += 1;
    }
  }

  void end_epoch(MethodState& state) const { state.numbers[0] += 1; }

 private:
  void require_slope(double loss) const {
    if (log_scale && !(loss > 0 && std::isfinite(1 / loss))) refuse(loss);
  }
  [[noreturn]] static void refuse(double loss) {
    throw ValueError("STCH", "losses", text(loss), "0 or numbers well above 0");
  }

  double preference(std::size_t t) const {
    return detail::per_task(preferences, static_cast<Index>(t), 1);
  }

  // f_t; a task that had no loss while the nadir was set has nadir 1.
  double value(std::size_t t, double loss, const MethodState& state) const {
    if (!log_scale) return loss - detail::per_task(ideal, static_cast<Index>(t), 0);
    const std::size_t tasks = (state.numbers.size() - 1) / 2;
    const double sum = state.numbers[1 + t];
    const double count = state.numbers[1 + tasks + t];
    return std::log(loss) - (count > 0 ? std::log(sum / count) : 0);
  }
};

static_assert(WeightingMethod<STCH>);

}  // namespace plait
