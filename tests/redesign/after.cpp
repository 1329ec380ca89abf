// The cases with the headers of redesign/include/.
#include <span>

#include "plait/architectures/adatt.hpp"
#include "plait/architectures/asymmetric_networks.hpp"
#include "plait/architectures/cross_stitch.hpp"
#include "plait/architectures/customized_networks.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/architectures/ple.hpp"
#include "plait/architectures/shared_bottom.hpp"
#include "plait/architectures/single_task.hpp"
#include "plait/layers/rotations.hpp"
#include "plait/model/model.hpp"

namespace api {

template <class S>
using SingleTask = plait::SingleTask;
template <class S>
using SharedBottom = plait::SharedBottom;
template <class S>
using AsymmetricSharing = plait::AsymmetricSharing;
template <class S>
using CustomizedSharing = plait::CustomizedSharing;
template <class S>
using CrossStitch = plait::CrossStitch;
template <class S>
using MMoE = plait::MMoE;
template <class S>
using MLMMoE = plait::MLMMoE;
template <class S>
using CGC = plait::CGC;
template <class S>
using PLE = plait::PLE;
template <class S>
using AdaTTSp = plait::AdaTTSp;
template <class S>
using AdaTT = plait::AdaTT;

template <class S, class Description, class Configure>
plait::Model<S> model(const Configure& configure) {
  Description description;
  configure(description);
  return {description, {.hidden = {{7}}, .outputs = {1, 2, 1}}, /*seed=*/5};
}

template <class S>
void infer(const plait::Model<S>& model, plait::Tensor<S>& x, plait::Tensor<S>& y,
           plait::Scratch& scratch) {
  model.network().forward(model.values(), x, y, nullptr, scratch);
}
// The gradient starts from anything, so that claims are tried as well.
template <class S>
plait::ParamBuffer<S> train(const plait::Model<S>& model, plait::Tensor<S>& x, plait::Tensor<S>& y,
                            plait::View3<const S> dy, plait::Tensor<S>& dx, plait::Scratch& scratch,
                            std::span<const bool> live) {
  typename plait::Sequential<S>::Workspace workspace;
  plait::ParamBuffer<S> gradient(model.shared_table());
  for (const plait::ParamEntry& entry : model.table().entries())
    for (S& number : gradient.of(entry.id)) number = S(-1e30);
  std::vector<std::uint8_t> unclaimed(model.table().entries().size(), 1);
  const auto view = plait::GradView<S>::from_anything(gradient.flat().data(), unclaimed.data());
  model.network().forward(model.values(), x, y, &workspace, scratch);
  model.network().backward(model.values(), x, y.view(), dy, dx, workspace, view, scratch, live);
  view.zero_unclaimed(model.table());
  return gradient;
}

}  // namespace api

#include "redesign/cases.hpp"

int main() {
  redesign::run_all<float>();
  redesign::run_all<double>();
}
