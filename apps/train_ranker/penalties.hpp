// The penalties chosen on the command line.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plait/core/param_table.hpp"
#include "plait/penalties/penalties.hpp"

namespace ranker {

struct ChosenPenalty {
  std::string name;  // l1, l2, l0, adashare or heads
  double weight = 0;
};

// "l0=0.001" and the like. Throws UsageError for another name, a name twice, and a weight that is
// no number from 0 to 1e9.
std::vector<ChosenPenalty> chosen_penalties(const std::vector<std::string>& words);

// Those of the penalties that a model has parameters for; nothing where none is.
std::optional<plait::Penalties<float>> make_penalties(
    const std::vector<ChosenPenalty>& chosen, const std::shared_ptr<const plait::ParamTable>& of);

}  // namespace ranker
