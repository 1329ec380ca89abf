// RowRule: how a row of a table moves, given its gradient and its state.
//
// Only rows that a batch names are touched. Their gradient is summed over all that named them
// first; a row that is not named keeps every bit, moments too, and weight decay acts on touched
// rows only, once per touch, not on the table. One step count, the dense optimizer's, for all.
//
// Every dense rule (optim/rule.hpp) moves rows as well, a row as if it were a tensor, with its
// moments one after the other as the row's state: SGD, Adagrad and FTRL are then the sparse
// optimizers of these names. A rule for rows alone is a copyable struct with the members
// learning_rate and weight_decay, as a dense one, and
//
//   rule.validate()                               throws ConfigError for what is out of range
//   rule.row_state_size(dim)                      numbers that it keeps of a row
//   rule.initial_row_state(i)                     optional: what number i starts with, 0 without it
//   rule.update_row(step, values, grad, state)    moves one row
//
// and optionally `name` and fields(visit), which training that goes on from a checkpoint is held
// to. Called for different rows from several threads at the same time.
#pragma once
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/optim/rule.hpp"
#include "plait/sparse/row_gradients.hpp"
#include "plait/sparse/row_marks.hpp"

namespace plait {

template <class R, class Scalar>
concept RowRuleAlone = std::copyable<R> &&
    requires(const R& rule, Index n, const UpdateStep& step, std::span<Scalar> numbers,
             std::span<const Scalar> grad) {
  { rule.learning_rate } -> std::convertible_to<double>;
  { rule.weight_decay } -> std::convertible_to<double>;
  { rule.row_state_size(n) } -> std::convertible_to<Index>;
  rule.validate();
  rule.update_row(step, numbers, grad, numbers);
};
template <class R, class Scalar>
concept MovesRows = RowRuleAlone<R, Scalar> || OptimizerRule<R, Scalar>;

namespace kernels {

// Moments of a dense rule that moves rows at most.
inline constexpr std::size_t most_moments_of_rows = 8;

// The numbers of one table that move, beside their gradients.
template <class Scalar>
struct MovedRows {
  Scalar* values = nullptr;  // [rows, dim]
  Scalar* state = nullptr;   // [rows, state_size]
  Index state_size = 0;
  RowMarks* marks = nullptr;  // of the rows that move, or none
};

}  // namespace kernels

}  // namespace plait

#define PLAIT_EACH_SET "plait/sparse/each_set/row_rule.inl"
#include "plait/kernels/each_set.hpp"

namespace plait {

namespace kernels {

// Moves the rows of a shard. False where a number that was moved is NaN or infinite now.
template <class R, class Scalar>
bool move_rows(const R& rule, const UpdateStep& step, const RowGradients<Scalar>& gradients,
               Index shard, const MovedRows<Scalar>& rows) {
  PLAIT_RUN(instruction_set(), move_rows(rule, step, gradients, shard, rows));
}

// Moves one row, for a rule that is specialised.
template <class R, class Scalar>
void update_row(const R& rule, const UpdateStep& step, std::span<Scalar> values,
                std::span<const Scalar> grad, std::span<Scalar> state) {
  PLAIT_RUN(instruction_set(), update_row(rule, step, values, grad, state));
}

}  // namespace kernels

// Any rule for rows, a value. It does not change, so copies share it.
template <class Scalar>
class RowRule {
 public:
  template <class R>
  requires(!std::same_as<R, RowRule> && MovesRows<R, Scalar>) RowRule(R rule)
      : rule_(std::make_shared<const Of<R>>(std::move(rule))) {}

  double learning_rate() const { return rule_->learning_rate(); }
  double weight_decay() const { return rule_->weight_decay(); }
  // Throws ConfigError for hyper-parameters out of range.
  void validate() const { rule_->validate(); }
  // Its name, empty for one without, and its hyper-parameters, learning_rate and weight_decay
  // aside, to be read.
  std::string_view name() const { return rule_->name(); }
  void settings(FieldVisitor& visit) const { rule_->settings(visit); }

  // What it keeps of a row of `dim` numbers, as it is before the row's first step.
  std::vector<double> initial_state(Index dim) const { return rule_->initial_state(dim); }

  // Moves the rows of a shard. False where a number that was moved is NaN or infinite now.
  bool move(const UpdateStep& step, const kernels::RowGradients<Scalar>& gradients, Index shard,
            const kernels::MovedRows<Scalar>& rows) const {
    return rule_->move(step, gradients, shard, rows);
  }

 private:
  struct Erased {
    virtual ~Erased() = default;
    virtual double learning_rate() const = 0;
    virtual double weight_decay() const = 0;
    virtual void validate() const = 0;
    virtual std::string_view name() const = 0;
    virtual void settings(FieldVisitor& visit) const = 0;
    virtual std::vector<double> initial_state(Index dim) const = 0;
    virtual bool move(const UpdateStep& step, const kernels::RowGradients<Scalar>& gradients,
                      Index shard, const kernels::MovedRows<Scalar>& rows) const = 0;
  };

  template <class R>
  struct Of final : Erased {
    R rule;

    explicit Of(R given) : rule(std::move(given)) {}
    double learning_rate() const override { return rule.learning_rate; }
    double weight_decay() const override { return rule.weight_decay; }
    void validate() const override {
      rule.validate();
      if constexpr (!RowRuleAlone<R, Scalar>)
        require_config(rule.moment_names().size() <= kernels::most_moments_of_rows, "RowRule",
                       "moments", text(rule.moment_names().size()),
                       text(kernels::most_moments_of_rows, " at most"));
    }
    std::string_view name() const override {
      if constexpr (requires { R::name; }) {
        return R::name;
      } else {
        return {};
      }
    }
    PLAIT_COLD void settings([[maybe_unused]] FieldVisitor& visit) const override {
      if constexpr (HasFields<R>) {
        R copy = rule;
        copy.fields(visit);
      }
    }
    std::vector<double> initial_state(Index dim) const override {
      std::vector<double> state;
      if constexpr (RowRuleAlone<R, Scalar>) {
        for (Index i = 0; i < rule.row_state_size(dim); ++i)
          if constexpr (requires { rule.initial_row_state(i); }) {
            state.push_back(rule.initial_row_state(i));
          } else {
            state.push_back(0);
          }
      } else {
        const Rule<Scalar> dense(rule);
        for (Index k = 0; k < std::ssize(rule.moment_names()); ++k)
          state.insert(state.end(), static_cast<std::size_t>(dim), dense.initial_moment(k));
      }
      return state;
    }
    bool move(const UpdateStep& step, const kernels::RowGradients<Scalar>& gradients, Index shard,
              const kernels::MovedRows<Scalar>& rows) const override {
      return kernels::move_rows(rule, step, gradients, shard, rows);
    }
  };

  std::shared_ptr<const Erased> rule_;
};

// What plait::compiled has of a rule for rows; `keyword` is extern where it is used.
#define PLAIT_ROW_RULE_COMPILED(keyword, R)                                                        \
  keyword template bool kernels::move_rows<R, float>(const R&, const UpdateStep&,                  \
                                                     const kernels::RowGradients<float>&, Index,   \
                                                     const kernels::MovedRows<float>&);            \
  keyword template bool kernels::move_rows<R, double>(const R&, const UpdateStep&,                 \
                                                      const kernels::RowGradients<double>&, Index, \
                                                      const kernels::MovedRows<double>&);

}  // namespace plait
