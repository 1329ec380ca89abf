// Row-wise Adagrad: one sum of squares per row instead of one per number, the rule that large
// tables are trained with (FBGEMM's EXACT_ROWWISE_ADAGRAD; DLRM's RWSAdagrad).
#pragma once
#include <array>
#include <span>
#include <string_view>

#include "plait/sparse/row_rule.hpp"

namespace plait {

// Where weight decay acts: in the gradient that is squared, or on the row alone.
enum class RowDecay { l2, decoupled };
template <>
struct EnumNames<RowDecay> {
  static constexpr std::array<std::string_view, 2> names{"l2", "decoupled"};
};

//   q  = g + weight_decay w            l2;  g with decoupled decay
//   m += 1/D Σ_d q_d², from m = initial_accumulator
//   k  = learning_rate / (√m + epsilon)
//   w  = (1 - k weight_decay) w - k g             l2
//        (1 - learning_rate weight_decay) w - k g  decoupled
//
// Decay acts on touched rows only, once per touch. epsilon is FBGEMM's; torch's Adagrad has 1e-10.
struct RowwiseAdagrad {
  static constexpr std::string_view name = "RowwiseAdagrad";

  double learning_rate = 1e-2;
  double weight_decay = 0;
  RowDecay decay = RowDecay::l2;
  double initial_accumulator = 0;
  double epsilon = 1e-8;

  void validate() const {
    detail::require_not_negative("RowwiseAdagrad", "learning_rate", learning_rate);
    detail::require_not_negative("RowwiseAdagrad", "weight_decay", weight_decay);
    detail::require_not_negative("RowwiseAdagrad", "initial_accumulator", initial_accumulator);
    detail::require_above_zero("RowwiseAdagrad", "epsilon", epsilon);
  }

  Index row_state_size(Index) const { return 1; }
  double initial_row_state(Index) const { return initial_accumulator; }

  void fields(FieldVisitor& visit) {
    visit("decay", decay);
    visit("initial_accumulator", initial_accumulator);
    visit("epsilon", epsilon);
  }

  template <class Scalar>
  void update_row(const UpdateStep& step, std::span<Scalar> values, std::span<const Scalar> grad,
                  std::span<Scalar> state) const;
};

}  // namespace plait

#define PLAIT_EACH_SET "plait/sparse/each_set/rowwise_adagrad.inl"
#include "plait/kernels/each_set.hpp"

namespace plait {

template <class Scalar>
void RowwiseAdagrad::update_row(const UpdateStep& step, std::span<Scalar> values,
                                std::span<const Scalar> grad, std::span<Scalar> state) const {
  kernels::update_row(*this, step, values, grad, state);
}

#ifdef PLAIT_COMPILED
PLAIT_ROW_RULE_COMPILED(extern, RowwiseAdagrad)
#endif

static_assert(RowRuleAlone<RowwiseAdagrad, float> && RowRuleAlone<RowwiseAdagrad, double>);

}  // namespace plait
