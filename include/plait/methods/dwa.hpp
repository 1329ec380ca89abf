// DWA: dynamic weight average (Liu et al., CVPR 2019, section 3.3).
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
#include "plait/methods/memory.hpp"
#include "plait/methods/numbers.hpp"
#include "plait/methods/weighting_method.hpp"

namespace plait {

// Tasks whose loss falls more slowly count more. In epoch e, counted from 0:
//
//   r_t = L_t(e-1) / L_t(e-2),  w = T softmax(r / temperature);  w_t = 1 while e < 2
//
// L_t(e) is the mean over the epoch's steps. r_t is 1 for a task without two epochs of losses above
// 0; an epoch without any changes nothing for it. state.numbers are, [T] each: the sum and the
// count of this epoch's losses, the mean of the last epoch and of the one before (0: none yet).
struct DWA {
  double temperature = 2;

  static constexpr std::string_view name = "DWA";
  static constexpr bool needs_losses = false;
  static constexpr bool needs_gradient_norms = false;

  void fields(FieldVisitor& visit) { visit("temperature", temperature); }

  // Throws ConfigError unless temperature is a finite number above 0.
  void validate(Index) const {
    require_config(std::isfinite(temperature) && temperature > 0, "DWA", "temperature",
                   text(temperature), "a finite number above 0");
  }
  std::vector<double> initial_numbers(Index tasks) const {
    return std::vector<double>(static_cast<std::size_t>(4 * tasks), 0.0);
  }

  void weights(const WeightingInput& input, MethodState& state, std::span<double> out,
               Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const Parts parts(state.numbers);
    detail::Numbers powers = detail::take_numbers(scratch, input.tasks);
    constexpr double most = (std::numeric_limits<double>::max)();
    double top = 0;
    for (Index t = 0; t < input.tasks; ++t) {
      const auto task = static_cast<std::size_t>(t);
      const bool known = parts.last[task] > 0 && parts.before[task] > 0;
      powers[t] = known ? (std::min)(parts.last[task] / parts.before[task], most) : 1;
      top = (std::max)(top, powers[t]);
    }
    for (Index t = 0; t < input.tasks; ++t) powers[t] = (powers[t] - top) / temperature;
    detail::exp_all(powers);
    const double sum = detail::sum(powers);
    for (Index t = 0; t < input.tasks; ++t)
      out[static_cast<std::size_t>(t)] = static_cast<double>(input.tasks) * powers[t] / sum;
  }

  void update(const WeightingInput& input, MethodState& state, Scratch&) const {
    const Parts parts(state.numbers);
    for (std::size_t t = 0; t < input.losses.size(); ++t) {
      if (input.losses[t] == 0) continue;
      parts.sum[t] += input.losses[t];
      parts.count[t] += 1;
    }
  }

  void end_epoch(MethodState& state) const {
    const Parts parts(state.numbers);
    for (std::size_t t = 0; t < parts.sum.size(); ++t) {
      if (parts.count[t] == 0) continue;
      parts.before[t] = parts.last[t];
      parts.last[t] = parts.sum[t] / parts.count[t];
    }
    std::ranges::fill(parts.sum, 0.0);
    std::ranges::fill(parts.count, 0.0);
  }

 private:
  // Of state.numbers.
  struct Parts {
    std::span<double> sum, count, last, before;

    explicit Parts(std::span<double> all)
        : sum(part(all, 0)), count(part(all, 1)), last(part(all, 2)), before(part(all, 3)) {}
    static std::span<double> part(std::span<double> all, std::size_t k) {
      const std::size_t tasks = all.size() / 4;
      return all.subspan(k * tasks, tasks);
    }
  };
};

static_assert(WeightingMethod<DWA>);

}  // namespace plait
