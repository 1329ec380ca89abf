// Softmax and its backward: against reference.hpp, with temperatures and with large logits.
#include "plait/kernels/softmax.hpp"

#include <cmath>

#include "kernels/operands.hpp"
#include "plait/core/tensor.hpp"
#include "plait/kernels/reference.hpp"

namespace {

using namespace kernels;
using plait::View3;

template <class Scalar>
std::vector<Scalar> softmax_of(std::vector<Scalar> logits, double temperature = 1) {
  plait::kernels::softmax(static_cast<Scalar>(temperature),
                          View3<Scalar>(logits.data(), 1, 1, static_cast<Index>(logits.size())));
  return logits;
}

}  // namespace

TEMPLATE_TEST_CASE("softmax equals its reference", "", float, double) {
  using Scalar = TestType;
  plait::Random random(1);
  for (const Index batch : {0, 1, 3, 9})
    for (const Index n : {1, 2, 5, 9, 16, 33})
      for (const double temperature : {1.0, 0.25, 7.0}) {
        INFO("batch " << batch << ", " << n << " weights, temperature " << temperature);
        const auto tau = static_cast<Scalar>(temperature);
        plait::testing::Gapped<Scalar> got(batch, {2, n}, Scalar(-77));
        plait::testing::fill_normal(got.view(), random);
        auto expected = got;
        plait::kernels::softmax(tau, got.view());
        plait::reference::softmax(tau, expected.view());
        check_same(got, expected, rounding<Scalar>(n));

        auto dp = input<Scalar>(batch, {2, n}, random);
        auto da = output<Scalar>(batch, {2, n});
        auto expected_da = output<Scalar>(batch, {2, n});
        plait::kernels::softmax_backward<Scalar>(tau, got.view(), dp.view(), da.view());
        plait::reference::softmax_backward<Scalar>(tau, got.view(), dp.view(), expected_da.view());
        check_same(da, expected_da, rounding<Scalar>(n) / temperature);
      }
}

// Exponentials below the normal numbers are zero.
TEMPLATE_TEST_CASE("softmax of large logits", "", float, double) {
  using Scalar = TestType;
  using Numbers = std::vector<Scalar>;
  const Scalar large = Scalar(1e30);
  CHECK(softmax_of(Numbers{large, large}) == Numbers{0.5, 0.5});
  CHECK(softmax_of(Numbers{large, -large}) == Numbers{1, 0});
  CHECK(softmax_of(Numbers{-large, -large, -large, -large}) == Numbers{0.25, 0.25, 0.25, 0.25});
  CHECK(softmax_of(Numbers{1, 2, 3}, 1e-4) == Numbers{0, 0, 1});
  const Scalar lowest = std::numeric_limits<Scalar>::lowest();
  CHECK(softmax_of(Numbers{lowest, lowest}) == Numbers{0.5, 0.5});
  CHECK(softmax_of(Numbers{lowest, lowest}, 1e38) == Numbers{0.5, 0.5});
  const Scalar smallest = std::numeric_limits<Scalar>::denorm_min();
  CHECK(softmax_of(Numbers{1, 1}, smallest) == Numbers{0.5, 0.5});
  CHECK(softmax_of(Numbers{-std::numeric_limits<Scalar>::infinity(), 0}) == Numbers{0, 1});
}

TEMPLATE_TEST_CASE("softmax of a row does not depend on the rows beside it", "", float, double) {
  using Scalar = TestType;
  plait::Random random(4);
  for (const Index n : {2, 9, 16, 33}) {
    const auto logits = input<Scalar>(7, {1, n}, random);
    auto together = logits;
    plait::kernels::softmax(Scalar(0.5), together.view());
    for (Index b = 0; b < 7; ++b) {
      auto alone = logits;
      plait::kernels::softmax(Scalar(0.5), alone.view().rows(b, 1));
      INFO("row " << b << " of " << n << " weights");
      CHECK(alone.view().rows(b, 1).of_slot(0) == together.view().rows(b, 1).of_slot(0));
    }
  }
}

TEST_CASE("softmax sums to one and does not depend on a common shift") {
  plait::Random random(2);
  const auto logits = normal_numbers<double>(9, random);
  auto shifted = logits;
  for (double& a : shifted) a += 512;
  double total = 0;
  for (const double p : softmax_of(logits)) total += p;
  CHECK(std::abs(total - 1) < 1e-15);
  CHECK(plait::testing::distance<double>(softmax_of(shifted), softmax_of(logits)) < 1e-12);
}

TEST_CASE("temperature divides the logits") {
  plait::Random random(3);
  const auto logits = normal_numbers<double>(6, random);
  auto halved = logits;
  for (double& a : halved) a /= 2;
  CHECK(softmax_of(logits, 2.0) == softmax_of(halved));
}

TEMPLATE_TEST_CASE("softmax of a row with NaN is NaN, of others not", "", float, double) {
  using Scalar = TestType;
  const Scalar nan = std::numeric_limits<Scalar>::quiet_NaN();
  constexpr Index batch = 9;
  for (const Index n : {9, 33})
    for (const Index with_nan : {0, 2, 8})
      for (Index place = 0; place < n; ++place) {
        INFO("NaN at " << place << " of " << n << " in row " << with_nan);
        plait::Tensor<Scalar> rows(batch, 1, n);
        rows.view().of_slot(0).setOnes();
        rows.view()(with_nan, 0, place) = nan;
        plait::kernels::softmax(Scalar(1), rows.view());
        bool right = true;
        for (Index b = 0; b < batch; ++b)
          for (Index d = 0; d < n; ++d)
            right = right && std::isnan(rows.view()(b, 0, d)) == (b == with_nan);
        CHECK(right);
      }
}
