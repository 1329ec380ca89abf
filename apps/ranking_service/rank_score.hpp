// One number to rank by: the product of a candidate's scores, each to the power of its weight.
//
//   rank = Π_c clamp(score_c)^weight_c,   clamp to [1e-9, 1e9]
//
// Scores of regressions may be negative or zero, which have no such power: they count as 1e-9.
#pragma once
#include <span>
#include <string>

#include "plait/core/view.hpp"

namespace service {

// True when every product is a finite number: finite weights whose magnitudes add up to at most 32.
bool valid_weights(std::span<const double> weights);
std::string valid_weights_text();

// rank [B] of scores [B, 1, weights]. The weights are valid.
void rank_scores(plait::View3<const float> scores, std::span<const double> weights,
                 std::span<double> rank);

}  // namespace service
