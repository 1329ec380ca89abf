// Rule: how one tensor moves, given its gradient and its moments. A rule holds hyper-parameters
// only; the moments and the step count belong to who steps, an Optimizer for one.
//
// A rule of your own is a struct with the members learning_rate and weight_decay (defaults, which
// parameter groups and the schedule override through UpdateStep), and
//
//   rule.validate()                           throws ConfigError for hyper-parameters out of range
//   rule.moment_names()                       one name per moment it keeps of every parameter
//   rule.update(step, values, grad, moments)  moves one tensor; called once per tensor and step
//   rule.initial_moment(k)                    optional: what moment k starts with, 0 without it
//
// Training that goes on from a checkpoint is held to the rule's name, a static member, and to the
// hyper-parameters that rule.fields(visit) lists (core/fields.hpp), learning_rate and weight_decay
// aside, where it has them.
#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/kernels/packet.hpp"

namespace plait {

// What is the same for all numbers of one tensor in one step.
struct UpdateStep {
  Index number = 1;  // of the tensor's steps, from 1; the optimizer's, unless only some move
  double learning_rate = 0;   // of this tensor, schedule included
  double weight_decay = 0;    // of this tensor
  double gradient_scale = 1;  // multiply the gradient by this first: it is not clipped in memory
};

// The moments of one tensor: moments[k] is the k-th, in the order of moment_names().
template <class Scalar>
class Moments {
 public:
  // Moment k is numbers [offset, offset + size) of blocks[k]. Owns nothing: the blocks and the
  // array of them must outlive it.
  Moments(std::span<const std::span<Scalar>> blocks, Index offset, Index size)
      : blocks_(blocks),
        offset_(static_cast<std::size_t>(offset)),
        size_(static_cast<std::size_t>(size)) {}
  std::span<Scalar> operator[](Index k) const {
    return blocks_[static_cast<std::size_t>(k)].subspan(offset_, size_);
  }

 private:
  std::span<const std::span<Scalar>> blocks_;
  std::size_t offset_;
  std::size_t size_;
};

template <class R, class Scalar>
concept OptimizerRule = std::copyable<R> &&
    requires(R rule, const R& same, const UpdateStep& step, std::span<Scalar> values,
             std::span<const Scalar> grad, Moments<Scalar> moments) {
  { same.learning_rate } -> std::convertible_to<double>;
  { same.weight_decay } -> std::convertible_to<double>;
  rule.learning_rate = 0.5;
  { same.moment_names() } -> std::same_as<std::vector<std::string>>;
  same.validate();
  same.update(step, values, grad, moments);
};

// Any rule: what is built on rules is compiled once, whatever the rule. A value, as the rule that
// it was made of; it does not change, so copies share it.
template <class Scalar>
class Rule {
 public:
  template <class R>
  requires(!std::same_as<R, Rule> && OptimizerRule<R, Scalar>) Rule(R rule)
      : rule_(std::make_shared<const Of<R>>(std::move(rule))) {}

  double learning_rate() const { return rule_->learning_rate(); }
  double weight_decay() const { return rule_->weight_decay(); }
  // The same rule with another rate.
  Rule with_learning_rate(double rate) const { return Rule(rule_->with_learning_rate(rate)); }

  // Throws ConfigError for hyper-parameters out of range.
  void validate() const { rule_->validate(); }

  // Its name, empty for one without, and its hyper-parameters, learning_rate and weight_decay
  // aside, to be read.
  std::string_view name() const { return rule_->name(); }
  void settings(FieldVisitor& visit) const { rule_->settings(visit); }

  // One name per moment that it keeps of every parameter, and what moment k starts with.
  std::vector<std::string> moment_names() const { return rule_->moment_names(); }
  double initial_moment(Index k) const { return rule_->initial_moment(k); }

  // Moves one tensor, all of whose spans have one length.
  void update(const UpdateStep& step, std::span<Scalar> values, std::span<const Scalar> grad,
              Moments<Scalar> moments) const {
    rule_->update(step, values, grad, moments);
  }

 private:
  struct Erased {
    virtual ~Erased() = default;
    virtual double learning_rate() const = 0;
    virtual double weight_decay() const = 0;
    virtual std::shared_ptr<const Erased> with_learning_rate(double rate) const = 0;
    virtual void validate() const = 0;
    virtual std::string_view name() const = 0;
    virtual void settings(FieldVisitor& visit) const = 0;
    virtual std::vector<std::string> moment_names() const = 0;
    virtual double initial_moment(Index k) const = 0;
    virtual void update(const UpdateStep& step, std::span<Scalar> values,
                        std::span<const Scalar> grad, Moments<Scalar> moments) const = 0;
  };

  template <class R>
  struct Of final : Erased {
    R rule;

    explicit Of(R given) : rule(std::move(given)) {}
    double learning_rate() const override { return rule.learning_rate; }
    double weight_decay() const override { return rule.weight_decay; }
    std::shared_ptr<const Erased> with_learning_rate(double rate) const override {
      R result = rule;
      result.learning_rate = rate;
      return std::make_shared<const Of>(std::move(result));
    }
    void validate() const override { rule.validate(); }
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
    std::vector<std::string> moment_names() const override { return rule.moment_names(); }
    double initial_moment([[maybe_unused]] Index k) const override {
      if constexpr (requires { rule.initial_moment(k); }) {
        return rule.initial_moment(k);
      } else {
        return 0;
      }
    }
    void update(const UpdateStep& step, std::span<Scalar> values, std::span<const Scalar> grad,
                Moments<Scalar> moments) const override {
      rule.update(step, values, grad, moments);
    }
  };

  explicit Rule(std::shared_ptr<const Erased> rule) : rule_(std::move(rule)) {}

  std::shared_ptr<const Erased> rule_;
};

}  // namespace plait

#define PLAIT_EACH_SET "plait/optim/each_set/numbers.inl"
#include "plait/kernels/each_set.hpp"

namespace plait {

namespace detail {

// Moves one tensor by a rule that has a NumberUpdate.
template <class R, class Scalar>
void move_tensor(const R& rule, const UpdateStep& step, std::span<Scalar> values,
                 std::span<const Scalar> grad, const Moments<Scalar>& moments) {
  PLAIT_RUN(instruction_set(), move_tensor(rule, step, values, grad, moments));
}

inline void require_not_negative(const char* rule, const char* argument, double value) {
  require_config(std::isfinite(value) && value >= 0, rule, argument, text(value),
                 "a finite number of at least 0");
}

// What is divided by: 0 / 0, of a parameter without a gradient, is NaN.
inline void require_above_zero(const char* rule, const char* argument, double value) {
  require_config(std::isfinite(value) && value > 0, rule, argument, text(value),
                 "a finite number above 0");
}

// For factors of running means.
inline void require_below_one(const char* rule, const char* argument, double value) {
  require_config(value >= 0 && value < 1, rule, argument, text(value), "a number in [0, 1)");
}

}  // namespace detail

}  // namespace plait
