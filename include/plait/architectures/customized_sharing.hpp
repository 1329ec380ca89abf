// Customized sharing: a network per task beside one for all; towers see both.
//                                                               x [B, 1, D] -> y [B, T, 2H]
//   y_t = [network_t(x); shared(x)]
//
// Parameters: bottoms.{t}.mlp_net.{2j}.weight|bias, shared_bottom.mlp_net.{2j}.weight|bias.
// Source: Tang et al. (PLE), RecSys 2020, figure 1(c) and section 3.2.
#pragma once
#include <string_view>

#include "plait/core/fields.hpp"
#include "plait/layers/body.hpp"

namespace plait {

template <class Scalar>
class CustomizedNetworks;  // architectures/customized_networks.hpp

struct CustomizedSharing {
  Index input_dim = 0;
  Index num_tasks = 0;
  Body expert{};  // every network's layers

  template <class S>
  using Layer = CustomizedNetworks<S>;
  static constexpr std::string_view name = "CustomizedSharing";
  void fields(FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("expert", expert);
  }
};

}  // namespace plait
