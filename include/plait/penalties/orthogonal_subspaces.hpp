// OrthogonalSubspaces: keeps the parts of a layer's output from computing the same. The rows of a
// weight W [H, I] are cut into S blocks W_q [H / S, I], a subspace each.
//
//   Ω = λ Σ_W Σ_{q<q'} ‖W_qᵀ W_q'‖²_F = λ Σ_W Σ_{q<q'} ⟨G_q, G_q'⟩,   G_q = W_q W_qᵀ
//   dW_q = 2 λ (Σ_{q'≠q} G_q') W_q
//
// What sluice networks add to their loss, there of S = 2, over every task's layer weights. It is
// the form of the authors' code; ‖W_q W_q'ᵀ‖² would make the subspaces' outputs orthogonal.
// Products are computed in the scalar, sums of them in double. Source: Ruder et al., "Latent
// Multi-Task Architecture Learning", AAAI 2019; sebastianruder/sluice-networks.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/kernels/linear.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/penalties/penalty.hpp"

namespace plait {

struct OrthogonalSubspaces {
  double weight = 0;    // λ
  Index subspaces = 2;  // S
  std::string parameters = "*experts.*.weight";

  static constexpr std::string_view name = "OrthogonalSubspaces";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("weight", weight);
    visit("subspaces", subspaces);
    visit("parameters", parameters);
  }
  // Throws ConfigError for a weight whose rows cannot be cut evenly.
  void validate(PenaltyParams of) const {
    detail::require_penalty_weight("OrthogonalSubspaces", "weight", weight);
    require_config(subspaces >= 2, "OrthogonalSubspaces", "subspaces", text(subspaces),
                   "at least 2");
    for (const ParamId id : of)
      require_config(id.rows % subspaces == 0, "OrthogonalSubspaces", "parameters",
                     text(id.rows, " rows"), text("a multiple of ", subspaces));
  }
  template <class S>
  double add(PenaltyParams of, const ParamBuffer<S>& theta, ParamBuffer<S>& gradient,
             std::span<const double>, Scratch& scratch) const {
    double value = 0;
    for (const ParamId id : of) {
      const Scratch::Frame frame(scratch);
      const Index rows = id.rows / subspaces;
      const auto block = [&](Index q) {
        return MatrixMap<const S>(theta.of(id).data() + q * rows * id.cols, rows, id.cols,
                                  Eigen::OuterStride<>(id.cols));
      };
      // G of every subspace, and the sum of the others'.
      const auto gramians = scratch.take_slot_major<S>(rows, subspaces, rows);
      const auto others = scratch.take<S>(rows, 1, rows);
      for (Index q = 0; q < subspaces; ++q)
        kernels::linear<S>({block(q).data(), rows, 1, id.cols}, block(q), nullptr,
                           gramians.slot(q));
      for (Index q = 0; q < subspaces; ++q) {
        kernels::set_zero(others);
        for (Index other = 0; other < subspaces; ++other) {
          if (other == q) continue;
          kernels::add_scaled<S>(static_cast<S>(2 * weight), gramians.slot(other), others);
          if (other > q) value += product<S>(gramians.slot(q), gramians.slot(other));
        }
        kernels::linear_backward_input<S>(
            others, block(q), {gradient.of(id).data() + q * rows * id.cols, rows, 1, id.cols},
            true);
      }
    }
    return weight * value;
  }

 private:
  template <class S>
  static double product(View3<const S> a, View3<const S> b) {
    double sum = 0;
    for (Index i = 0; i < a.batch(); ++i)
      for (Index j = 0; j < a.dim(); ++j)
        sum += static_cast<double>(a.row(i)[j]) * static_cast<double>(b.row(i)[j]);
    return sum;
  }
};

}  // namespace plait
