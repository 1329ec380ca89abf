// GradientCosines: how much the tasks' gradients agree, over the steps of a training.
#pragma once
#include <span>
#include <string>

#include "plait/core/config.hpp"
#include "plait/core/csv.hpp"
#include "plait/core/eigen.hpp"
#include "plait/core/error.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/core/ranges.hpp"
#include "plait/core/scratch.hpp"
#include "plait/methods/shared_gradients.hpp"
#include "plait/methods/unit_gramian.hpp"

namespace plait {

// Over the steps in which both tasks of a pair had a gradient; NaN for a pair that never had.
struct CosineReport {
  Index steps = 0;            // that were added
  Eigen::MatrixXd cosines;    // [T, T], mean of ⟨g_s, g_t⟩ / (‖g_s‖ ‖g_t‖)
  Eigen::MatrixXd conflicts;  // [T, T], share of steps with ⟨g_s, g_t⟩ < 0

  // A line per number: quantity,task,other,value, with the members' names and tasks from 0.
  std::string csv() const {
    std::string out = "quantity,task,other,value\n";
    const auto lines = [&](const char* quantity, const Eigen::MatrixXd& numbers) {
      for (Index s = 0; s < numbers.rows(); ++s)
        for (Index t = 0; t < numbers.cols(); ++t)
          out += text(quantity, ',', s, ',', t, ',') + csv_number(numbers(s, t)) + '\n';
    };
    lines("cosines", cosines);
    lines("conflicts", conflicts);
    return out;
  }
};

// A value; not thread-safe.
class GradientCosines {
 public:
  // Throws ConfigError for less than one task.
  explicit GradientCosines(Index tasks) {
    require_config(tasks >= 1, "GradientCosines", "tasks", text(tasks), "at least 1");
    cosines_.setZero(tasks, tasks);
    conflicts_.setZero(tasks, tasks);
    counts_.setZero(tasks, tasks);
  }

  // A step by the Gramian [T, T] of its gradients, such as GradientBalancer::gramian(). Throws
  // ShapeError for another size, ValueError for one that is not finite or has a negative diagonal.
  void add(const Eigen::MatrixXd& gramian) {
    const Index tasks = counts_.rows();
    if (gramian.rows() != tasks || gramian.cols() != tasks)
      throw ShapeError("GradientCosines", "gramian",
                       text("[", gramian.rows(), ", ", gramian.cols(), "]"),
                       text("[", tasks, ", ", tasks, "]"));
    if (!gramian.allFinite() || gramian.diagonal().minCoeff() < 0)
      throw ValueError("GradientCosines", "gramian",
                       "numbers that are not finite, or a negative diagonal",
                       "products of finite gradients");
    const Scratch::Frame frame(scratch_);
    const detail::UnitGramian unit(gramian, scratch_);
    for (Index i = 0; i < unit.size(); ++i)
      for (Index j = 0; j < unit.size(); ++j) {
        const double cosine = unit.cosines(i, j);
        cosines_(unit.task(i), unit.task(j)) += cosine;
        conflicts_(unit.task(i), unit.task(j)) += cosine < 0 ? 1 : 0;
        counts_(unit.task(i), unit.task(j)) += 1;
      }
    ++steps_;
  }

  // A step by its gradients [T], over the ranges. Throws as well ConfigError for ranges that are
  // not in order, apart and inside, and ShapeError for gradients over different tables.
  template <class Scalar>
  void add(std::span<const ParamBuffer<Scalar>> gradients, std::span<const ParamRange> shared) {
    for (const auto& gradient : gradients)
      require_schema("GradientCosines", "gradients", gradient.shared_table(),
                     gradients.front().shared_table());
    if (!gradients.empty())
      detail::check_ranges("GradientCosines", shared,
                           gradients.front().shared_table()->buffer_size());
    detail::gramian_of(gradients, shared, gramian_, scratch_);
    add(gramian_);
  }

  CosineReport report() const {
    return {steps_, cosines_.cwiseQuotient(counts_), conflicts_.cwiseQuotient(counts_)};
  }

 private:
  Index steps_ = 0;
  Eigen::MatrixXd cosines_;    // [T, T], sums
  Eigen::MatrixXd conflicts_;  // [T, T], steps
  Eigen::MatrixXd counts_;     // [T, T], steps in which both have a gradient
  Eigen::MatrixXd gramian_;    // of the gradients that are added
  Scratch scratch_;
};

}  // namespace plait
