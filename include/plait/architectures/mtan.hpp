// MTAN, fully connected: one shared network, of which every task sees what its own masks let
// through, level by level.                                      x [B, 1, D] -> y [B, T, H_L]
//
//   p_0 = x,   u_l = relu(A_l p_{l-1}),   p_l = relu(C_l u_l)                             shared
//   r_{t,l} = relu(W_{t,l} [u_l ; q_{t,l-1}]),   μ_{t,l} = σ(V_{t,l} r_{t,l})       task t's mask
//   a_{t,l} = μ_{t,l} ⊙ p_l,   q_{t,l} = relu(F_l a_{t,l})
//   y_t = a_{t,L}
//
// Every matrix has a bias; level l is H_l wide throughout. The first level's masks read u_1 alone;
// F is one for all tasks, and there is none at the last level. The source has batch normalisation
// after W, V and F, which would make a row depend on its batch: not here.
// Parameters, each {name}.mlp_net.0.weight|bias: u.{l} (A) [H_l, H_{l-1}], p.{l} (C), q.{l} (F)
// [H_l, H_l], and of task t mask_hidden.{l}.{t} (W) [H_l, H_l + H_{l-1}], mask.{l}.{t} (V)
// [H_l, H_l].
// Source: Liu et al., "End-to-End Multi-Task Learning with Attention", CVPR 2019, section 3;
// lorenmt/mtan im2im_pred/model_segnet_mtan.py.
#pragma once
#include <string_view>
#include <vector>

#include "plait/core/fields.hpp"

namespace plait {

template <class Scalar>
class MTANLayer;  // architectures/mtan_layer.hpp

struct MTAN {
  Index input_dim = 0;
  Index num_tasks = 0;
  std::vector<Index> levels{};  // H_l

  template <class S>
  using Layer = MTANLayer<S>;
  static constexpr std::string_view name = "MTAN";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("levels", levels);
  }
};

}  // namespace plait
