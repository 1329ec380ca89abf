// A layer with what its concept asks for and nothing else, as a user may write one: none of the
// optional members (core/layer.hpp lists them).
#pragma once
#include <concepts>
#include <string>
#include <utility>

#include "plait/core/layer.hpp"
#include "plait/layers/mlp.hpp"

template <plait::Layer L>
struct Bare {
  using Scalar = typename L::Scalar;
  using Workspace = typename L::Workspace;

  template <class... Args>
  requires std::constructible_from<L, Args...>
  explicit Bare(Args&&... args) : layer(std::forward<Args>(args)...) {}

  plait::Shape in_shape() const { return layer.in_shape(); }
  plait::Shape out_shape() const { return layer.out_shape(); }
  void forward(plait::ParamView<Scalar> theta, plait::View3<const Scalar> x, plait::View3<Scalar> y,
               Workspace* workspace, plait::Scratch& scratch) const {
    layer.forward(theta, x, y, workspace, scratch);
  }
  void backward(plait::ParamView<Scalar> theta, plait::View3<const Scalar> x,
                plait::View3<const Scalar> y, plait::View3<const Scalar> dy,
                plait::View3<Scalar> dx, const Workspace& workspace, plait::GradView<Scalar> grad,
                plait::Scratch& scratch) const {
    layer.backward(theta, x, y, dy, dx, workspace, grad, scratch);
  }

  L layer;
};

// The description of a bare MLP.
struct BareMLP {
  plait::MLPConfig mlp;

  template <class S>
  struct Layer : Bare<plait::MLP<S>> {
    Layer(plait::ParamTable& table, const std::string& name, plait::Index input_dim,
          const BareMLP& config)
        : Bare<plait::MLP<S>>(table, name, input_dim, config.mlp) {}
  };
};
