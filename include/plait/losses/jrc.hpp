// JRC: joint ranking and calibration, from two logits per sample.
#pragma once
#include <string>

#include "plait/core/config.hpp"
#include "plait/kernels/activation.hpp"
#include "plait/losses/bce.hpp"
#include "plait/losses/loss.hpp"

namespace plait {

// A sample has a logit f_0 for no and f_1 for yes. Their difference is calibrated by cross-entropy;
// each of them ranks the rows of a group. With y_i1 = y_i and y_i0 = 1 - y_i,
//
//   q_ic = exp(f_ic) / Σ_j w_j exp(f_jc)                        over the rows of the group
//   loss = Σ_i w_i (alpha BCE(f_i1 - f_i0, y_i) - (1 - alpha) Σ_c y_ic log q_ic),  mass = Σ_i w_i
//   df_i1 =  w_i alpha (σ(f_i1 - f_i0) - y_i) + (1 - alpha) w_i (q_i1 Σ_j w_j y_j1 - y_i1)
//   df_i0 = -w_i alpha (σ(f_i1 - f_i0) - y_i) + (1 - alpha) w_i (q_i0 Σ_j w_j y_j0 - y_i0)
//
// (Sheng et al., Joint optimization of ranking and calibration with contextualized hybrid model,
// KDD 2023.) The task's loss is the mean over the rows that count. Labels may be soft.
//
// Predicts the probabilities softmax(f_0, f_1) of no and yes.
struct JointRankingLoss {
  double alpha = 0.5;

  static Index width() { return 2; }
  static bool accepts(double y) { return y >= 0 && y <= 1; }
  static std::string label_domain() { return "a number in [0, 1]"; }

  template <class Scalar>
  double mass(const GroupRows<Scalar>& rows) const {
    double sum = 0;
    for (Index i = 0; i < rows.size(); ++i) sum += rows.weight(i);
    return sum;
  }

  template <class Scalar>
  double operator()(const GroupRows<Scalar>& rows, double scale) const {
    const GroupSoftmax among[2] = {{rows, 0}, {rows, 1}};
    double total[2] = {0, 0};  // Σ_j w_j y_jc
    for (Index i = 0; i < rows.size(); ++i) {
      if (rows.weight(i) == 0) continue;
      total[0] += rows.weight(i) * (1 - rows.label(i));
      total[1] += rows.weight(i) * rows.label(i);
    }
    double loss = 0;
    for (Index i = 0; i < rows.size(); ++i) {
      const double w = rows.weight(i);
      double gradient[2] = {0, 0};
      if (w != 0) {
        const double y = rows.label(i);
        double slope = 0;
        loss += w * alpha * bce_with_logits(rows.logit(i, 1) - rows.logit(i, 0), y, 1.0, &slope);
        for (const int c : {0, 1}) {
          const double f = rows.logit(i, c);
          const double label = c == 1 ? y : 1 - y;
          loss += w * (1 - alpha) * label * among[c].minus_log_probability(f);
          gradient[c] = w * alpha * (c == 1 ? slope : -slope) +
                        w * (1 - alpha) * (among[c].probability(f) * total[c] - label);
        }
      }
      for (const int c : {0, 1}) rows.set_gradient(i, c, scale * gradient[c]);
    }
    return loss;
  }

  template <class Scalar>
  static void predict(const Scalar* z, Scalar* out) {
    const Scalar difference = z[1] - z[0];
    out[0] = sigmoid(-difference);
    out[1] = sigmoid(difference);
  }
};

static_assert(GroupLoss<JointRankingLoss, float>);

}  // namespace plait
