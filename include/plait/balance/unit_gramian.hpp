// The tasks that have a gradient, and the cosines between them.
#pragma once
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <vector>

#include "plait/core/config.hpp"

namespace plait::detail {

// Relative size below which a squared length, or an eigenvalue of a Gramian, is what rounding left
// of zero.
inline constexpr double rank_tolerance = 1e-12;

// M = diag(norms) C diag(norms), for the tasks with M_tt > 0.
struct UnitGramian {
  std::vector<Index> tasks;  // those with a gradient, ascending
  Eigen::VectorXd norms;     // ‖g_t‖ of each
  Eigen::MatrixXd cosines;   // C, within [-1, 1], ones on the diagonal

  explicit UnitGramian(const Eigen::MatrixXd& gramian) : all_(gramian.rows()) {
    for (Index t = 0; t < all_; ++t)
      if (gramian(t, t) > 0) tasks.push_back(t);
    norms.resize(size());
    cosines.resize(size(), size());
    for (Index i = 0; i < size(); ++i) norms[i] = std::sqrt(gramian(task(i), task(i)));
    for (Index i = 0; i < size(); ++i) {
      cosines(i, i) = 1;
      for (Index j = 0; j < i; ++j) {
        const double cosine = gramian(task(i), task(j)) / norms[i] / norms[j];
        cosines(i, j) = cosines(j, i) = std::clamp(cosine, -1.0, 1.0);
      }
    }
  }

  Index size() const { return std::ssize(tasks); }
  Index task(Index i) const { return tasks[static_cast<std::size_t>(i)]; }

  // Weights of all tasks from those of the tasks with a gradient; 0 for the others.
  Eigen::VectorXd spread(const Eigen::VectorXd& weights) const {
    Eigen::VectorXd result = Eigen::VectorXd::Zero(all_);
    for (Index i = 0; i < size(); ++i) result[task(i)] = weights[i];
    return result;
  }

 private:
  Index all_;
};

}  // namespace plait::detail
