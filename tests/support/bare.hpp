// A layer with what its concept asks for and nothing else, as a user may write one: none of the
// optional members (reach, options of backward, is_identity, visit_input_linears).
#pragma once
#include <concepts>
#include <utility>

#include "plait/core/layer.hpp"

template <plait::Layer L>
struct Bare {
  using Scalar = typename L::Scalar;
  using Config = typename L::Config;
  using Workspace = typename L::Workspace;

  template <class... Args>
  requires std::constructible_from<L, Args...>
  explicit Bare(Args&&... args) : layer(std::forward<Args>(args)...) {}

  plait::Shape in_shape() const { return layer.in_shape(); }
  plait::Shape out_shape() const { return layer.out_shape(); }
  void infer(plait::ParamView<const Scalar> theta, plait::View3<const Scalar> x,
             plait::View3<Scalar> y, plait::Scratch& scratch) const {
    layer.infer(theta, x, y, scratch);
  }
  void forward(plait::ParamView<const Scalar> theta, plait::View3<const Scalar> x,
               plait::View3<Scalar> y, Workspace& workspace, plait::Scratch& scratch) const {
    layer.forward(theta, x, y, workspace, scratch);
  }
  void backward(plait::ParamView<const Scalar> theta, plait::View3<const Scalar> x,
                plait::View3<const Scalar> y, plait::View3<const Scalar> dy,
                plait::View3<Scalar> dx, const Workspace& workspace, plait::ParamView<Scalar> grad,
                plait::Scratch& scratch) const {
    layer.backward(theta, x, y, dy, dx, workspace, grad, scratch);
  }

  L layer;
};
