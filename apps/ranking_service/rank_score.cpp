#include "rank_score.hpp"

#include <algorithm>
#include <cmath>

#include "plait/core/error.hpp"

namespace service {
namespace {

constexpr double smallest = 1e-9;
constexpr double largest = 1e9;
constexpr double most = 32;  // 1e9^32 is a double

}  // namespace

bool valid_weights(std::span<const double> weights) {
  double sum = 0;
  for (const double weight : weights) sum += std::abs(weight);
  return sum <= most;
}

std::string valid_weights_text() {
  return plait::text("weights whose magnitudes add up to at most ", most);
}

void rank_scores(plait::View3<const float> scores, std::span<const double> weights,
                 std::span<double> rank) {
  for (std::size_t b = 0; b < rank.size(); ++b) {
    const float* row = scores.row(static_cast<plait::Index>(b));
    double power = 0;
    for (std::size_t c = 0; c < weights.size(); ++c)
      if (weights[c] != 0)
        power += weights[c] * std::log(std::clamp<double>(row[c], smallest, largest));
    rank[b] = std::exp(power);
  }
}

}  // namespace service
