// LevelSums: sums over rows from which a LevelReport is made.
#pragma once
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/view.hpp"
#include "plait/inspect/expert_report.hpp"
#include "plait/kernels/selections.hpp"

namespace plait::detail {

PLAIT_INTRINSICS_BEGIN

// The outputs of the experts are Scalar, the sums double.
template <class Scalar>
class LevelSums {
 public:
  // `gated` tells of each unit whether it has a gate.
  LevelSums(Selections selections, std::vector<bool> gated)
      : selections_(std::move(selections)), gated_(std::move(gated)) {
    const Index units = selections_.units();
    const Index experts = selections_.experts();
    gate_weights_.setZero(units, experts);
    static_weights_.setZero(units, experts);
    top_.setZero(units, experts);
    entropy_.setZero(units);
    squares_.setZero(experts);
    cosines_.setZero(experts, experts);
    pairs_.setZero(experts, experts);
  }

  // experts [B, E, H]; gate_weights [B, 1, columns], read for units with a gate alone; statics
  // [1, 1, columns].
  void add(View3<const Scalar> experts, View3<const Scalar> gate_weights,
           View3<const Scalar> statics) {
    rows_ += experts.batch();
    width_ = experts.dim();
    for (Index u = 0; u < selections_.units(); ++u)
      for (Index c = selections_.first(u); c < selections_.first(u) + selections_.count(u); ++c)
        static_weights_(u, selections_.expert(c)) +=
            static_cast<double>(experts.batch()) * static_cast<double>(statics(0, 0, c));
    for (Index b = 0; b < experts.batch(); ++b) {
      for (Index u = 0; u < selections_.units(); ++u)
        if (gated_[static_cast<std::size_t>(u)]) add_gate(u, gate_weights.row(b));
      outputs_ = experts.of_sample(b).template cast<double>();
      add_outputs();
    }
  }

  LevelReport report() const {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    const auto rows = static_cast<double>(rows_);
    LevelReport result;
    result.gate_weights = divided(gate_weights_, rows);
    result.static_weights = divided(static_weights_, rows);
    result.top_share = divided(top_, rows);
    result.entropy = divided(entropy_, rows);
    result.relative_entropy.resize(entropy_.size());
    Index gates = 0;
    for (Index u = 0; u < selections_.units(); ++u) {
      const bool gated = gated_[static_cast<std::size_t>(u)];
      const Index choices = selections_.count(u);
      gates += gated ? 1 : 0;
      if (!gated) result.entropy[u] = nan;
      result.relative_entropy[u] =
          choices > 1 ? result.entropy[u] / std::log(static_cast<double>(choices)) : nan;
    }
    // Rows of units without a gate are zero.
    result.importance = divided(column_sums(result.gate_weights), static_cast<double>(gates));
    result.load = divided(column_sums(result.top_share), static_cast<double>(gates));
    result.output_rms = divided(squares_, rows * static_cast<double>(width_));
    for (Index e = 0; e < result.output_rms.size(); ++e)
      result.output_rms[e] = std::sqrt(result.output_rms[e]);
    result.similarity = cosines_;
    for (Index i = 0; i < cosines_.size(); ++i) result.similarity.data()[i] /= pairs_.data()[i];
    return result;
  }

 private:
  // Loops: Eigen's expressions would be compiled wherever this header is read.
  template <class Numbers>
  static Numbers divided(Numbers numbers, double by) {
    for (Index i = 0; i < numbers.size(); ++i) numbers.data()[i] /= by;
    return numbers;
  }
  static Vector<double> column_sums(const Matrix<double>& numbers) {
    Vector<double> sums(numbers.cols());
    for (Index c = 0; c < numbers.cols(); ++c) {
      sums[c] = 0;
      for (Index r = 0; r < numbers.rows(); ++r) sums[c] += numbers(r, c);
    }
    return sums;
  }

  // weights: one row, the columns of all units.
  void add_gate(Index u, const Scalar* weights) {
    Index top = selections_.first(u);
    for (Index c = top; c < selections_.first(u) + selections_.count(u); ++c) {
      const auto g = static_cast<double>(weights[c]);
      gate_weights_(u, selections_.expert(c)) += g;
      if (g > 0) entropy_[u] -= g * std::log(g);
      if (weights[c] > weights[top]) top = c;
    }
    top_(u, selections_.expert(top)) += 1;
  }

  // Of one row, outputs_ [E, H].
  void add_outputs() {
    for (Index e = 0; e < outputs_.rows(); ++e) {
      const double squared = outputs_.row(e).squaredNorm();
      squares_[e] += squared;
      if (squared > 0) outputs_.row(e) /= std::sqrt(squared);
    }
    for (Index e = 0; e < outputs_.rows(); ++e)
      for (Index f = 0; f < outputs_.rows(); ++f) {
        if (outputs_.row(e).isZero(0) || outputs_.row(f).isZero(0)) continue;
        cosines_(e, f) += outputs_.row(e).dot(outputs_.row(f));
        pairs_(e, f) += 1;
      }
  }

  Selections selections_;
  std::vector<bool> gated_;
  Index rows_ = 0;
  Index width_ = 0;
  Matrix<double> gate_weights_;    // [U, E]
  Matrix<double> static_weights_;  // [U, E]
  Matrix<double> top_;             // [U, E]
  Vector<double> entropy_;         // [U]
  Vector<double> squares_;         // [E]
  Matrix<double> cosines_;         // [E, E]
  Matrix<double> pairs_;           // [E, E], rows where both are not zero
  Matrix<double> outputs_;         // [E, H], of one row
};

PLAIT_INTRINSICS_END

}  // namespace plait::detail
