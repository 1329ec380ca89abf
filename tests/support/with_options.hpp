// Forward options for the gradient check.
#pragma once
#include "plait/core/network.hpp"
#include "plait/core/options.hpp"

namespace with_options {

// A network whose forward takes these options whatever it is asked: what drops experts or draws
// does so alike in every call.
struct Layer {
  using Scalar = double;
  using Workspace = plait::Network<double>::Workspace;

  plait::Network<double> network;
  plait::ForwardOptions options;

  plait::Shape in_shape() const { return network.in_shape(); }
  plait::Shape out_shape() const { return network.out_shape(); }
  void forward(plait::ParamView<double> theta, plait::View3<const double> x, plait::View3<double> y,
               Workspace* workspace, plait::Scratch& scratch) const {
    network.forward(theta, x, y, workspace, scratch, options);
  }
  void backward(plait::ParamView<double> theta, plait::View3<const double> x,
                plait::View3<const double> y, plait::View3<const double> dy,
                plait::View3<double> dx, const Workspace& workspace, plait::GradView<double> grad,
                plait::Scratch& scratch) const {
    network.backward(theta, x, y, dy, dx, workspace, grad, scratch);
  }
};

}  // namespace with_options
