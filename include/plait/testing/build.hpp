// Build: the lines that begin a test of a layer of one's own, which make the table, the layer, its
// numbers and a batch.
//
//   auto glu = plait::testing::build<double>(7, [](plait::ParamTable& table) {
//     return GluExpert<double>(table, "expert", 8, {.width = 4});
//   });
//   const auto x = glu.input(5);
//   const auto gradients = plait::testing::check_gradients(glu.layer, glu.theta, x.view());
//   const auto contract = plait::testing::check_layer(glu.layer, glu.theta);
//
// A description is built as a model does it, into a Network:
//
//   auto trunk = plait::testing::build<double>(7, plait::AdaTT{.input_dim = 8, ...});
//   auto expert = plait::testing::build<double>(7, Glu{.width = 4}, /*input_dim=*/8);
#pragma once
#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "plait/core/network.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/core/random.hpp"
#include "plait/core/tensor.hpp"
#include "plait/layers/body.hpp"
#include "plait/model/trunk.hpp"
#include "plait/testing/data.hpp"

namespace plait::testing {

// A layer and its numbers, drawn from a seed as a model's are.
template <Layer L>
struct Built {
  L layer;
  ParamBuffer<typename L::Scalar> theta;  // over the table that the layer was built on

  // Standard normal numbers, [batch, in_shape()].
  Tensor<typename L::Scalar> input(Index batch, std::uint64_t seed = 1) const {
    Random random(seed);
    return normal_tensor<typename L::Scalar>(batch, layer.in_shape(), random);
  }
  // As a gradient of the output, [batch, out_shape()].
  Tensor<typename L::Scalar> output(Index batch, std::uint64_t seed = 2) const {
    Random random(seed);
    return normal_tensor<typename L::Scalar>(batch, layer.out_shape(), random);
  }
};

// The layer that make(table) returns, on a fresh table. Throws what make throws.
template <class Scalar, std::invocable<ParamTable&> Make>
auto build(std::uint64_t seed, const Make& make) {
  auto table = std::make_shared<ParamTable>();
  auto layer = make(*table);
  ParamBuffer<Scalar> theta(std::move(table));
  Random random(seed);
  initialise(theta, random);
  return Built<decltype(layer)>{std::move(layer), std::move(theta)};
}
// A trunk, with `prefix` before its parameters' names. Throws ConfigError.
template <class Scalar>
Built<Network<Scalar>> build(std::uint64_t seed, const Trunk<Scalar>& trunk,
                             const std::string& prefix = "") {
  return build<Scalar>(seed, [&](ParamTable& table) { return trunk.build(table, prefix); });
}
// A body that reads `input_dim` numbers. Throws ConfigError.
template <class Scalar>
Built<Network<Scalar>> build(std::uint64_t seed, const Body& body, Index input_dim,
                             const std::string& name = "") {
  return build<Scalar>(
      seed, [&](ParamTable& table) { return body.build<Scalar>(table, name, input_dim); });
}

}  // namespace plait::testing
