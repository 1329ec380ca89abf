// Pairwise logistic loss: within a group, what has the larger label should have the larger logit.
#pragma once
#include <cmath>
#include <string>

#include "plait/core/config.hpp"
#include "plait/losses/bce.hpp"
#include "plait/losses/loss.hpp"

namespace plait {

// Over the pairs P = {(i, j) : y_i > y_j} of a group's rows,
//
//   loss = Σ_P w_i w_j log(1 + exp(z_j - z_i)),   mass = Σ_P w_i w_j
//   dz_i = Σ_j w_i w_j ([y_j > y_i] σ(z_i - z_j) - [y_i > y_j] σ(z_j - z_i))
//
// (RankNet, Burges et al., ICML 2005; BPR, Rendle et al., UAI 2009.) The task's loss is the mean
// over the pairs of all groups. Labels are any numbers, of which only the order counts. A group of
// equal labels has no pairs, no loss and no gradient. A group of n rows takes O(n²) time.
//
// Predicts the score z, which compares the rows of one group and nothing else.
struct PairwiseLoss {
  static Index width() { return 1; }
  static bool accepts(double y) { return std::isfinite(y); }
  static std::string label_domain() { return "a finite number"; }

  template <class Scalar>
  double mass(const GroupRows<Scalar>& rows) const {
    double sum = 0;
    for (Index i = 0; i < rows.size(); ++i)
      for_pairs_of(rows, i,
                   [&](Index, double weight, int order) { sum += order > 0 ? weight : 0; });
    return sum;
  }

  // Every pair is seen from both of its rows, so that a row's gradient is written once, from a sum
  // in double.
  template <class Scalar>
  double operator()(const GroupRows<Scalar>& rows, double scale) const {
    double loss = 0;
    for (Index i = 0; i < rows.size(); ++i) {
      double gradient = 0;
      for_pairs_of(rows, i, [&](Index j, double weight, int order) {
        double slope = 0;
        const double margin = order * (rows.logit(i) - rows.logit(j));
        const double of_pair = bce_with_logits(margin, 1.0, 1.0, &slope);
        if (order > 0) loss += weight * of_pair;
        gradient += weight * order * slope;
      });
      rows.set_gradient(i, 0, scale * gradient);
    }
    return loss;
  }

  template <class Scalar>
  static void predict(const Scalar* z, Scalar* out) {
    *out = *z;
  }

 private:
  // visit(j, w_i w_j, sign of y_i - y_j) for every row j with which row i makes a pair.
  template <class Scalar, class Visit>
  static void for_pairs_of(const GroupRows<Scalar>& rows, Index i, const Visit& visit) {
    if (rows.weight(i) == 0) return;
    for (Index j = 0; j < rows.size(); ++j) {
      const double weight = rows.weight(i) * rows.weight(j);
      if (weight == 0 || rows.label(i) == rows.label(j)) continue;
      visit(j, weight, rows.label(i) > rows.label(j) ? 1 : -1);
    }
  }
};

static_assert(GroupLoss<PairwiseLoss, float>);

}  // namespace plait
