// Mixing and its backward against reference.hpp: gated, static, both, over parts of a selection.
#include "plait/kernels/mix.hpp"

#include "kernels/operands.hpp"
#include "plait/kernels/reference.hpp"

namespace {

using namespace kernels;
using plait::StaticWeights;
using plait::View3;

// A range of the selection that static weights cover.
struct Range {
  Index first, count;
};

struct Case {
  std::vector<Index> selection;
  bool gated;
  Range statics;
  bool learned;  // static weights are numbers, not ones
};

constexpr Index experts = 6;
constexpr Index dim = 7;

std::vector<Case> all_cases() {
  std::vector<Case> result;
  for (const auto& selection : {std::vector<Index>{0}, {3}, {0, 1, 2, 3, 4, 5}, {4, 1}, {5, 0, 2}})
    for (const bool gated : {true, false}) {
      const auto n = static_cast<Index>(selection.size());
      for (const auto statics : {Range{0, 0}, {0, n}, {n - 1, 1}, {0, 1}})
        for (const bool learned : {true, false})
          result.push_back({selection, gated, statics, learned});
    }
  return result;
}

}  // namespace

TEMPLATE_TEST_CASE("mix and its backward equal their reference", "", float, double) {
  using Scalar = TestType;
  plait::Random random(1);
  for (const auto& [selection, gated, range, learned] : all_cases())
    for (const Index batch : {0, 1, 3, 8}) {
      INFO("batch " << batch << ", " << selection.size() << " from expert " << selection[0]
                    << (gated ? ", gated" : "") << ", statics from " << range.first << ", "
                    << range.count << (learned ? ", learned" : ""));
      const auto n = static_cast<Index>(selection.size());
      auto bank = input<Scalar>(batch, {experts, dim}, random);
      auto weights = input<Scalar>(batch, {1, n}, random);
      const View3<const Scalar> gate = gated ? weights.view() : View3<const Scalar>();
      const auto numbers = normal_numbers<Scalar>(range.count, random);
      const StaticWeights<Scalar> statics{range.first, range.count,
                                          learned ? numbers.data() : nullptr};
      auto y = output<Scalar>(batch, {1, dim});
      auto expected_y = output<Scalar>(batch, {1, dim});
      plait::mix<Scalar>(bank.view(), selection, gate, statics, y.view());
      plait::reference::mix<Scalar>(bank.view(), selection, gate, statics, expected_y.view());
      check_same(y, expected_y, rounding<Scalar>(n));

      // Experts' and static weights' gradients are accumulated, the gate's overwritten.
      auto dy = input<Scalar>(batch, {1, dim}, random);
      auto dbank = output<Scalar>(batch, {experts, dim});
      plait::testing::fill_normal(dbank.view(), random);
      auto expected_dbank = dbank;
      auto dweights = output<Scalar>(batch, {1, n});
      auto expected_dweights = output<Scalar>(batch, {1, n});
      auto dstatics = normal_numbers<Scalar>(range.count, random);
      auto expected_dstatics = dstatics;
      const auto view_of = [gated = gated](auto& gradient) {
        return gated ? gradient.view() : View3<Scalar>();
      };
      plait::mix_backward<Scalar>(bank.view(), selection, gate, statics, dy.view(), dbank.view(),
                                  view_of(dweights), learned ? dstatics.data() : nullptr);
      plait::reference::mix_backward<Scalar>(bank.view(), selection, gate, statics, dy.view(),
                                             expected_dbank.view(), view_of(expected_dweights),
                                             learned ? expected_dstatics.data() : nullptr);
      check_same(dbank, expected_dbank, rounding<Scalar>(n));
      if (gated) check_same(dweights, expected_dweights, rounding<Scalar>(dim));
      CHECK(plait::testing::distance<Scalar>(dstatics, expected_dstatics) <=
            rounding<Scalar>(dim * batch));
    }
}

TEST_CASE("mix without gate and static weights is zero") {
  const std::vector<double> bank{1, 2, 3, 4};
  std::vector<double> y{9, 9};
  const std::vector<Index> selection{0, 1};
  plait::mix<double>(View3<const double>(bank.data(), 1, 2, 2), selection, {}, {},
                     View3<double>(y.data(), 1, 1, 2));
  CHECK(y == std::vector<double>{0, 0});
}
