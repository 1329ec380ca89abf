// Row-wise Adam (FBGEMM's partial_rowwise_adam): a first moment per number, a second per row.
#pragma once
#include <cmath>
#include <span>
#include <string_view>

#include "plait/sparse/row_rule.hpp"

namespace plait {

//   m = beta1 m + (1 - beta1) g
//   v = beta2 v + (1 - beta2) 1/D Σ_d g_d²
//   w -= learning_rate (m / (1 - beta1ⁿ) / (√(v / (1 - beta2ⁿ)) + epsilon) + weight_decay w)
//
// n counts the optimizer's steps, for all rows alike; moments of rows that are not touched do not
// decay.
struct RowwiseAdam {
  static constexpr std::string_view name = "RowwiseAdam";

  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;

  void validate() const {
    detail::require_not_negative("RowwiseAdam", "learning_rate", learning_rate);
    detail::require_below_one("RowwiseAdam", "beta1", beta1);
    detail::require_below_one("RowwiseAdam", "beta2", beta2);
    detail::require_above_zero("RowwiseAdam", "epsilon", epsilon);
    detail::require_not_negative("RowwiseAdam", "weight_decay", weight_decay);
  }

  Index row_state_size(Index dim) const { return dim + 1; }  // m, v

  void fields(FieldVisitor& visit) {
    visit("beta1", beta1);
    visit("beta2", beta2);
    visit("epsilon", epsilon);
  }

  template <class Scalar>
  void update_row(const UpdateStep& step, std::span<Scalar> values, std::span<const Scalar> grad,
                  std::span<Scalar> state) const;
};

}  // namespace plait

#define PLAIT_EACH_SET "plait/sparse/each_set/rowwise_adam.inl"
#include "plait/kernels/each_set.hpp"

namespace plait {

template <class Scalar>
void RowwiseAdam::update_row(const UpdateStep& step, std::span<Scalar> values,
                             std::span<const Scalar> grad, std::span<Scalar> state) const {
  kernels::update_row(*this, step, values, grad, state);
}

#ifdef PLAIT_COMPILED
PLAIT_ROW_RULE_COMPILED(extern, RowwiseAdam)
#endif

static_assert(RowRuleAlone<RowwiseAdam, float> && RowRuleAlone<RowwiseAdam, double>);

}  // namespace plait
