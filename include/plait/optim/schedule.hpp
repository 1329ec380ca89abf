// Schedule: the factor that multiplies every learning rate, as a function of the steps done.
#pragma once
#include <cmath>
#include <numbers>
#include <string>

#include "plait/core/config.hpp"
#include "plait/core/csv.hpp"
#include "plait/core/error.hpp"

namespace plait {

// A value. With k steps done, the next step is taken at learning_rate * factor(k), and
//
//   constant()               1
//   step_decay(every, gamma) gamma^⌊k / every⌋                                       (StepLR)
//   cosine(steps, minimum)   minimum + (1 - minimum) (1 + cos(π min(k, steps) / steps)) / 2
//                            (CosineAnnealingLR with eta_min = minimum * lr; stays at the minimum
//                            after `steps`, where PyTorch's rises again)
//   s.with_warmup(steps, start)
//                            start + (1 - start) k / steps while k < steps, then s counted from
//                            there on: s.factor(k - steps)    (SequentialLR of LinearLR and s)
class Schedule {
 public:
  Schedule() = default;

  static Schedule constant() { return {}; }

  // Throws ConfigError unless every >= 1 and gamma is finite and at least 0.
  static Schedule step_decay(Index every, double gamma = 0.1) {
    require_config(every >= 1, "Schedule", "every", text(every), "at least 1");
    require_config(std::isfinite(gamma) && gamma >= 0, "Schedule", "gamma", text(gamma),
                   "a finite number of at least 0");
    return {Kind::step_decay, every, gamma};
  }

  // Throws ConfigError unless steps >= 1 and minimum is in [0, 1].
  static Schedule cosine(Index steps, double minimum = 0) {
    require_config(steps >= 1, "Schedule", "steps", text(steps), "at least 1");
    require_config(minimum >= 0 && minimum <= 1, "Schedule", "minimum", text(minimum),
                   "a number in [0, 1]");
    return {Kind::cosine, steps, minimum};
  }

  // This schedule after a linear warm-up. Throws ConfigError unless steps >= 0 and start is in
  // [0, 1].
  Schedule with_warmup(Index steps, double start = 1.0 / 3) const {
    require_config(steps >= 0, "Schedule", "warm-up steps", text(steps), "at least 0");
    require_config(start >= 0 && start <= 1, "Schedule", "warm-up start", text(start),
                   "a number in [0, 1]");
    Schedule result = *this;
    result.warmup_ = steps;
    result.start_ = start;
    return result;
  }

  double factor(Index step) const {
    if (step < warmup_) return start_ + (1 - start_) * ratio(step, warmup_);
    step -= warmup_;
    switch (kind_) {
      case Kind::constant:
        break;
      case Kind::step_decay:
        return std::pow(parameter_, static_cast<double>(step / period_));
      case Kind::cosine:
        if (step >= period_) return parameter_;
        return parameter_ +
               (1 - parameter_) * (1 + std::cos(std::numbers::pi * ratio(step, period_))) / 2;
    }
    return 1;
  }

  bool operator==(const Schedule&) const = default;

  // As the call that makes it, such as "cosine(1000, 0.05).with_warmup(100, 0.25)", numbers exact:
  // schedules with equal texts give equal factors.
  PLAIT_COLD std::string description() const {
    std::string result = "constant()";
    if (kind_ == Kind::step_decay)
      result = text("step_decay(", period_, ", ", csv_number(parameter_), ")");
    if (kind_ == Kind::cosine) result = text("cosine(", period_, ", ", csv_number(parameter_), ")");
    if (warmup_ > 0) result += text(".with_warmup(", warmup_, ", ", csv_number(start_), ")");
    return result;
  }

 private:
  enum class Kind { constant, step_decay, cosine };

  Schedule(Kind kind, Index period, double parameter)
      : kind_(kind), period_(period), parameter_(parameter) {}

  static double ratio(Index a, Index b) { return static_cast<double>(a) / static_cast<double>(b); }

  Kind kind_ = Kind::constant;
  Index period_ = 1;
  double parameter_ = 1;  // gamma or the minimum
  Index warmup_ = 0;
  double start_ = 1;
};

}  // namespace plait
