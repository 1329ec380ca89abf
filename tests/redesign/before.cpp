// The cases with the headers of include/.
#include <functional>

#include "plait/plait.hpp"

namespace api {

template <class S>
using SingleTask = plait::SingleTask<S>;
template <class S>
using SharedBottom = plait::SharedBottom<S>;
template <class S>
using AsymmetricSharing = plait::AsymmetricSharing<S>;
template <class S>
using CustomizedSharing = plait::CustomizedSharing<S>;
template <class S>
using CrossStitch = plait::CrossStitch<S>;
template <class S>
using MMoE = plait::MMoE<S>;
template <class S>
using MLMMoE = plait::MLMMoE<S>;
template <class S>
using CGC = plait::CGC<S>;
template <class S>
using PLE = plait::PLE<S>;
template <class S>
using AdaTTSp = plait::AdaTTSp<S>;
template <class S>
using AdaTT = plait::AdaTT<S>;

template <class S, class Trunk, class Configure>
plait::Model<Trunk> model(const Configure& configure) {
  typename Trunk::Config config;
  configure(config);
  return {config, {.hidden = {{7}}, .outputs = {1, 2, 1}}, /*seed=*/5};
}

template <class Model, class S>
void infer(const Model& model, plait::Tensor<S>& x, plait::Tensor<S>& y, plait::Scratch& scratch) {
  model.network().infer(model.values(), x, y, scratch);
}
template <class Model, class S>
plait::ParamBuffer<S> train(const Model& model, plait::Tensor<S>& x, plait::Tensor<S>& y,
                            plait::View3<const S> dy, plait::Tensor<S>& dx, plait::Scratch& scratch,
                            std::span<const bool> live) {
  typename Model::Network::Workspace workspace;
  plait::ParamBuffer<S> gradient(model.values().shared_table());
  model.network().forward(model.values(), x, y, workspace, scratch);
  model.network().backward(model.values(), x, y.view(), dy, dx, workspace, gradient.view(), scratch,
                           live);
  return gradient;
}

}  // namespace api

#include "redesign/cases.hpp"

int main() {
  redesign::run_all<float>();
  redesign::run_all<double>();
}
