// Asymmetric sharing: a network per task; along a directed graph, a task also sees others'.
//                                                               x [B, 1, D] -> y [B, T, H]
//   h_t = network_t(x),   S_t = sources(t)
//   concat   y_t = [h_t; sg(h_s) for s in S_t] Pᵀ + p    (y_t = h_t when S_t is empty)
//   sum      y_t = h_t + Σ_s sg(h_s)
//   mean     y_t = (h_t + Σ_s sg(h_s)) / (1 + |S_t|)
//
// sg is the stop-gradient: on by default, so that a task learns from its sources without disturbing
// them; `stop_gradient = false` lets the gradient through. The paper draws the arrows and gives no
// equation; the projection and the stop-gradient are one published realisation of it.
// Parameters: bottoms.{t}.mlp_net.{2j}.weight|bias; with concat projections.{t}.weight
// [H, (1 + |S_t|) H] and .bias for tasks with sources.
// Source: Tang et al. (PLE), RecSys 2020, figure 1(b) and section 3.2.
#pragma once
#include <array>
#include <string_view>
#include <vector>

#include "plait/core/fields.hpp"
#include "plait/layers/body.hpp"

namespace plait {

enum class Fusion { concat, sum, mean };
template <>
struct EnumNames<Fusion> {
  static constexpr std::array<std::string_view, 3> names{"concat", "sum", "mean"};
};

template <class Scalar>
class AsymmetricNetworks;  // architectures/asymmetric_networks.hpp

struct AsymmetricSharing {
  Index input_dim = 0;
  Index num_tasks = 0;
  Body expert{};                              // every network's layers
  std::vector<std::vector<Index>> sources{};  // for each task, the tasks that it sees
  Fusion fusion = Fusion::concat;
  bool stop_gradient = true;

  template <class S>
  using Layer = AsymmetricNetworks<S>;
  static constexpr std::string_view name = "AsymmetricSharing";
  void fields(FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("expert", expert);
    visit("sources", sources);
    visit("fusion", fusion);
    visit("stop_gradient", stop_gradient);
  }
};

}  // namespace plait
