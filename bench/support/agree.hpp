// Contestants are timed only when they compute the same.
#pragma once
#include <cmath>
#include <sstream>
#include <stdexcept>
#include <string>

#include "plait/core/view.hpp"

namespace bench {

// Throws unless the two have one shape and differ by at most `tolerance` times the largest number
// expected.
inline void require_agreement(const std::string& what, const plait::Matrix<float>& got,
                              const plait::Matrix<float>& expected, double tolerance) {
  std::ostringstream text;
  text << what << ": ";
  if (got.rows() != expected.rows() || got.cols() != expected.cols()) {
    text << "[" << got.rows() << ", " << got.cols() << "] and [" << expected.rows() << ", "
         << expected.cols() << "]";
    throw std::runtime_error(text.str());
  }
  const double scale = expected.cwiseAbs().maxCoeff();
  const double difference = (got - expected).cwiseAbs().maxCoeff<Eigen::PropagateNaN>();
  if (difference <= tolerance * scale) return;  // false for NaN
  text << "differ by " << difference << " where numbers reach " << scale;
  throw std::runtime_error(text.str());
}

// The same for one number.
inline void require_agreement(const std::string& what, double got, double expected,
                              double tolerance) {
  if (std::abs(got - expected) <= tolerance * std::abs(expected)) return;  // false for NaN
  std::ostringstream text;
  text << what << ": " << got << " and " << expected;
  throw std::runtime_error(text.str());
}

}  // namespace bench
