// The kernels once more as naive loops with the same signatures: the oracle that the fast ones are
// tested against, and the shortest statement of what each computes.
#pragma once
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "plait/core/config.hpp"
#include "plait/core/param_view.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/activation.hpp"
#include "plait/kernels/selections.hpp"

namespace plait::reference {

template <class Scalar>
void linear(ConstView3<Scalar> x, MatrixMap<const Scalar> weight,
            const std::type_identity_t<Scalar>* bias, View3<Scalar> y) {
  for (Index b = 0; b < y.batch(); ++b)
    for (Index o = 0; o < y.dim(); ++o) {
      y(b, 0, o) = bias == nullptr ? Scalar(0) : bias[o];
      for (Index i = 0; i < x.dim(); ++i) y(b, 0, o) += x(b, 0, i) * weight(o, i);
    }
}

template <class Scalar>
void linear_backward_input(ConstView3<Scalar> dy, MatrixMap<const Scalar> weight,
                           View3<Scalar> dx) {
  for (Index b = 0; b < dx.batch(); ++b)
    for (Index i = 0; i < dx.dim(); ++i) {
      dx(b, 0, i) = 0;
      for (Index o = 0; o < dy.dim(); ++o) dx(b, 0, i) += dy(b, 0, o) * weight(o, i);
    }
}

template <class Scalar>
void linear_backward_params(View3<const Scalar> x, ConstView3<Scalar> dy,
                            const GradSlot<Scalar>& dweight, std::type_identity_t<Scalar>* dbias) {
  MatrixMap<Scalar> sums = dweight.matrix();
  if (dweight.overwrite) sums.setZero();
  for (Index b = 0; b < x.batch(); ++b)
    for (Index o = 0; o < dy.dim(); ++o) {
      for (Index i = 0; i < x.dim(); ++i) sums(o, i) += dy(b, 0, o) * x(b, 0, i);
      if (dbias != nullptr) dbias[o] += dy(b, 0, o);
    }
}

template <class Scalar>
Scalar activation(Activation kind, Scalar a) {
  switch (kind) {
    case Activation::identity:
      return a;
    case Activation::relu:
      return (std::max)(a, Scalar(0));
    case Activation::leaky_relu:
      return a > 0 ? a : Scalar(0.01) * a;
    case Activation::gelu:
      return a * std::erfc(-a / std::sqrt(Scalar(2))) / 2;
    case Activation::gelu_tanh:
      return a / 2 *
             (1 + std::tanh(std::sqrt(2 / Scalar(3.14159265358979323846)) *
                            (a + Scalar(0.044715) * std::pow(a, Scalar(3)))));
    case Activation::silu:
      return a / (1 + std::exp(-a));
    case Activation::tanh:
      return std::tanh(a);
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-a));
  }
  return a;
}

template <class Scalar>
void activate(Activation kind, View3<Scalar> a) {
  for (Index b = 0; b < a.batch(); ++b)
    for (Index s = 0; s < a.slots(); ++s)
      for (Index d = 0; d < a.dim(); ++d) a(b, s, d) = activation(kind, a(b, s, d));
}

template <class Scalar>
void softmax(std::type_identity_t<Scalar> temperature, View3<Scalar> p) {
  for (Index b = 0; b < p.batch(); ++b)
    for (Index s = 0; s < p.slots(); ++s) {
      Scalar top = p(b, s, 0);
      for (Index d = 0; d < p.dim(); ++d) top = (std::max)(top, p(b, s, d));
      Scalar total = 0;
      for (Index d = 0; d < p.dim(); ++d) total += std::exp((p(b, s, d) - top) / temperature);
      for (Index d = 0; d < p.dim(); ++d)
        p(b, s, d) = std::exp((p(b, s, d) - top) / temperature) / total;
    }
}

// da_i = Σ_j dp_j ∂p_j/∂a_i with ∂p_j/∂a_i = p_j (1[i = j] - p_i) / τ, the Jacobian written out.
template <class Scalar>
void softmax_backward(std::type_identity_t<Scalar> temperature, ConstView3<Scalar> p,
                      ConstView3<Scalar> dp, View3<Scalar> da) {
  for (Index b = 0; b < p.batch(); ++b)
    for (Index s = 0; s < p.slots(); ++s)
      for (Index i = 0; i < p.dim(); ++i) {
        da(b, s, i) = 0;
        for (Index j = 0; j < p.dim(); ++j)
          da(b, s, i) += dp(b, s, j) * p(b, s, j) * (Scalar(i == j) - p(b, s, i)) / temperature;
      }
}

template <class Scalar>
void mix(ConstView3<Scalar> experts, const Selections& selections, ConstView3<Scalar> weights,
         View3<Scalar> y) {
  for (Index b = 0; b < y.batch(); ++b)
    for (Index u = 0; u < y.slots(); ++u)
      for (Index d = 0; d < y.dim(); ++d) {
        y(b, u, d) = 0;
        for (Index c = selections.first(u); c < selections.first(u) + selections.count(u); ++c)
          y(b, u, d) += weights(b, 0, c) * experts(b, selections.expert(c), d);
      }
}

template <class Scalar>
void mix_backward(ConstView3<Scalar> expert, const Selections& selections, Index e,
                  ConstView3<Scalar> weights, ConstView3<Scalar> dy, View3<Scalar> dexpert,
                  View3<Scalar> dweights) {
  for (Index b = 0; b < dy.batch(); ++b) {
    for (Index d = 0; d < dy.dim(); ++d) dexpert(b, 0, d) = 0;
    for (Index u = 0; u < dy.slots(); ++u)
      for (Index c = selections.first(u); c < selections.first(u) + selections.count(u); ++c) {
        if (selections.expert(c) != e) continue;
        dweights(b, 0, c) = 0;
        for (Index d = 0; d < dy.dim(); ++d) {
          dexpert(b, 0, d) += weights(b, 0, c) * dy(b, u, d);
          dweights(b, 0, c) += expert(b, 0, d) * dy(b, u, d);
        }
      }
  }
}

template <class Scalar>
void sum_slots(ConstView3<Scalar> src, View3<Scalar> dst) {
  for (Index b = 0; b < dst.batch(); ++b)
    for (Index d = 0; d < dst.dim(); ++d) {
      dst(b, 0, d) = 0;
      for (Index s = 0; s < src.slots(); ++s) dst(b, 0, d) += src(b, s, d);
    }
}

template <class Scalar>
void add_batch_sums(ConstView3<Scalar> x, Scalar* out) {
  for (Index b = 0; b < x.batch(); ++b)
    for (Index d = 0; d < x.dim(); ++d) out[d] += x(b, 0, d);
}

}  // namespace plait::reference
