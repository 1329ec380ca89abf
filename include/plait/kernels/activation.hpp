// Activations, elementwise and in place, with PyTorch's definitions and defaults.
//
// Where the derivative can be written in the output, the backward reads only the output; GELU and
// SiLU need their input, which the caller keeps (needs_input).
#pragma once
#include <cmath>
#include <numbers>

#include "plait/core/config.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/elementary.hpp"
#include "plait/kernels/packet.hpp"

namespace plait {

enum class Activation {
  identity,
  relu,        // max(a, 0); derivative 0 at 0
  leaky_relu,  // a > 0 ? a : 0.01 a; derivative 0.01 at 0
  gelu,        // a Φ(a), Φ the normal distribution function (exact form)
  gelu_tanh,   // a/2 (1 + tanh(√(2/π) (a + 0.044715 a³)))
  silu,        // a σ(a)
  tanh,
  sigmoid,
};

inline constexpr double leaky_relu_slope = 0.01;

// True when the backward reads the input a, false when it reads the output.
constexpr bool needs_input(Activation kind) {
  return kind == Activation::gelu || kind == Activation::gelu_tanh || kind == Activation::silu;
}

// σ(a), without overflow for any a.
template <class Scalar>
Scalar sigmoid(Scalar a) {
  using std::exp;
  if (a >= 0) return 1 / (1 + exp(-a));
  const Scalar e = exp(a);
  return e / (1 + e);
}

}  // namespace plait

#define PLAIT_EACH_SET "plait/kernels/each_set/activation.inl"
#include "plait/kernels/each_set.hpp"

namespace plait::kernels {

// a = f(a). NaN stays NaN under every activation.
template <class Scalar>
void activate(Activation kind, View3<Scalar> a) {
  PLAIT_RUN(instruction_set(), activate<Scalar>(kind, a));
}

// Reverses y = f(a): da = dy f'(a). `saved` is a when needs_input(kind), else y. da may be dy
// itself.
template <class Scalar>
void activate_backward(Activation kind, ConstView3<Scalar> saved, ConstView3<Scalar> dy,
                       View3<Scalar> da) {
  PLAIT_ASSERT(saved.batch() == da.batch() && saved.shape() == da.shape());
  PLAIT_ASSERT(dy.batch() == da.batch() && dy.shape() == da.shape());
  PLAIT_RUN(instruction_set(), activate_backward<Scalar>(kind, saved, dy, da));
}

#ifdef PLAIT_COMPILED
#define PLAIT_KERNELS(S)                            \
  PLAIT_KERNEL void activate(Activation, View3<S>); \
  PLAIT_KERNEL void activate_backward<S>(Activation, ConstView3<S>, ConstView3<S>, View3<S>);
PLAIT_KERNELS(float)
PLAIT_KERNELS(double)
#undef PLAIT_KERNELS
#endif

}  // namespace plait::kernels
