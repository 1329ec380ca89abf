// Comparing weights with worked and expected ones.
#pragma once
#include <Eigen/Core>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "support/catch.hpp"
#include "support/fixtures.hpp"

namespace weighting_test {

using Numbers = std::vector<double>;

inline void check_close(std::span<const double> got, const Numbers& expected,
                        double tolerance = 1e-10) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t t = 0; t < expected.size(); ++t) {
    INFO("task " << t);
    CHECK_THAT(got[t], Catch::Matchers::WithinAbs(expected[t], tolerance));
  }
}

inline void check_close(std::span<const double> got, const fixtures::Json& expected) {
  check_close(got, expected.get<Numbers>());
}
inline void check_close(const Eigen::VectorXd& got, const fixtures::Json& expected) {
  check_close(Numbers(got.begin(), got.end()), expected);
}

}  // namespace weighting_test
