// AdaShare: one network of residual blocks, of which every task learns the ones that it executes;
// the others it skips.                                          x [B, 1, D] -> y [B, T, H]
//
//   x^0_t = stem(x)
//   x^l_t = u_{t,l,0} F_l(x^{l-1}_t) + u_{t,l,1} x^{l-1}_t          l = 1 ... L
//   F_l(v) = relu(v + B_l relu(A_l v + a_l) + b_l)                  (layers/residual_block.hpp)
//   y_t = x^L_t
//
// u, how much of block l task t executes and how much it skips, is fusion/skip_policy.hpp: drawn
// once per step in training, one or the other in scoring. There a block that is
// skipped costs a copy, and one that is executed is computed once for all tasks that have executed
// the same blocks so far. All states are H wide,
// without layers in the stem as wide as the input.
//
// The paper updates weights and policies in turn, on different halves of the data, and retrains the
// weights with the policies held: by trainers of one model, in one of which "*policies.*" is frozen
// and in the other all else (ParamGroup), with other seeds, as each counts its own steps. Policies
// that are frozen are drawn as before. Its
// regularisers, which make tasks skip blocks and be alike, are penalties/ada_share_penalty.hpp.
// Parameters: stem.mlp_net.{2i}.weight|bias, blocks.{l}.mlp_net.0|2
// .weight|bias, policies.{t} (a) [L, 2], 0 at first. Source: Sun et al., "AdaShare: Learning What
// To Share For Efficient Deep Multi-Task Learning", NeurIPS 2020; sunxm2357/AdaShare
// models/deeplab_resnet.py.
#pragma once
#include <string_view>
#include <vector>

#include "plait/core/fields.hpp"
#include "plait/fusion/skip_policy.hpp"
#include "plait/layers/body.hpp"

namespace plait {

template <class Scalar>
class AdaShareLayer;  // architectures/ada_share_layer.hpp

struct AdaShare {
  Index input_dim = 0;
  Index num_tasks = 0;
  Body stem{};                  // layers before the blocks, the last of them H wide
  std::vector<Index> blocks{};  // of every block the width of its hidden layer
  SkipPolicy policy{};

  template <class S>
  using Layer = AdaShareLayer<S>;
  static constexpr std::string_view name = "AdaShare";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("stem", stem);
    visit("blocks", blocks);
    visit("policy", policy);
  }
};

}  // namespace plait
