// What both programs run: every architecture, forward, backward and backward of one task alone, to
// one line of hashes. Each program says in `api` how its headers are used.
#pragma once
#include <cstddef>
#include <cstdio>
#include <span>

#include "plait/core/random.hpp"
#include "plait/core/scratch.hpp"
#include "plait/core/tensor.hpp"
#include "redesign/hash.hpp"

namespace redesign {

using plait::Index;

template <class Scalar>
std::span<Scalar> numbers(plait::Tensor<Scalar>& tensor) {
  return {tensor.view().data(),
          static_cast<std::size_t>(tensor.batch() * tensor.slots() * tensor.dim())};
}

template <class Scalar>
plait::Tensor<Scalar> normal(Index batch, plait::Shape shape, plait::Random& random) {
  plait::Tensor<Scalar> result(batch, shape.slots, shape.dim);
  for (Scalar& number : numbers(result)) number = static_cast<Scalar>(random.normal());
  return result;
}
template <class Model>
void run(const char* name, const Model& model) {
  using Scalar = typename Model::Scalar;
  const Index batch = 37;
  plait::Random random(3);
  plait::Tensor<Scalar> x = normal<Scalar>(batch, model.in_shape(), random);
  plait::Tensor<Scalar> dy = normal<Scalar>(batch, model.out_shape(), random);
  plait::Tensor<Scalar> y(batch, 1, model.out_shape().dim);
  plait::Tensor<Scalar> dx(batch, model.in_shape().slots, model.in_shape().dim);
  plait::Scratch scratch;
  Hash hash;
  api::infer(model, x, y, scratch);
  hash.add<Scalar>(numbers(y));
  const auto pass = [&](plait::View3<const Scalar> upstream, std::span<const bool> live) {
    const auto gradient = api::train(model, x, y, upstream, dx, scratch, live);
    hash.add<Scalar>(numbers(y));
    if (live.empty()) hash.add<Scalar>(numbers(dx));
    hash.add<Scalar>(gradient.flat());
  };
  pass(dy, {});
  const bool second[] = {false, true, false};
  pass(dy, second);
  std::printf("%s %zu %016llx\n", name, sizeof(Scalar),
              static_cast<unsigned long long>(hash.value()));
}

template <class S>
void run_all() {
  const auto sizes = [](auto& config) {
    config.input_dim = 20;
    config.num_tasks = 3;
  };
  const auto flat = [sizes](auto& config) {
    sizes(config);
    config.expert = {24, 13};
  };
  const auto levels = [sizes](auto& config) {
    sizes(config);
    config.levels.push_back({24});
    config.levels.push_back({13});
  };
  run("SingleTask", api::model<S, api::SingleTask<S>>(flat));
  run("SharedBottom", api::model<S, api::SharedBottom<S>>(flat));
  run("AsymmetricSharing", api::model<S, api::AsymmetricSharing<S>>([&](auto& config) {
        flat(config);
        config.sources = {{}, {0}, {0, 1}};
      }));
  run("AsymmetricSharing, sum", api::model<S, api::AsymmetricSharing<S>>([&](auto& config) {
        flat(config);
        config.sources = {{}, {0}, {0, 1}};
        config.fusion = plait::Fusion::sum;
        config.stop_gradient = false;
      }));
  run("CustomizedSharing", api::model<S, api::CustomizedSharing<S>>(flat));
  run("CrossStitch", api::model<S, api::CrossStitch<S>>([&](auto& config) {
        levels(config);
        config.stitch = plait::Stitch::uniform;
        config.separate_inputs = true;
      }));
  run("MMoE", api::model<S, api::MMoE<S>>([&](auto& config) {
        flat(config);
        config.num_experts = 5;
      }));
  run("MLMMoE", api::model<S, api::MLMMoE<S>>([&](auto& config) {
        levels(config);
        config.num_experts = 4;
        config.gates[0].body = {9};
        config.gates[0].temperature = 2;
      }));
  run("CGC", api::model<S, api::CGC<S>>([&](auto& config) {
        flat(config);
        config.task_experts = {2, 1, 3};
        config.shared_experts = 2;
      }));
  run("PLE", api::model<S, api::PLE<S>>([&](auto& config) {
        levels(config);
        config.task_experts = {2};
      }));
  run("PLE, no shared experts", api::model<S, api::PLE<S>>([&](auto& config) {
        levels(config);
        config.shared_experts = 0;
      }));
  run("AdaTTSp", api::model<S, api::AdaTTSp<S>>([&](auto& config) {
        levels(config);
        config.task_experts = 2;
      }));
  run("AdaTT", api::model<S, api::AdaTT<S>>([&](auto& config) {
        levels(config);
        config.task_experts = {2};
      }));
  run("AdaTT, no residual, GELU", api::model<S, api::AdaTT<S>>([&](auto& config) {
        sizes(config);
        config.levels.push_back({{24}, plait::Activation::gelu});
        config.residual = false;
        config.separate_inputs = true;
      }));
}

}  // namespace redesign
