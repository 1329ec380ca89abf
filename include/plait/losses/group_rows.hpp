// GroupRows: rows that a loss compares, those of a group (the candidates of a query, the
// impressions of a session).
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "plait/core/config.hpp"
#include "plait/core/view.hpp"
#include "plait/losses/row_weights.hpp"

namespace plait {

// Views on one task's columns of n rows. In all losses of groups a row of weight w counts as w
// copies of the row, and one of weight 0 as none: it changes nothing, whatever its logits and
// label.
template <class Scalar>
struct GroupRows {
  View3<const Scalar> logits;       // [n, 1, width]
  View3<const Scalar> labels;       // [n, 1, 1]
  RowWeights<Scalar> weights = {};  // [n]
  View3<Scalar> dlogits = {};       // [n, 1, width]; empty: not wanted

  Index size() const { return labels.batch(); }
  double weight(Index i) const { return weights[i]; }
  double label(Index i) const { return static_cast<double>(*labels.row(i)); }
  double logit(Index i, Index column = 0) const {
    return static_cast<double>(logits.row(i)[column]);
  }
  void set_gradient(Index i, Index column, double gradient) const {
    if (dlogits) dlogits.row(i)[column] = static_cast<Scalar>(gradient);
  }

  GroupRows rows(Index first, Index count) const {
    return {logits ? logits.rows(first, count) : logits, labels.rows(first, count),
            weights.rows(first, count), dlogits ? dlogits.rows(first, count) : dlogits};
  }
};

// Softmax of one column over the rows of a group that count:
//
//   p_i = exp(z_i) / Σ_j w_j exp(z_j),   so that Σ_i w_i p_i = 1
//
// kept as the largest logit and the sum relative to it, so that nothing overflows.
struct GroupSoftmax {
  double top = -std::numeric_limits<double>::infinity();
  double sum = 0;  // Σ_j w_j exp(z_j - top)

  template <class Scalar>
  GroupSoftmax(const GroupRows<Scalar>& rows, Index column) {
    for (Index i = 0; i < rows.size(); ++i)
      if (rows.weight(i) != 0) top = (std::max)(top, rows.logit(i, column));
    for (Index i = 0; i < rows.size(); ++i)
      if (rows.weight(i) != 0) sum += rows.weight(i) * std::exp(rows.logit(i, column) - top);
  }

  double probability(double z) const { return std::exp(z - top) / sum; }
  double minus_log_probability(double z) const { return (top - z) + std::log(sum); }
};

}  // namespace plait
