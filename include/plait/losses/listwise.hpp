// Listwise softmax loss: within a group, the positive rows should be likely choices.
#pragma once
#include <cmath>
#include <string>

#include "plait/core/config.hpp"
#include "plait/losses/loss.hpp"

namespace plait {

// With p_i = exp(z_i) / Σ_j w_j exp(z_j) over a group's rows and S = Σ_i w_i y_i,
//
//   loss = -Σ_i w_i y_i log p_i,   mass = S
//   dz_i = S w_i p_i - w_i y_i
//
// (ListNet's top-one cross-entropy, Cao et al., ICML 2007, with the labels themselves as the target
// distribution; SoftmaxLoss of TensorFlow Ranking.) The task's loss is the mean over the positive
// labels of all groups, each being one choice from its group. Labels are relevances of at least 0;
// a group without a positive one has no loss and no gradient, and nor has a group of one row.
//
// Predicts the score z, which compares the rows of one group and nothing else.
struct ListwiseLoss {
  static Index width() { return 1; }
  static bool accepts(double y) { return std::isfinite(y) && y >= 0; }
  static std::string label_domain() { return "a finite number of at least 0"; }

  template <class Scalar>
  double mass(const GroupRows<Scalar>& rows) const {
    double sum = 0;
    for (Index i = 0; i < rows.size(); ++i) sum += relevance(rows, i);
    return sum;
  }

  template <class Scalar>
  double operator()(const GroupRows<Scalar>& rows, double scale) const {
    const double relevant = mass(rows);
    const GroupSoftmax softmax(rows, 0);
    double loss = 0;
    for (Index i = 0; i < rows.size(); ++i) {
      double gradient = 0;
      if (relevant > 0 && rows.weight(i) != 0) {
        loss += relevance(rows, i) * softmax.minus_log_probability(rows.logit(i));
        gradient =
            relevant * rows.weight(i) * softmax.probability(rows.logit(i)) - relevance(rows, i);
      }
      rows.set_gradient(i, 0, scale * gradient);
    }
    return loss;
  }

  template <class Scalar>
  static void predict(const Scalar* z, Scalar* out) {
    *out = *z;
  }

 private:
  // w_i y_i; the label of a row that does not count may be NaN.
  template <class Scalar>
  static double relevance(const GroupRows<Scalar>& rows, Index i) {
    return rows.weight(i) != 0 ? rows.weight(i) * rows.label(i) : 0;
  }
};

static_assert(GroupLoss<ListwiseLoss, float>);

}  // namespace plait
