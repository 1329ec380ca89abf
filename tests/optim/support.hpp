// Two small tensors and their gradients at three steps, and a way to run an optimizer over them.
#pragma once
#include <array>
#include <memory>
#include <utility>

#include "plait/core/param_buffer.hpp"

namespace optim_test {

using plait::ParamBuffer;
using plait::ParamTable;

// a.weight [3] and b.bias [2].
inline std::shared_ptr<const ParamTable> two_tensors() {
  auto table = std::make_shared<ParamTable>();
  table->add_vector("a.weight", 3, plait::Init::constant(0));
  table->add_vector("b.bias", 2, plait::Init::constant(0));
  return table;
}

template <class Scalar>
void assign(ParamBuffer<Scalar>& buffer, const std::array<double, 3>& a,
            const std::array<double, 2>& b) {
  for (std::size_t i = 0; i < 3; ++i) buffer.of("a.weight")[i] = static_cast<Scalar>(a[i]);
  for (std::size_t i = 0; i < 2; ++i) buffer.of("b.bias")[i] = static_cast<Scalar>(b[i]);
}

template <class Scalar>
ParamBuffer<Scalar> start(const std::shared_ptr<const ParamTable>& table) {
  ParamBuffer<Scalar> values(table);
  assign(values, {0.5, -1.2, 2.0}, {0.1, -0.3});
  return values;
}

template <class Scalar>
ParamBuffer<Scalar> gradient(const std::shared_ptr<const ParamTable>& table, int step) {
  ParamBuffer<Scalar> grad(table);
  if (step == 0) assign(grad, {0.3, -0.7, 0.0}, {1.0, -2.0});
  if (step == 1) assign(grad, {-0.2, 0.4, 1.1}, {0.5, 0.25});
  if (step == 2) assign(grad, {0.9, 0.05, -0.6}, {-0.75, 0.6});
  return grad;
}

// The values after three steps.
template <class Scalar, class Optimizer>
ParamBuffer<Scalar> after_three_steps(Optimizer optimizer,
                                      const std::shared_ptr<const ParamTable>& table) {
  auto values = start<Scalar>(table);
  for (int k = 0; k < 3; ++k) optimizer.step(values, gradient<Scalar>(table, k));
  return values;
}

}  // namespace optim_test
