// The tasks that have a gradient, and the cosines between them.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

#include "plait/core/config.hpp"
#include "plait/core/scratch.hpp"
#include "plait/methods/memory.hpp"

namespace plait::detail {

// Relative size below which an eigenvalue of a Gramian [n, n], or the squared length of what n
// vectors combine to, is what rounding left of zero: a few units of it, whatever the number of
// parameters. A squared length: vectors count that are longer than 4e-8 of the longest, for two.
constexpr double rank_tolerance(Index n) {
  return 4 * static_cast<double>(n) * std::numeric_limits<double>::epsilon();
}

// M = diag(norms) C diag(norms), for the tasks with M_tt > 0.
struct UnitGramian {
  std::span<Index> tasks;  // those with a gradient, ascending
  Numbers norms;           // ‖g_t‖ of each
  Square cosines;          // C, within [-1, 1], ones on the diagonal

  // In memory of the scratch's frame.
  UnitGramian(const Eigen::MatrixXd& gramian, Scratch& scratch)
      : tasks(present(gramian, scratch)),
        norms(take_numbers(scratch, size())),
        cosines(take_square(scratch, size())) {
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
  void spread(const Numbers& weights, std::span<double> out) const {
    std::ranges::fill(out, 0.0);
    for (Index i = 0; i < size(); ++i) out[static_cast<std::size_t>(task(i))] = weights[i];
  }

 private:
  static std::span<Index> present(const Eigen::MatrixXd& gramian, Scratch& scratch) {
    const std::span<Index> all = take_span<Index>(scratch, gramian.rows());
    std::size_t count = 0;
    for (Index t = 0; t < gramian.rows(); ++t)
      if (gramian(t, t) > 0) all[count++] = t;
    return all.first(count);
  }
};

}  // namespace plait::detail
