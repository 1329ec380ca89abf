// TensorNormal: the prior of multilinear relationship networks. The tasks' heads, weights [C, D] of
// one shape, are stacked to W [D, C, T], which is drawn from a normal distribution whose covariance
// is a product of one over features, one over classes and one over tasks: tasks whose heads are
// alike draw each other near.
//
//   Ω = λ (½ vec(W)ᵀ (Σ_1 ⊗ Σ_2 ⊗ Σ_3)⁻¹ vec(W) + ½ Σ_k (N / D_k) ln |Σ_k|),   N = D C T
//   dW = λ W ×_1 Σ_1⁻¹ ×_2 Σ_2⁻¹ ×_3 Σ_3⁻¹
//
// the negative log of the prior but for a constant. Every `every` steps the covariances learn from
// the weights, one after the other (flip-flop):
//
//   Σ_k = (D_k / N) W_(k) (⊗_{j≠k} Σ_j⁻¹) W_(k)ᵀ + ε I
//
// With all Σ = I, as they start, Ω is L2. `tasks_alone` leaves those of features and classes there,
// as the authors' code does; which has no ½ and no N / D_k, cuts small singular values off and caps
// the trace, none of which is followed. The numbers: those covariances that are learned, their
// inverses, and every ln |Σ_k|. An update allocates where an axis is longer than 128. Source: Long
// et al., "Learning Multiple Tasks with Multilinear Relationship Networks", NIPS 2017;
// thuml/MTlearn src/tensor_op.py, model_multi_task.py.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/penalties/penalty.hpp"

PLAIT_INTRINSICS_BEGIN
#include <Eigen/Cholesky>
PLAIT_INTRINSICS_END

namespace plait {

struct TensorNormal {
  double weight = 0;         // λ
  double epsilon = 1e-3;     // ε
  double every = 100;        // steps
  bool tasks_alone = false;  // whose covariance alone is learned
  std::string parameters{};  // the heads' weights: e.g. "task_modules.*.mlp_net.0.weight"

  static constexpr Index longest = 2048;  // axis with a covariance of its own

  static constexpr std::string_view name = "TensorNormal";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("weight", weight);
    visit("epsilon", epsilon);
    visit("every", every);
    visit("tasks_alone", tasks_alone);
    visit("parameters", parameters);
  }
  // Throws ConfigError for weights of different shapes, and axes whose covariances are too large.
  void validate(PenaltyParams of) const {
    detail::require_penalty_weight("TensorNormal", "weight", weight);
    require_config(std::isfinite(epsilon) && epsilon > 0, "TensorNormal", "epsilon", text(epsilon),
                   "a finite number above 0");
    require_config(std::isfinite(every) && every >= 1, "TensorNormal", "every", text(every),
                   "a finite number of at least 1");
    for (const ParamId id : of)
      require_config(id.rows == of.front().rows && id.cols == of.front().cols, "TensorNormal",
                     "parameters", text(id.rows, " by ", id.cols),
                     text("weights of one shape, ", of.front().rows, " by ", of.front().cols));
    const Dims dims = dims_of(of);
    for (std::size_t k = first_learned(); k < 3; ++k)
      require_config(dims[k] <= longest, "TensorNormal", "parameters", text("an axis of ", dims[k]),
                     text("at most ", longest, ", or tasks_alone"));
  }

  std::vector<double> initial_numbers(PenaltyParams of) const {
    const Dims dims = dims_of(of);
    std::vector<double> numbers(size_of(dims));
    for (std::size_t k = first_learned(); k < 3; ++k)
      for (Index i = 0; i < dims[k]; ++i)
        for (const bool inverse : {false, true})
          numbers[place(dims, k, inverse) + static_cast<std::size_t>(i * dims[k] + i)] = 1;
    return numbers;
  }

  template <class S>
  double add(PenaltyParams of, const ParamBuffer<S>& theta, ParamBuffer<S>& gradient,
             std::span<const double> numbers, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const Dims dims = dims_of(of);
    double* w = scratch.take<double>(1, 1, count(dims)).data();
    double* other = scratch.take<double>(1, 1, count(dims)).data();
    stack(of, theta, w);
    for (std::size_t k = first_learned(); k < 3; ++k) {  // the others are I
      multiply(dims, k, numbers.data() + place(dims, k, true), w, other);
      std::swap(w, other);
    }
    double quadratic = 0;
    for (std::size_t t = 0; t < of.size(); ++t) {
      const auto from = theta.of(of[t]);
      const auto to = gradient.of(of[t]);
      for (std::size_t i = 0; i < from.size(); ++i) {
        const double step = w[at(dims, t, i)];
        quadratic += static_cast<double>(from[i]) * step;
        to[i] += static_cast<S>(weight * step);
      }
    }
    double value = quadratic;
    for (std::size_t k = 0; k < 3; ++k)
      value += static_cast<double>(count(dims)) / static_cast<double>(dims[k]) *
               numbers[2 * place(dims, 3, false) + k];
    return weight / 2 * value;
  }

  template <class S>
  void update(PenaltyParams of, const ParamBuffer<S>& theta, Index steps, std::span<double> numbers,
              Scratch& scratch) const {
    const Dims dims = dims_of(of);
    const Scratch::Frame frame(scratch);
    // In every step, so that the first takes what a later one needs.
    const Rooms rooms(dims, first_learned(), scratch);
    if (std::fmod(static_cast<double>(steps), std::floor(every)) != 0) return;
    stack(of, theta, rooms.w);
    for (std::size_t k = first_learned(); k < 3; ++k) learn(dims, k, rooms, numbers);
  }

  // Of the numbers those of Σ_k, or its inverse: k = 0 features, 1 classes, 2 tasks, which there is
  // with `tasks_alone`.
  template <class Number>
  std::span<Number> covariance(PenaltyParams of, std::span<Number> numbers, std::size_t k,
                               bool inverse = false) const {
    const Dims dims = dims_of(of);
    return numbers.subspan(place(dims, k, inverse), static_cast<std::size_t>(dims[k] * dims[k]));
  }

 private:
  using Dims = std::array<Index, 3>;  // D, C, T

  static Dims dims_of(PenaltyParams of) {
    return {of.front().cols, of.front().rows, std::ssize(of)};
  }
  static Index count(const Dims& dims) { return dims[0] * dims[1] * dims[2]; }
  std::size_t first_learned() const { return tasks_alone ? 2 : 0; }
  // Where a covariance lies in the numbers, and how many there are.
  std::size_t place(const Dims& dims, std::size_t k, bool inverse) const {
    Index before = 0, all = 0;
    for (std::size_t j = first_learned(); j < 3; ++j) {
      if (j < k) before += dims[j] * dims[j];
      all += dims[j] * dims[j];
    }
    return static_cast<std::size_t>(before + (inverse ? all : 0));
  }
  std::size_t size_of(const Dims& dims) const { return 2 * place(dims, 3, false) + 3; }
  // Where number i of head t, [C, D], lies in W [D, C, T].
  static std::size_t at(const Dims& dims, std::size_t t, std::size_t i) {
    const auto d = static_cast<std::size_t>(dims[0]), c = static_cast<std::size_t>(dims[1]);
    return ((i % d) * c + i / d) * static_cast<std::size_t>(dims[2]) + t;
  }
  template <class S>
  static void stack(PenaltyParams of, const ParamBuffer<S>& theta, double* w) {
    for (std::size_t t = 0; t < of.size(); ++t) {
      const auto from = theta.of(of[t]);
      for (std::size_t i = 0; i < from.size(); ++i)
        w[at(dims_of(of), t, i)] = static_cast<double>(from[i]);
    }
  }
  // Numbers of W that lie next to each other for one index of axis k.
  static Index inner(const Dims& dims, std::size_t k) {
    Index result = 1;
    for (std::size_t j = k + 1; j < 3; ++j) result *= dims[j];
    return result;
  }
  // to = from ×_k a.
  static void multiply(const Dims& dims, std::size_t k, const double* a, const double* from,
                       double* to) {
    const Index n = dims[k], stride = inner(dims, k), outer = count(dims) / n / stride;
    std::fill_n(to, count(dims), 0.0);
    for (Index o = 0; o < outer; ++o)
      for (Index i = 0; i < n; ++i)
        for (Index j = 0; j < n; ++j)
          for (Index r = 0; r < stride; ++r)
            to[(o * n + i) * stride + r] += a[i * n + j] * from[(o * n + j) * stride + r];
  }
  // What learn works in.
  struct Rooms {
    double *w, *v, *other, *covariance, *factor, *inverse;
    Rooms(const Dims& dims, std::size_t first, Scratch& scratch) {
      const Index n =
          *std::max_element(dims.begin() + static_cast<std::ptrdiff_t>(first), dims.end());
      for (double** room : {&w, &v, &other}) *room = scratch.take<double>(1, 1, count(dims)).data();
      for (double** room : {&covariance, &factor, &inverse})
        *room = scratch.take<double>(1, n, n).data();
    }
  };
  PLAIT_INTRINSICS_BEGIN
  void learn(const Dims& dims, std::size_t k, const Rooms& rooms, std::span<double> numbers) const {
    using Square = Eigen::Map<Eigen::MatrixXd>;
    double *v = rooms.v, *other = rooms.other;
    std::copy_n(rooms.w, count(dims), v);
    for (std::size_t j = first_learned(); j < 3; ++j) {
      if (j == k) continue;
      multiply(dims, j, numbers.data() + place(dims, j, true), v, other);
      std::swap(v, other);
    }
    const Index n = dims[k], stride = inner(dims, k), all = count(dims);
    Square covariance(rooms.covariance, n, n), factor(rooms.factor, n, n),
        inverse(rooms.inverse, n, n);
    for (Index a = 0; a < n; ++a)
      for (Index b = 0; b <= a; ++b) {
        double sum = 0;
        for (Index o = 0; o < all / n / stride; ++o)
          for (Index r = 0; r < stride; ++r)
            sum += rooms.w[(o * n + a) * stride + r] * v[(o * n + b) * stride + r];
        sum *= static_cast<double>(n) / static_cast<double>(all);
        covariance(a, b) = covariance(b, a) = a == b ? sum + epsilon : sum;
      }
    factor = covariance;
    const Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>> cholesky(factor);
    inverse.setIdentity();
    cholesky.solveInPlace(inverse);
    // Weights that are too large to be squared teach nothing.
    const double log = 2 * factor.diagonal().array().log().sum();
    if (cholesky.info() != Eigen::Success || !covariance.allFinite() || !inverse.allFinite() ||
        !std::isfinite(log))
      return;
    Square(numbers.data() + place(dims, k, false), n, n) = covariance;
    Square(numbers.data() + place(dims, k, true), n, n) = inverse;
    numbers[2 * place(dims, 3, false) + k] = log;
  }
  PLAIT_INTRINSICS_END
};

}  // namespace plait
