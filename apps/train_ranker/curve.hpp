// The epochs of a run as numbers, for its checkpoints.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "plait/core/config.hpp"
#include "results.hpp"

namespace ranker {

// Appends an epoch, but for its speed and whether it was the last.
void add_to(std::vector<double>& numbers, const Epoch& epoch);

// The `epochs` epochs that were added. Throws UsageError, which names the file they come from, for
// numbers of more or fewer epochs or tasks.
std::vector<Epoch> curve_of(const std::vector<double>& numbers, plait::Index epochs,
                            std::size_t tasks, const std::string& path);

}  // namespace ranker
