// GradDrop: gradient sign dropout (Chen et al., NeurIPS 2020).
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "plait/core/fields.hpp"
#include "plait/core/view.hpp"
#include "plait/methods/balancing_method.hpp"
#include "plait/methods/per_task.hpp"

namespace plait {

// For every number of the gradients one sign is drawn, and the tasks of the other sign are dropped:
//
//   P   = ½ (1 + Σ_t g_t / Σ_t |g_t|), ½ where all are 0;  U ~ U(0, 1)
//   g_t <- (ℓ_t + (1 - ℓ_t) M_t) g_t,  M_t = 1 where U < P and g_t > 0, or U >= P and g_t < 0
//   d   = Σ_t g_t
//
// ℓ_t is what leaks through of task t. One sign is always kept, so numbers without conflict pass
// whole, and T = 1 is the gradient itself. drop_signs is this on parameters;
// drop_signs_at_activation the paper's form at an activation.
struct GradDrop {
  std::vector<double> leaks = {};  // ℓ [T] in [0, 1]; empty: 0 each

  static constexpr std::string_view name = "GradDrop";
  static constexpr bool needs_gramian = false;

  void fields(FieldVisitor& visit) { visit("leaks", leaks); }

  // Throws ConfigError for leaks that are not one number in [0, 1] per task.
  void validate(Index tasks) const {
    detail::validate_per_task("GradDrop", "leaks", leaks, tasks, 1);
  }

  // gradients [T] of n numbers each, changed in place; uniform() gives the next U, once per number.
  template <class Scalar, class Uniform>
  void drop_signs(TaskSpans<Scalar> gradients, Uniform&& uniform) const {
    const std::size_t size = gradients.empty() ? 0 : gradients.front().size();
    for (std::size_t i = 0; i < size; ++i) {
      Signs signs;
      for (const std::span<Scalar> g : gradients) signs.add(static_cast<double>(g[i]));
      const bool positive = signs.keeps_positive(uniform());
      for (std::size_t t = 0; t < gradients.size(); ++t) {
        Scalar& g = gradients[t][i];
        g = static_cast<Scalar>(passed(t, static_cast<double>(g), positive) *
                                static_cast<double>(g));
      }
    }
  }

  // The same for cotangents of an activation [B, 1, n], one view per task, changed in place. The
  // samples of a batch are separate, so the sign of a feature is that of
  //
  //   Ĝ_t = Σ_b sign(activation) g_t                 [n]
  //
  // in P and M_t, and one U per feature serves the batch. The cotangent to propagate is their sum.
  template <class Scalar, class Uniform>
  void drop_signs_at_activation(std::type_identity_t<View3<const Scalar>> activation,
                                std::span<const View3<Scalar>> cotangents,
                                Uniform&& uniform) const {
    std::vector<double> sums(cotangents.size());
    for (Index d = 0; d < activation.dim(); ++d) {
      Signs signs;
      for (std::size_t t = 0; t < cotangents.size(); ++t) {
        sums[t] = 0;
        for (Index b = 0; b < activation.batch(); ++b) {
          const Scalar a = activation(b, 0, d);
          const double sign = a > 0 ? 1 : a < 0 ? -1 : 0;
          sums[t] += sign * static_cast<double>(cotangents[t](b, 0, d));
        }
        signs.add(sums[t]);
      }
      const bool positive = signs.keeps_positive(uniform());
      for (std::size_t t = 0; t < cotangents.size(); ++t) {
        const auto factor = static_cast<Scalar>(passed(t, sums[t], positive));
        for (Index b = 0; b < activation.batch(); ++b) cotangents[t](b, 0, d) *= factor;
      }
    }
  }

  template <class Scalar>
  void transform(TaskSpans<Scalar> gradients, TaskSpans<Scalar>, MethodState& state) const {
    drop_signs(gradients, [&] { return state.random.uniform(); });
  }
  void weights(const BalancingInput&, MethodState&, std::span<double> out, Scratch&) const {
    std::ranges::fill(out, 1.0);
  }

 private:
  // Of all tasks' numbers at one place.
  struct Signs {
    double sum = 0;
    double size = 0;

    void add(double g) {
      sum += g;
      size += std::abs(g);
    }
    bool keeps_positive(double uniform) const {
      return uniform < (size > 0 ? 0.5 * (1 + sum / size) : 0.5);
    }
  };

  // What passes of a number of task t.
  double passed(std::size_t t, double g, bool positive) const {
    const bool kept = positive ? g > 0 : g < 0;
    return kept ? 1 : detail::per_task(leaks, static_cast<Index>(t), 0);
  }
};

static_assert(BalancingMethod<GradDrop> && TransformsGradients<GradDrop, float>);

}  // namespace plait
