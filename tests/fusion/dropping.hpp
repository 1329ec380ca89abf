// Expert dropout for the gradient check.
#pragma once
#include "plait/core/network.hpp"
#include "plait/core/options.hpp"

namespace dropping {

// A trunk whose forward drops experts whatever it is asked: what the gradient check needs.
struct Dropping {
  using Scalar = double;
  using Workspace = plait::Network<double>::Workspace;

  plait::Network<double> trunk;
  plait::ExpertDropout dropout;

  plait::Shape in_shape() const { return trunk.in_shape(); }
  plait::Shape out_shape() const { return trunk.out_shape(); }
  void forward(plait::ParamView<double> theta, plait::View3<const double> x, plait::View3<double> y,
               Workspace* workspace, plait::Scratch& scratch) const {
    trunk.forward(theta, x, y, workspace, scratch, {.expert_dropout = dropout});
  }
  void backward(plait::ParamView<double> theta, plait::View3<const double> x,
                plait::View3<const double> y, plait::View3<const double> dy,
                plait::View3<double> dx, const Workspace& workspace, plait::GradView<double> grad,
                plait::Scratch& scratch) const {
    trunk.backward(theta, x, y, dy, dx, workspace, grad, scratch);
  }
};

}  // namespace dropping
