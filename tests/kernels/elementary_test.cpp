// Elementary functions of packets against the standard library's in long double.
#include "plait/kernels/elementary.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "support/catch.hpp"

namespace {

// A function of one number, at a place of the packet that differs from call to call, by the
// instruction set that runs.
enum class Function { sigmoid, tanh, decay, normal_distribution };

}  // namespace

#define PLAIT_EACH_SET "kernels/elementary_test.inl"
#include "plait/kernels/each_set.hpp"

namespace {

using plait::InstructionSet;  // of PLAIT_RUN

template <class Scalar>
Scalar at(Function f, Scalar v) {
  PLAIT_RUN(plait::instruction_set(), at<Scalar>(f, v));
}

// Requires the relative error of f between two ends to be at most so many epsilons, a function of
// v.
template <class Scalar, class Exact, class Epsilons>
void check_accuracy(Function f, const Exact& exact, double low, double high,
                    const Epsilons& epsilons) {
  constexpr double epsilon = static_cast<double>(std::numeric_limits<Scalar>::epsilon());
  constexpr double infinity = std::numeric_limits<double>::infinity();
  double worst = 0;
  for (int i = 0; i <= 20000; ++i) {
    const auto v = static_cast<Scalar>(low + (high - low) * i / 20000);
    const auto expected = static_cast<long double>(exact(static_cast<long double>(v)));
    if (expected == 0) continue;
    const auto error = static_cast<double>(std::abs(at(f, v) / expected - 1));
    const double ratio = error / epsilon / epsilons(static_cast<double>(v));
    worst = std::isnan(ratio) ? infinity : std::max(worst, ratio);
  }
  INFO("between " << low << " and " << high);
  CHECK(worst <= 1);
}

}  // namespace

TEMPLATE_TEST_CASE("elementary functions are right to a few epsilons", "", float, double) {
  using Scalar = TestType;
  constexpr bool is_float = std::is_same_v<Scalar, float>;
  constexpr double range = is_float ? 87 : 708;  // of exponents
  const auto four = [](double) { return 4.0; };
  for (const double end : {1e-6, 1e-2, 0.3, 30.0, range}) {
    check_accuracy<Scalar>(
        Function::sigmoid, [](long double v) { return 1 / (1 + std::exp(-v)); }, -end, end, four);
    check_accuracy<Scalar>(
        Function::tanh, [](long double v) { return std::tanh(v); }, -end, end, four);
    check_accuracy<Scalar>(
        Function::decay, [](long double v) { return std::exp(-v); }, 0, end, four);
  }
  for (const double end : {1e-6, 1e-2, 0.3, 3.0, is_float ? 12.0 : 37.0})
    check_accuracy<Scalar>(
        Function::normal_distribution,
        [](long double v) { return std::erfc(-v / std::sqrt(2.0L)) / 2; }, -end, end,
        [](double v) { return 4 + v * v; });
}

TEMPLATE_TEST_CASE("elementary functions at the ends of the range", "", float, double) {
  using Scalar = TestType;
  const auto sigmoid = Function::sigmoid;
  const auto tanh = Function::tanh;
  const auto normal = Function::normal_distribution;
  const auto decay = Function::decay;
  const Scalar most = std::is_same_v<Scalar, float> ? Scalar(87.3) : Scalar(708.3);
  CHECK(at(decay, Scalar(0)) == 1);
  CHECK(at(decay, most) >= std::numeric_limits<Scalar>::min());
  CHECK(at(decay, std::nextafter(most, 2 * most)) == 0);
  CHECK(at(decay, std::numeric_limits<Scalar>::infinity()) == 0);
  CHECK(std::isnan(at(decay, std::numeric_limits<Scalar>::quiet_NaN())));
  CHECK(at(sigmoid, Scalar(0)) == Scalar(0.5));
  CHECK(at(tanh, Scalar(0)) == 0);
  CHECK(at(normal, Scalar(0)) == Scalar(0.5));
  for (const Scalar v :
       {std::numeric_limits<Scalar>::max(), std::numeric_limits<Scalar>::infinity()}) {
    CHECK(at(sigmoid, v) == 1);
    CHECK(at(sigmoid, -v) == 0);
    CHECK(at(tanh, v) == 1);
    CHECK(at(tanh, -v) == -1);
    CHECK(at(normal, v) == 1);
    CHECK(at(normal, -v) == 0);
  }
  const Scalar nan = std::numeric_limits<Scalar>::quiet_NaN();
  CHECK(std::isnan(at(sigmoid, nan)));
  CHECK(std::isnan(at(tanh, nan)));
  CHECK(std::isnan(at(normal, nan)));
}
