// GradientBalancer: a balancing method with the state that it needs.
#pragma once
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "plait/balance/balancer.hpp"
#include "plait/balance/shared_gradients.hpp"
#include "plait/core/error.hpp"
#include "plait/core/method_state.hpp"
#include "plait/core/params.hpp"

namespace plait {

// A value: a copy goes on from the same state independently. A step of training calls one of
//
//   combine(gradients, losses, out)    from every task's gradient to the one that is stepped with
//   weigh(gramian, losses)             α alone, where the caller forms the Gramian and direction
//                                      itself (methods without transform): of the cotangents of a
//                                      representation, or to keep no gradient per task
//
// Not thread-safe. A step allocates small matrices, [T, T]; vectors over the parameters are
// allocated on construction only.
template <class Scalar, Balancer Method>
class GradientBalancer {
 public:
  // True when the method changes the gradients themselves, so that a Gramian is not enough.
  static constexpr bool transforms = TransformsGradients<Method, Scalar>;

  // `shared` are the parameters that two or more tasks reach, ranges in order and apart. `seed` is
  // for methods that draw. Throws ConfigError for less than one task, hyper-parameters out of
  // range, and ranges that are not so.
  GradientBalancer(Method method, Index tasks, std::shared_ptr<const ParamTable> table,
                   std::vector<ParamRange> shared, std::uint64_t seed = 0)
      : method_(std::move(method)),
        tasks_(tasks),
        table_(std::move(table)),
        shared_(std::move(shared)) {
    require_config(tasks >= 1, "GradientBalancer", "tasks", text(tasks), "at least 1");
    method_.validate(tasks);
    detail::check_ranges("GradientBalancer", shared_, table_->buffer_size());
    others_ = detail::complement(shared_, table_->buffer_size());
    state_.random = Random(seed);
    state_.numbers.assign(static_cast<std::size_t>(state_size(method_, tasks)), 0.0);
    if (keeps_buffers<Method>)
      buffers_.assign(static_cast<std::size_t>(tasks), ParamBuffer<Scalar>(table_));
    gramian_.setZero(tasks, tasks);
    ones_.assign(static_cast<std::size_t>(tasks), 1.0);
    weights_ = ones_;
  }

  // gradients [T]: of each task's own loss, over all parameters, zero where it does not reach;
  // changed in place by methods that do so. losses [T] are those of the batch. out is overwritten:
  //
  //   shared parameters   Σ_t α_t g_t
  //   all others          Σ_t g_t: a private parameter gets its own task's gradient
  //
  // out must not be one of the gradients. Throws before anything is changed: ShapeError for another
  // number of gradients or losses, or buffers over another table; ValueError for gradients that are
  // not finite, where the method looks at them, and losses that it has no use for.
  void combine(std::span<ParamBuffer<Scalar>> gradients, std::span<const double> losses,
               ParamBuffer<Scalar>& out) {
    const std::span<const ParamBuffer<Scalar>> read = gradients;
    require_one_per_task("gradients", std::ssize(gradients));
    require_one_per_task("losses", std::ssize(losses));
    for (const auto& gradient : read)
      require_schema("GradientBalancer", "gradients", gradient.shared_table(), table_);
    require_schema("GradientBalancer", "out", out.shared_table(), table_);

    if constexpr (WeightsLosses<Method>) {
      const Eigen::VectorXd slopes = method_.loss_weights(losses);
      require_finite(slopes.cwiseAbs2().cwiseProduct(squared_lengths(read)));
      for (Index t = 0; t < tasks_; ++t)
        for (Scalar& g : gradients[static_cast<std::size_t>(t)].flat())
          g = static_cast<Scalar>(slopes[t] * static_cast<double>(g));
    } else if constexpr (transforms) {
      require_finite(squared_lengths(read));
    }
    if constexpr (transforms)
      for (const ParamRange& range : shared_)
        method_.transform(TaskSpans<Scalar>(detail::blocks<Scalar>(gradients, range)),
                          TaskSpans<Scalar>(detail::blocks<Scalar>(std::span(buffers_), range)),
                          state_);
    if constexpr (Method::needs_gramian) {
      const Eigen::MatrixXd gramian = detail::gramian_of(read, shared_);
      require_finite(gramian.diagonal());
      step(gramian, losses);
    } else {
      step(gramian_, losses);
    }
    detail::weighted_sum<Scalar>(read, weights_, shared_, out);
    detail::weighted_sum<Scalar>(read, ones_, others_, out);
  }

  // α [T] from the Gramian [T, T] of the tasks' gradients; the same as weights() from then on.
  // losses [T] may be empty where the method has no use for them. Throws before anything is
  // changed: ShapeError for other sizes; ValueError for a Gramian that is not finite or has a
  // negative diagonal, and losses that the method has no use for.
  std::span<const double> weigh(const Eigen::MatrixXd& gramian,
                                std::span<const double> losses = {}) requires(!transforms) {
    if (gramian.rows() != tasks_ || gramian.cols() != tasks_)
      throw ShapeError("GradientBalancer", "gramian",
                       text("[", gramian.rows(), ", ", gramian.cols(), "]"),
                       text("[", tasks_, ", ", tasks_, "]"));
    if (!losses.empty()) require_one_per_task("losses", std::ssize(losses));
    if (!gramian.allFinite())
      throw ValueError("GradientBalancer", "gramian", "NaN or infinity", "finite numbers");
    if (gramian.diagonal().minCoeff() < 0)
      throw ValueError("GradientBalancer", "gramian", text(gramian.diagonal().minCoeff()),
                       "squared lengths on the diagonal");
    step(gramian, losses);
    return weights_;
  }

  const Method& method() const { return method_; }
  Index num_tasks() const { return tasks_; }
  const std::vector<ParamRange>& shared() const { return shared_; }
  // Of the last step: α [T], one per task, and the Gramian [T, T] that they come from (zeros for a
  // method that needs none).
  std::span<const double> weights() const { return weights_; }
  const Eigen::MatrixXd& gramian() const { return gramian_; }

  // The state, for a checkpoint. The buffers are T for a method that keeps them, otherwise none.
  const MethodState& state() const { return state_; }
  const std::vector<ParamBuffer<Scalar>>& buffers() const { return buffers_; }

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
  void require_one_per_task(const char* argument, Index count) const {
    if (count != tasks_)
      throw ShapeError("GradientBalancer", argument, text(count), text(tasks_, ", one per task"));
  }

  // [T], over the shared parameters.
  Eigen::VectorXd squared_lengths(std::span<const ParamBuffer<Scalar>> gradients) const {
    Eigen::VectorXd result(tasks_);
    for (Index t = 0; t < tasks_; ++t)
      result[t] = detail::squared_length(gradients[static_cast<std::size_t>(t)], shared_);
    return result;
  }

  // And so after rounding to Scalar.
  static void require_finite(const Eigen::VectorXd& squared_lengths) {
    constexpr auto most = static_cast<double>(std::numeric_limits<Scalar>::max());
    for (Index t = 0; t < squared_lengths.size(); ++t)
      if (!(std::isfinite(squared_lengths[t]) && std::sqrt(squared_lengths[t]) <= most))
        throw ValueError("GradientBalancer", text("gradient of task ", t), "NaN or infinity",
                         "finite numbers");
  }

  void step(Eigen::MatrixXd gramian, std::span<const double> losses) {
    const Eigen::VectorXd alpha = method_.weights({tasks_, gramian, losses}, state_);
    PLAIT_ASSERT(alpha.size() == tasks_);
    std::copy(alpha.begin(), alpha.end(), weights_.begin());
    gramian_ = std::move(gramian);
    ++state_.steps;
  }

  Method method_;
  Index tasks_;
  std::shared_ptr<const ParamTable> table_;
  std::vector<ParamRange> shared_;
  std::vector<ParamRange> others_;
  MethodState state_;
  std::vector<ParamBuffer<Scalar>> buffers_;
  Eigen::MatrixXd gramian_;
  std::vector<double> ones_;
  std::vector<double> weights_;
};

}  // namespace plait
