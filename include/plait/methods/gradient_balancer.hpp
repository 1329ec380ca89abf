// GradientBalancer: a balancing method with the state that it needs.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "plait/core/eigen.hpp"
#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/core/ranges.hpp"
#include "plait/core/scratch.hpp"
#include "plait/methods/balancing_method.hpp"
#include "plait/methods/memory.hpp"
#include "plait/methods/method_state.hpp"
#include "plait/methods/shared_gradients.hpp"

namespace plait {

PLAIT_INTRINSICS_BEGIN

// Any method: what is built on balancers is compiled once, whatever the method. A value: a copy
// goes on from the same state independently. A step of training calls one of
//
//   combine(gradients, losses, out)    from every task's gradient to the one that is stepped with
//   weigh(gramian, losses)             α alone, where the caller forms the Gramian and direction
//                                      itself (methods without transform): of the cotangents of a
//                                      representation, or to keep no gradient per task
//
// Not thread-safe. Allocates on construction, and in the first step of a copy.
template <class Scalar>
class GradientBalancer {
 public:
  // `shared` are the parameters that two or more tasks reach, ranges in order and apart. `seed` is
  // for methods that draw. Throws ConfigError for less than one task, hyper-parameters out of
  // range, and ranges that are not so.
  template <BalancingMethod Method>
  GradientBalancer(Method method, Index tasks, std::shared_ptr<const ParamTable> table,
                   std::vector<ParamRange> shared, std::uint64_t seed = 0)
      : method_(std::make_shared<const Of<Method>>(std::move(method))),
        has_{.gramian = Method::needs_gramian,
             .transform = TransformsGradients<Method, Scalar>,
             .slopes = ReshapesLosses<Method>},
        tasks_(tasks),
        table_(std::move(table)),
        shared_(std::move(shared)) {
    require_config(tasks >= 1, "GradientBalancer", "tasks", text(tasks), "at least 1");
    method_->validate(tasks);
    detail::check_ranges("GradientBalancer", shared_, table_->buffer_size());
    others_ = detail::complement(shared_, table_->buffer_size());
    state_.random = Random(seed);
    state_.numbers = method_->initial_numbers(tasks);
    next_state_ = state_;
    if (keeps_buffers<Method>)
      buffers_.assign(static_cast<std::size_t>(tasks), ParamBuffer<Scalar>(table_));
    gramian_.setZero(tasks, tasks);
    next_gramian_.setZero(tasks, tasks);
    ones_.assign(static_cast<std::size_t>(tasks), 1.0);
    weights_ = ones_;
    detail::reserve(scratch_, tasks);
  }

  // True when the method changes the gradients themselves, so that a Gramian is not enough.
  bool transforms() const { return has_.transform; }

  // gradients [T]: of each task's own loss, over all parameters, zero where it does not reach;
  // changed in place by methods that do so. losses [T] are those of the batch. out is overwritten:
  //
  //   shared parameters   Σ_t α_t g_t
  //   all others          Σ_t g_t: a private parameter gets its own task's gradient
  //
  // out must not be one of the gradients. Throws before anything is changed: ShapeError for another
  // number of gradients or losses, or buffers over another table; ValueError for gradients that are
  // not finite, where the method looks at them, and losses that it has no use for. Throws
  // ValueError, too, before out and the state change, for weights with which Scalar may not hold
  // the sum.
  void combine(std::span<ParamBuffer<Scalar>> gradients, std::span<const double> losses,
               ParamBuffer<Scalar>& out) {
    const std::span<const ParamBuffer<Scalar>> read = gradients;
    require_one_per_task("gradients", std::ssize(gradients));
    require_one_per_task("losses", std::ssize(losses));
    for (const auto& gradient : read)
      require_schema("GradientBalancer", "gradients", gradient.shared_table(), table_);
    require_schema("GradientBalancer", "out", out.shared_table(), table_);

    if (has_.slopes || has_.transform) prepare(gradients, losses);
    if (has_.gramian) {
      detail::gramian_of(read, shared_, next_gramian_, scratch_);
      for (Index t = 0; t < tasks_; ++t) require_finite(t, next_gramian_(t, t));
    } else {
      next_gramian_ = gramian_;
    }
    step(losses, [&](std::span<const double> alpha) { require_finite_sum(alpha); });
    detail::weighted_sum<Scalar>(read, weights_, shared_, out);
    detail::weighted_sum<Scalar>(read, ones_, others_, out);
  }

  // α [T] from the Gramian [T, T] of the tasks' gradients; the same as weights() from then on.
  // losses [T] may be empty where the method has no use for them. Throws before anything is
  // changed: ConfigError for a method that transforms(), or reshapes the losses; ShapeError for
  // other sizes; ValueError for a Gramian that is not finite or has a negative diagonal, and losses
  // that the method has no use for.
  std::span<const double> weigh(const Eigen::MatrixXd& gramian,
                                std::span<const double> losses = {}) {
    require_weighs(tasks_);
    if (gramian.rows() != tasks_ || gramian.cols() != tasks_)
      throw ShapeError("GradientBalancer", "gramian",
                       text("[", gramian.rows(), ", ", gramian.cols(), "]"),
                       text("[", tasks_, ", ", tasks_, "]"));
    if (!losses.empty()) require_one_per_task("losses", std::ssize(losses));
    for (Index k = 0; k < gramian.size(); ++k)
      if (!std::isfinite(gramian.data()[k]))
        throw ValueError("GradientBalancer", "gramian", "NaN or infinity", "finite numbers");
    double least = 0;
    for (Index t = 0; t < tasks_; ++t) least = (std::min)(least, gramian(t, t));
    if (least < 0)
      throw ValueError("GradientBalancer", "gramian", text(least),
                       "squared lengths on the diagonal");
    next_gramian_ = gramian;
    step(losses, [](std::span<const double>) {});
    return weights_;
  }

  // Throws ConfigError unless weigh() is for this method and for so many tasks.
  void require_weighs(Index tasks) const {
    require_config(!has_.transform && !has_.slopes, "GradientBalancer", "method",
                   "one that changes the gradients", "one that needs their Gramian alone");
    require_config(tasks == tasks_, "GradientBalancer", "tasks", text(tasks), text(tasks_));
  }

  Index num_tasks() const { return tasks_; }
  const std::vector<ParamRange>& shared() const { return shared_; }
  // Of the last step: α [T], one per task, and the Gramian [T, T] that they come from (zeros for a
  // method that needs none).
  std::span<const double> weights() const { return weights_; }
  const Eigen::MatrixXd& gramian() const { return gramian_; }

  // The state, for a checkpoint. The buffers are T for a method that keeps them, otherwise none.
  const MethodState& state() const { return state_; }
  const std::vector<ParamBuffer<Scalar>>& buffers() const { return buffers_; }

  // The method's name and hyper-parameters, to be read; a checkpoint is held to them.
  void settings(FieldVisitor& visit) const { method_->settings(visit); }

  // Goes on from a stored state. Throws before anything is changed: ConfigError for a negative step
  // count, or another number of numbers or buffers than the method keeps; ShapeError for buffers
  // over another table.
  void restore(MethodState state, std::vector<ParamBuffer<Scalar>> buffers = {}) {
    require_config(state.steps >= 0, "GradientBalancer", "steps", text(state.steps), "at least 0");
    require_config(state.numbers.size() == state_.numbers.size(), "GradientBalancer", "numbers",
                   text(state.numbers.size()), text(state_.numbers.size()));
    require_config(buffers.size() == buffers_.size(), "GradientBalancer", "buffers",
                   text(buffers.size()), text(buffers_.size()));
    for (const auto& buffer : buffers)
      require_schema("GradientBalancer", "buffers", buffer.shared_table(), table_);
    state_ = std::move(state);
    buffers_ = std::move(buffers);
  }

 private:
  struct Erased {
    virtual ~Erased() = default;
    virtual void validate(Index tasks) const = 0;
    virtual void settings(FieldVisitor& visit) const = 0;
    virtual std::vector<double> initial_numbers(Index tasks) const = 0;
    virtual void loss_slopes(std::span<const double> losses, std::span<double> out) const = 0;
    virtual void transform(TaskSpans<Scalar> gradients, TaskSpans<Scalar> buffers,
                           MethodState& state) const = 0;
    virtual void weights(const BalancingInput& input, MethodState& state, std::span<double> out,
                         Scratch& scratch) const = 0;
  };

  template <class Method>
  struct Of final : Erased {
    Method method;

    explicit Of(Method given) : method(std::move(given)) {}
    void validate(Index tasks) const override { method.validate(tasks); }
    void settings(FieldVisitor& visit) const override { detail::visit_method(visit, method); }
    std::vector<double> initial_numbers(Index tasks) const override {
      return detail::initial_numbers(method, tasks);
    }
    void loss_slopes([[maybe_unused]] std::span<const double> losses,
                     [[maybe_unused]] std::span<double> out) const override {
      if constexpr (ReshapesLosses<Method>) method.loss_slopes(losses, out);
    }
    void transform([[maybe_unused]] TaskSpans<Scalar> gradients,
                   [[maybe_unused]] TaskSpans<Scalar> buffers,
                   [[maybe_unused]] MethodState& state) const override {
      if constexpr (TransformsGradients<Method, Scalar>)
        method.transform(gradients, buffers, state);
    }
    void weights(const BalancingInput& input, MethodState& state, std::span<double> out,
                 Scratch& scratch) const override {
      method.weights(input, state, out, scratch);
    }
  };

  // What the method has of what methods may have.
  struct Has {
    bool gramian;
    bool transform;
    bool slopes;
  };

  void require_one_per_task(const char* argument, Index count) const {
    if (count != tasks_)
      throw ShapeError("GradientBalancer", argument, text(count), text(tasks_, ", one per task"));
  }

  // And so after rounding to Scalar.
  static void require_finite(Index task, double squared_length) {
    constexpr auto most = static_cast<double>((std::numeric_limits<Scalar>::max)());
    if (!(std::isfinite(squared_length) && std::sqrt(squared_length) <= most))
      throw ValueError("GradientBalancer", text("gradient of task ", task), "NaN or infinity",
                       "finite numbers");
  }

  // Changes the gradients as the method does before they are combined.
  void prepare(std::span<ParamBuffer<Scalar>> gradients, std::span<const double> losses) {
    const Scratch::Frame frame(scratch_);
    const auto slopes = detail::take_span<double>(scratch_, tasks_);
    std::ranges::fill(slopes, 1.0);
    if (has_.slopes) method_->loss_slopes(losses, slopes);
    for (std::size_t t = 0; t < gradients.size(); ++t)
      require_finite(static_cast<Index>(t),
                     slopes[t] * slopes[t] * detail::squared_length(gradients[t], shared_));
    if (has_.slopes)
      for (std::size_t t = 0; t < gradients.size(); ++t)
        for (Scalar& g : gradients[t].flat())
          g = static_cast<Scalar>(slopes[t] * static_cast<double>(g));
    if (has_.transform)
      for (const ParamRange& range : shared_) {
        const Scratch::Frame of_range(scratch_);
        method_->transform(detail::blocks<Scalar>(gradients, range, scratch_),
                           detail::blocks<Scalar>(std::span(buffers_), range, scratch_), state_);
      }
  }

  // Of next_gramian_'s gradients; known for methods that need it.
  void require_finite_sum(std::span<const double> alpha) const {
    constexpr auto most = static_cast<double>((std::numeric_limits<Scalar>::max)());
    double length = 0;  // at most
    for (Index t = 0; t < tasks_; ++t)
      length += std::abs(alpha[static_cast<std::size_t>(t)]) * std::sqrt(next_gramian_(t, t));
    if (!(length <= most))
      throw ValueError("GradientBalancer", "length of the weighted gradients", text(length),
                       text("at most ", most));
  }

  // From next_gramian_, if check(α) does not throw.
  template <class Check>
  void step(std::span<const double> losses, const Check& check) {
    const Scratch::Frame frame(scratch_);
    const auto alpha = detail::take_span<double>(scratch_, tasks_);
    next_state_ = state_;
    method_->weights({tasks_, next_gramian_, losses}, next_state_, alpha, scratch_);
    check(alpha);
    std::swap(state_, next_state_);
    std::ranges::copy(alpha, weights_.begin());
    gramian_.swap(next_gramian_);
    ++state_.steps;
  }

  std::shared_ptr<const Erased> method_;  // does not change, so copies share it
  Has has_;
  Index tasks_;
  std::shared_ptr<const ParamTable> table_;
  std::vector<ParamRange> shared_;
  std::vector<ParamRange> others_;
  MethodState state_;
  MethodState next_state_;  // of the step that is being taken
  std::vector<ParamBuffer<Scalar>> buffers_;
  Eigen::MatrixXd gramian_;
  Eigen::MatrixXd next_gramian_;  // of the step that is being taken
  std::vector<double> ones_;
  std::vector<double> weights_;
  Scratch scratch_;
};

PLAIT_INTRINSICS_END

}  // namespace plait
