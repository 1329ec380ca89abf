// Synthetic data with a chosen task correlation: the recipe of Ma et al., "Modeling task
// relationships in multi-task learning with multi-gate mixture-of-experts" (MMoE, KDD 2018),
// section 3.2, carried from two tasks to three.
//
// Every task t has a direction w_t of norm c; the cosine between any two is the task correlation p.
//   x ~ N(0, I),  z_t = <w_t, x>,  y_t = z_t + sum_j sin(alpha_j z_t + beta_j) + noise
// The paper leaves c, alpha and beta open; here c = 1 and ten alpha, beta ~ N(0, 1) as in Tang et
// al., "Progressive layered extraction" (PLE, RecSys 2020), section 5.2.1.
#pragma once
#include <cstdint>
#include <span>

#include "dataset.hpp"
#include "plait/core/random.hpp"

namespace ranker {

struct SyntheticConfig {
  Index input_dim = 100;
  Index train_rows = 10000;
  Index validation_rows = 2500;
  Index test_rows = 5000;
  double correlation = 0.8;  // p, from 0 to 1
  double noise = 1.0;        // standard deviation; with the paper's 0.1 every model is near perfect
  std::uint64_t seed = 1;
};

// `count` orthonormal vectors of R^dim as rows: Gram-Schmidt on Gaussian draws.
plait::Matrix<double> orthonormal_rows(Index count, Index dim, plait::Random& random);

// Directions of norm `scale` with pairwise cosine p, from 2 or 3 orthonormal rows:
//   w_1 = c u_1,  w_2 = c (p u_1 + sqrt(1 - p^2) u_2)                      (the paper's)
//   w_3 = c (p u_1 + p sqrt((1 - p)/(1 + p)) u_2 + sqrt((1 - p)(1 + 2p)/(1 + p)) u_3)
plait::Matrix<double> task_directions(const plait::Matrix<double>& orthonormal, double p,
                                      double scale);

// z + sum_j sin(alpha_j z + beta_j).
double response(double z, std::span<const double> alpha, std::span<const double> beta);

// Three tasks: click (binary, 40 % positive), dwell (regression, standardised) and buy (binary, 3 %
// positive), the binary ones by thresholds on y at quantiles of the training rows.
// x, alpha, beta and the orthonormal vectors depend on the seed alone, so data of different
// correlations compare.
Dataset synthetic_dataset(const SyntheticConfig& config);

}  // namespace ranker
