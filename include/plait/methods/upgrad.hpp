// UPGrad: unconflicting projection of gradients (Quinton and Rey, arXiv 2406.16232).
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/methods/balancing_method.hpp"
#include "plait/methods/memory.hpp"
#include "plait/methods/nonnegative_qp.hpp"
#include "plait/methods/per_task.hpp"

namespace plait {

// Every task's gradient, weighted with its preference p_t, is projected on the directions that hurt
// no task, { d : ⟨g_s, d⟩ >= 0 for all s }, and the projections are summed:
//
//   α = Σ_t v_t,  v_t = argmin vᵀMv  subject to  v >= p_t e_t
//
// so Mα >= 0. Without conflict d is the preferences' weighted sum, by default the mean; for T = 2
// and equal preferences it is half of PCGrad's. Opposite gradients cancel, parallel ones do not
// conflict. Without any gradient, α = 0.
//
// normalise divides M by its trace, regularisation is then added to its diagonal; torchjd does
// both, with 1e-4, which trades some of Mα >= 0 for a better conditioned problem.
struct UPGrad {
  std::vector<double> preferences = {};  // p [T]; empty: 1/T for each of T tasks with a gradient
  bool normalise = false;
  double regularisation = 0;

  static constexpr std::string_view name = "UPGrad";
  static constexpr bool needs_gramian = true;

  void fields(FieldVisitor& visit) {
    visit("preferences", preferences);
    visit("normalise", normalise);
    visit("regularisation", regularisation);
  }

  // Throws ConfigError for preferences that are not one finite number of at least 0 per task, for
  // one that float cannot hold, and for a regularisation that is not such a number.
  void validate(Index tasks) const {
    detail::validate_factors("UPGrad", "preferences", preferences, tasks);
    require_config(std::isfinite(regularisation) && regularisation >= 0, "UPGrad", "regularisation",
                   text(regularisation), "a finite number of at least 0");
  }

  // v_t [T] for t = task. `gramian` as weights() has it after normalisation and regularisation.
  static void project(const Eigen::MatrixXd& gramian, Index task, double preference,
                      std::span<double> v, Scratch& scratch) {
    const Scratch::Frame frame(scratch);
    const detail::Square m = detail::take_copy(gramian, scratch);
    detail::Numbers z = detail::take_numbers(scratch, m.rows());
    project(m, task, preference, z, scratch);
    detail::copy(z, v);
  }

  void weights(const BalancingInput& input, MethodState&, std::span<double> out,
               Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const Index tasks = input.tasks;
    detail::Square m = detail::take_copy(input.gramian, scratch);
    Index present = 0;
    double trace = 0;
    for (Index t = 0; t < tasks; ++t) {
      present += m(t, t) > 0 ? 1 : 0;
      trace += m(t, t);
    }
    if (normalise && present > 0)
      for (Index k = 0; k < tasks * tasks; ++k) m.data()[k] /= trace;
    for (Index t = 0; t < tasks; ++t) m(t, t) += regularisation;
    const double share = 1.0 / static_cast<double>(present);
    std::ranges::fill(out, 0.0);
    detail::Numbers v = detail::take_numbers(scratch, tasks);
    for (Index t = 0; t < tasks; ++t) {
      if (!(input.gramian(t, t) > 0)) continue;
      project(m, t, detail::per_task(preferences, t, share), v, scratch);
      for (Index s = 0; s < tasks; ++s) out[static_cast<std::size_t>(s)] += v[s];
    }
  }

 private:
  static void project(const detail::Square& m, Index task, double preference, detail::Numbers& v,
                      Scratch& scratch) {
    const Scratch::Frame frame(scratch);
    detail::Numbers linear = detail::take_numbers(scratch, m.rows());
    for (Index s = 0; s < m.rows(); ++s) linear[s] = preference * m(s, task);
    // v = p e_t + z with z >= 0.
    detail::solve_nonnegative_qp(m, linear, v, scratch);
    v[task] += preference;
  }
};

static_assert(BalancingMethod<UPGrad>);

}  // namespace plait
