// DWA: dynamic weight average (Liu et al., CVPR 2019, section 3.3).
#pragma once
#include <Eigen/Core>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/weighting/weighting.hpp"

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

  static constexpr bool needs_losses = false;
  static constexpr bool needs_gradient_norms = false;

  // Throws ConfigError unless temperature is a finite number above 0.
  void validate(Index) const {
    require_config(std::isfinite(temperature) && temperature > 0, "DWA", "temperature",
                   text(temperature), "a finite number above 0");
  }
  std::vector<double> initial_numbers(Index tasks) const {
    return std::vector<double>(static_cast<std::size_t>(4 * tasks), 0.0);
  }

  Eigen::VectorXd weights(const WeightingInput& input, MethodState& state) const {
    const Numbers numbers(state.numbers);
    const Eigen::ArrayXd ratios =
        (numbers.last > 0 && numbers.before > 0)
            .select((numbers.last / numbers.before).min(std::numeric_limits<double>::max()), 1.0);
    const Eigen::ArrayXd powers = ((ratios - ratios.maxCoeff()) / temperature).exp();
    return (static_cast<double>(input.tasks) * powers / powers.sum()).matrix();
  }

  void update(const WeightingInput& input, MethodState& state) const {
    Numbers numbers(state.numbers);
    for (Index t = 0; t < input.tasks; ++t) {
      const double loss = input.losses[static_cast<std::size_t>(t)];
      if (loss == 0) continue;
      numbers.sum[t] += loss;
      numbers.count[t] += 1;
    }
  }

  void end_epoch(MethodState& state) const {
    Numbers numbers(state.numbers);
    for (Index t = 0; t < numbers.sum.size(); ++t) {
      if (numbers.count[t] == 0) continue;
      numbers.before[t] = numbers.last[t];
      numbers.last[t] = numbers.sum[t] / numbers.count[t];
    }
    numbers.sum.setZero();
    numbers.count.setZero();
  }

 private:
  struct Numbers {
    Eigen::Map<Eigen::ArrayXd> sum, count, last, before;

    explicit Numbers(std::vector<double>& all)
        : sum(part(all, 0)), count(part(all, 1)), last(part(all, 2)), before(part(all, 3)) {}
    static Eigen::Map<Eigen::ArrayXd> part(std::vector<double>& all, Index k) {
      const Index tasks = std::ssize(all) / 4;
      return {all.data() + k * tasks, tasks};
    }
  };
};

static_assert(Weighting<DWA>);

}  // namespace plait
