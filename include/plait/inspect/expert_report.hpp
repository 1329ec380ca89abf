// ExpertReport: how the units of a trained model use its experts, level by level.
#pragma once
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/csv.hpp"
#include "plait/core/view.hpp"

namespace plait {

// One level with U units over E experts, as means over the rows b = 1 ... B that were watched.
// g_bu(e) and s_u(e) are the weights that unit u gives expert e, by its gate and static; 0 for an
// expert that it does not select. G are the units with a gate, n_u the experts that u selects.
//
// NaN is what nothing is known of: everything without a row, the entropy of a unit without a gate,
// importance and load without any gate, and what else is said below. The first of equal gate
// weights counts as the largest.
struct LevelReport {
  // [U, E]
  Matrix<double> gate_weights;    // 1/B Σ_b g_bu(e): AdaTT's figure 3
  Matrix<double> static_weights;  // s_u(e): native weights, stitches
  Matrix<double> top_share;       // share of rows where e has u's largest gate weight

  // [U]
  Vector<double> entropy;           // 1/B Σ_b -Σ_e g_bu(e) ln g_bu(e), in nats
  Vector<double> relative_entropy;  // entropy / ln n_u: 1 is even (of weights of
                                    // sum 1); NaN for n_u = 1

  // [E]
  Vector<double> importance;  // 1/|G| Σ_{u in G} gate_weights(u, e)
  Vector<double> load;        // 1/|G| Σ_{u in G} top_share(u, e)
  Vector<double> output_rms;  // √(1/(B H) Σ_b ‖E_b(e)‖²), H numbers each

  // [E, E], mean cosine of two experts' outputs, over the rows where neither is zero; NaN without
  // one.
  Matrix<double> similarity;

  Index num_units() const { return gate_weights.rows(); }
  Index num_experts() const { return output_rms.size(); }

  // Experts that contribute nothing worth mentioning: no unit gives them a weight of more than
  // `threshold`, gate and static together, or their output is zero on every row (ReLUs that died).
  // Of a level without units (networks that are joined, masks), the second alone. None without a
  // row.
  std::vector<Index> dead_experts(double threshold = 1e-3) const {
    std::vector<Index> dead;
    for (Index e = 0; e < num_experts(); ++e) {
      if (std::isnan(output_rms[e])) continue;
      bool used = num_units() == 0;
      for (Index u = 0; u < num_units(); ++u)
        used = used || gate_weights(u, e) + std::abs(static_weights(u, e)) > threshold;
      if (!used || output_rms[e] == 0) dead.push_back(e);
    }
    return dead;
  }
};

struct ExpertReport {
  Index rows = 0;  // B
  std::vector<LevelReport> levels;

  // A line per number: level,quantity,unit,expert,other,value. Quantities are named like the
  // members of LevelReport; a field that a quantity has no use for is empty, `other` is
  // similarity's second expert. All are counted from 0.
  std::string csv() const {
    std::string out = "level,quantity,unit,expert,other,value\n";
    for (std::size_t l = 0; l < levels.size(); ++l) {
      const LevelReport& level = levels[l];
      const auto line = [&](std::string_view quantity, const std::string& unit,
                            const std::string& expert, const std::string& other, double value) {
        out += std::to_string(l) + ',';
        out += quantity;
        out += ',' + unit + ',' + expert + ',' + other + ',' + csv_number(value) + '\n';
      };
      const auto per_unit_and_expert = [&](std::string_view name, const Matrix<double>& numbers) {
        for (Index u = 0; u < numbers.rows(); ++u)
          for (Index e = 0; e < numbers.cols(); ++e)
            line(name, std::to_string(u), std::to_string(e), "", numbers(u, e));
      };
      const auto per_unit = [&](std::string_view name, const Vector<double>& numbers) {
        for (Index u = 0; u < numbers.size(); ++u)
          line(name, std::to_string(u), "", "", numbers[u]);
      };
      const auto per_expert = [&](std::string_view name, const Vector<double>& numbers) {
        for (Index e = 0; e < numbers.size(); ++e)
          line(name, "", std::to_string(e), "", numbers[e]);
      };
      per_unit_and_expert("gate_weights", level.gate_weights);
      per_unit_and_expert("static_weights", level.static_weights);
      per_unit_and_expert("top_share", level.top_share);
      per_unit("entropy", level.entropy);
      per_unit("relative_entropy", level.relative_entropy);
      per_expert("importance", level.importance);
      per_expert("load", level.load);
      per_expert("output_rms", level.output_rms);
      for (Index e = 0; e < level.num_experts(); ++e)
        for (Index f = 0; f < level.num_experts(); ++f)
          line("similarity", "", std::to_string(e), std::to_string(f), level.similarity(e, f));
    }
    return out;
  }
};

}  // namespace plait
