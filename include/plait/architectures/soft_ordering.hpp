// Soft layer ordering: D shared layers, applied D times; every task learns how much of which layer
// it takes at which depth.                                      x [B, 1, D_in] -> y [B, T, H]
//
//   y^0_t = encoder_t(x)
//   y^k_t = Σ_j s_{t,k,j} φ(W_j y^{k-1}_t + b_j),   s_{t,k} = softmax(S_{t,k})     k, j = 1 ... D
//   y_t = y^D_t
//
// All layers and encoders are H wide. An encoder of one's own for every task is the source's form;
// with `task_encoders = false` all tasks share one, and without layers an encoder is the identity
// (H is then the input's width). Decoders are the model's towers. The reference code
// drops activations at random in training: not here.
// Parameters: encoders.{t}.mlp_net.{2i}.weight|bias, or encoder.mlp_net.…; layers.{j}.mlp_net.0
// .weight (W_j) [H, H] and .bias; orders.{t} (S_t) [D, D], a row per depth, 0 at first, which takes
// all layers alike.
// Source: Meyerson and Miikkulainen, "Beyond Shared Hierarchies: Deep Multitask Learning through
// Soft Layer Ordering", ICLR 2018; Lifelong-ML/Mendez2020Compositional
// models/mlp_soft_lifelong.py.
#pragma once
#include <string_view>

#include "plait/core/fields.hpp"
#include "plait/layers/body.hpp"

namespace plait {

template <class Scalar>
class SoftOrderingLayer;  // architectures/soft_ordering_layer.hpp

struct SoftOrdering {
  Index input_dim = 0;
  Index num_tasks = 0;
  Body encoder{};                            // every encoder's layers, the last of them H wide
  Index depth = 0;                           // D: layers, and times that they are applied
  Activation activation = Activation::relu;  // φ
  bool task_encoders = true;                 // false: one encoder for all tasks

  template <class S>
  using Layer = SoftOrderingLayer<S>;
  static constexpr std::string_view name = "SoftOrdering";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("encoder", encoder);
    visit("depth", depth);
    visit("activation", activation);
    visit("task_encoders", task_encoders);
  }
};

}  // namespace plait
