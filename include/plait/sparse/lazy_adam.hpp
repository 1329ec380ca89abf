// Lazy Adam (torch.optim.SparseAdam): Adam on the rows that a batch names.
#pragma once
#include <cmath>
#include <span>
#include <string_view>

#include "plait/sparse/row_rule.hpp"

namespace plait {

//   m += (1 - beta1) (g - m)
//   v += (1 - beta2) (g² - v)
//   w -= learning_rate √(1 - beta2ⁿ) / (1 - beta1ⁿ) m / (√v + epsilon)
//
// n counts the optimizer's steps, for all rows alike; moments of rows that are not touched do not
// decay. epsilon stands beside √v before its correction, not where dense Adam has it. Decay is
// decoupled, w *= 1 - learning_rate weight_decay, which torch does not have. Row-wise Adagrad
// converges better on most rankers' ids, whose rows are touched at very different rates.
struct LazyAdam {
  static constexpr std::string_view name = "LazyAdam";

  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;

  void validate() const {
    detail::require_not_negative("LazyAdam", "learning_rate", learning_rate);
    detail::require_below_one("LazyAdam", "beta1", beta1);
    detail::require_below_one("LazyAdam", "beta2", beta2);
    detail::require_above_zero("LazyAdam", "epsilon", epsilon);
    detail::require_not_negative("LazyAdam", "weight_decay", weight_decay);
  }

  Index row_state_size(Index dim) const { return 2 * dim; }  // m, v

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

#define PLAIT_EACH_SET "plait/sparse/each_set/lazy_adam.inl"
#include "plait/kernels/each_set.hpp"

namespace plait {

template <class Scalar>
void LazyAdam::update_row(const UpdateStep& step, std::span<Scalar> values,
                          std::span<const Scalar> grad, std::span<Scalar> state) const {
  kernels::update_row(*this, step, values, grad, state);
}

#ifdef PLAIT_COMPILED
PLAIT_ROW_RULE_COMPILED(extern, LazyAdam)
#endif

static_assert(RowRuleAlone<LazyAdam, float> && RowRuleAlone<LazyAdam, double>);

}  // namespace plait
