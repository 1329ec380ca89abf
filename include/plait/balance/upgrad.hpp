// UPGrad: unconflicting projection of gradients (Quinton and Rey, arXiv 2406.16232).
#pragma once
#include <Eigen/Core>
#include <cmath>
#include <vector>

#include "plait/balance/balancer.hpp"
#include "plait/balance/nonnegative_qp.hpp"
#include "plait/core/error.hpp"
#include "plait/core/per_task.hpp"

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

  static constexpr bool needs_gramian = true;

  // Throws ConfigError for preferences that are not one finite number of at least 0 per task, and
  // for a regularisation that is not such a number.
  void validate(Index tasks) const {
    detail::validate_per_task("UPGrad", "preferences", preferences, tasks);
    require_config(std::isfinite(regularisation) && regularisation >= 0, "UPGrad", "regularisation",
                   text(regularisation), "a finite number of at least 0");
  }

  // v_t [T] for t = task. `gramian` as weights() has it after normalisation and regularisation.
  static Eigen::VectorXd project(const Eigen::MatrixXd& gramian, Index task, double preference) {
    // v = p e_t + z with z >= 0.
    Eigen::VectorXd v = detail::solve_nonnegative_qp(gramian, preference * gramian.col(task));
    v[task] += preference;
    return v;
  }

  Eigen::VectorXd weights(const BalancerInput& input, MethodState&) const {
    const auto present = (input.gramian.diagonal().array() > 0).count();
    const double share = 1.0 / static_cast<double>(present);
    Eigen::MatrixXd m = input.gramian;
    if (normalise && present > 0) m /= m.trace();
    m.diagonal().array() += regularisation;
    Eigen::VectorXd alpha = Eigen::VectorXd::Zero(input.tasks);
    for (Index t = 0; t < input.tasks; ++t)
      if (input.gramian(t, t) > 0) alpha += project(m, t, detail::per_task(preferences, t, share));
    return alpha;
  }
};

static_assert(Balancer<UPGrad>);

}  // namespace plait
