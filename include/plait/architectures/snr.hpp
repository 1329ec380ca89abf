// SNR, sub-network routing: levels of experts that all tasks share, and connections between them
// that are learned together with how many there are.            x [B, 1, D] -> y [B, T, H_L]
//
//   u^1_j = relu(A^1_j x + b^1_j)
//   SNR-Trans   v^l_i = Σ_j z^l_ij W^l_ij u^{l-1}_j,   u^l_i = relu(v^l_i + b^l_i)
//   SNR-Aver    v^l_i = Σ_j z^l_ij u^{l-1}_j,          u^l_i = relu(A^l_i v^l_i + b^l_i)
//   y_t = v^{L+1}_t                                    l = 2 ... L, i, j = 1 ... E
//
// z is hard-concrete (fusion/hard_concrete.hpp): drawn once per step in training, exactly 0 or 1 at
// times, expected in scoring. Connections whose ẑ is 0 cost nothing there, nor do experts that no
// task is connected to. The paper's term λ Σ P(z ≠ 0), which makes connections vanish, is
// penalties/l0.hpp. Where its bias and activation stand in SNR-Trans the paper
// does not say; its "average" is a sum. Parameters: experts.{l}.{i}.mlp_net.0.weight|bias (A),
// log_alphas.{l} (a) [targets, sources], at 0 at first; and of SNR-Trans
// transforms.{l}.{i}.{j}.mlp_net.0.weight (W) and biases.{l}.{i}. Source: Ma et al., "SNR:
// Sub-Network Routing for Flexible Parameter Sharing in Multi-Task Learning", AAAI 2019.
#pragma once
#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "plait/architectures/routed_networks.hpp"
#include "plait/core/fields.hpp"
#include "plait/fusion/hard_concrete.hpp"
#include "plait/fusion/units.hpp"

namespace plait {

enum class SNRConnection { trans, aver };
template <>
struct EnumNames<SNRConnection> {
  static constexpr std::array<std::string_view, 2> names{"trans", "aver"};
};

struct SNR {
  Index input_dim = 0;
  Index num_tasks = 0;
  Index num_experts = 0;        // E, of every level
  std::vector<Index> levels{};  // H_l
  SNRConnection connection = SNRConnection::trans;
  HardConcrete gates{};

  template <class S>
  using Layer = RoutedNetworks<S, HardConcrete>;
  static constexpr std::string_view name = "SNR";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("num_experts", num_experts);
    visit("levels", levels);
    visit("connection", connection);
    visit("gates", gates);
  }

  PLAIT_COLD RoutedPlan<HardConcrete> routes(const ParamTable& table) const {
    check_trunk(table, "SNR", input_dim, num_tasks, levels.size());
    require_config(num_experts >= 1, "SNR", "num_experts", text(num_experts), "at least 1");
    const bool trans = connection == SNRConnection::trans;
    RoutedPlan<HardConcrete> plan{"SNR", input_dim, {}, trans, gates, "log_alphas"};
    for (std::size_t l = 0; l < levels.size(); ++l)
      plan.levels.push_back(
          {num_experts, levels[l], l > 0 && trans ? NodeKind::relu : NodeKind::network});
    plan.levels.push_back({num_tasks, levels.back(), NodeKind::sum});
    return plan;
  }
};

}  // namespace plait
