// Annealing: a temperature that falls as training goes on. It depends on the step alone, so that
// nothing has to be kept of it.
//
//   τ(step) = max(least, start · rate^⌊step / every⌋)
#pragma once
#include <algorithm>
#include <cmath>
#include <string>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"

namespace plait {

struct Annealing {
  double start = 5;
  double rate = 0.965;  // 1: it stays as it starts
  double every = 1000;  // steps
  double least = 0.1;

  double at(Index step) const {
    return (std::max)(least, start * std::pow(rate, std::floor(static_cast<double>(step) / every)));
  }
  // Throws ConfigError for a temperature that is or could become 0, grow or be infinite.
  PLAIT_COLD void validate(const std::string& where) const {
    require_config(start > 0 && start <= 1e6, where, "temperature.start", text(start),
                   "above 0 and at most 1e6");
    require_config(rate > 0 && rate <= 1, where, "temperature.rate", text(rate),
                   "above 0 and at most 1");
    require_config(std::isfinite(every) && every >= 1, where, "temperature.every", text(every),
                   "a finite number of at least 1");
    require_config(least >= 0.001 && least <= start, where, "temperature.least", text(least),
                   text("at least 0.001 and at most ", start));
  }
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("start", start);
    visit("rate", rate);
    visit("every", every);
    visit("least", least);
  }
};

}  // namespace plait
