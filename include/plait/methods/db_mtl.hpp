// DB-MTL: dual balancing of loss scales and gradient lengths (Lin et al., arXiv 2308.12029).
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/view.hpp"
#include "plait/methods/balancing_method.hpp"

namespace plait {

// In step k, counted from 1, with ε = 1e-8:
//
//   g_t  = ∇ log(L_t + ε)                             (private parameters get this gradient, too)
//   ĝ_t <- (1 - β_k) g_t + β_k ĝ_t, β_k = beta / k^decay, ĝ = 0 at first
//   d    = Σ_t α_t ĝ_t, α_t = max_s ‖ĝ_s‖ / (‖ĝ_t‖ + ε)
//
// d is a sum of vectors of the length of the longest. ĝ are the buffers, T vectors over the shared
// parameters; the weights need the Gramian's diagonal only. A task without a gradient in this batch
// still counts with what its buffer remembers; α_t = 0 while that is zero.
struct DBMTL {
  double beta = 0.9;
  double decay = 0.5;  // β_σ in the authors' code

  static constexpr std::string_view name = "DBMTL";
  static constexpr bool needs_gramian = true;
  static constexpr bool keeps_buffers = true;

  void fields(FieldVisitor& visit) {
    visit("beta", beta);
    visit("decay", decay);
  }

  // Throws ConfigError unless beta is in [0, 1) and decay a finite number of at least 0.
  void validate(Index) const {
    require_config(beta >= 0 && beta < 1, "DBMTL", "beta", text(beta), "a number in [0, 1)");
    require_config(std::isfinite(decay) && decay >= 0, "DBMTL", "decay", text(decay),
                   "a finite number of at least 0");
  }

  // 1 / (L_t + ε). Throws ValueError for a loss below 0, which has no logarithm.
  void loss_slopes(std::span<const double> losses, std::span<double> out) const {
    for (std::size_t t = 0; t < losses.size(); ++t) {
      if (!(losses[t] >= 0))
        throw ValueError("DBMTL", text("loss of task ", t), text(losses[t]), "at least 0");
      out[t] = 1 / (losses[t] + epsilon);
    }
  }

  // Moves the buffers, and the gradients to them.
  template <class Scalar>
  void transform(TaskSpans<Scalar> gradients, TaskSpans<Scalar> buffers,
                 const MethodState& state) const {
    const double keep = beta / std::pow(static_cast<double>(state.steps + 1), decay);
    for (std::size_t t = 0; t < gradients.size(); ++t) {
      VectorMap<Scalar> g(gradients[t].data(), std::ssize(gradients[t]));
      VectorMap<Scalar> buffer(buffers[t].data(), std::ssize(buffers[t]));
      buffer = static_cast<Scalar>(1 - keep) * g + static_cast<Scalar>(keep) * buffer;
      g = buffer;
    }
  }

  void weights(const BalancingInput& input, MethodState&, std::span<double> out, Scratch&) const {
    double longest = 0;
    for (Index t = 0; t < input.tasks; ++t) longest = (std::max)(longest, norm(input, t));
    for (Index t = 0; t < input.tasks; ++t) {
      const double n = norm(input, t);
      out[static_cast<std::size_t>(t)] = n > 0 ? longest / (n + epsilon) : 0;
    }
  }

 private:
  static constexpr double epsilon = 1e-8;

  static double norm(const BalancingInput& input, Index t) {
    return std::sqrt((std::max)(0.0, input.gramian(t, t)));
  }
};

static_assert(BalancingMethod<DBMTL> && TransformsGradients<DBMTL, float> && ReshapesLosses<DBMTL>);

}  // namespace plait
