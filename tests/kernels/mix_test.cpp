// Mixing and its backward against reference.hpp: dense and sparse selections, equal, overlapping
// and repeated ones, widths on both sides of the packets.
#include "plait/kernels/mix.hpp"

#include <array>

#include "kernels/operands.hpp"
#include "plait/kernels/reference.hpp"

namespace {

using namespace kernels;
using plait::Selections;
using plait::View3;

using Lists = std::vector<std::vector<Index>>;

const std::vector<Lists> all_selections{
    {{0}},
    {{3}, {1}},
    {{0, 1, 2, 3, 4, 5}},
    {{5, 0, 2}, {5, 0, 2}},
    {{4, 1}, {4, 1}, {4, 1}, {0, 1, 2, 3, 4, 5}},
    Lists(4, {0, 1, 2, 3, 4, 5}),
    Lists(7, {1, 2}),
    {{0, 1}, {0, 1}, {1, 0}, {0, 1}},
    {{0, 1, 5}, {2, 3, 5}, {4}, {5, 4, 3, 2, 1, 0}},
    {{2, 2}, {1, 2, 1}, {}},
};
constexpr Index experts = 6;

}  // namespace

TEMPLATE_TEST_CASE("mix and its backward equal their reference", "", float, double) {
  using Scalar = TestType;
  plait::Random random(1);
  for (const Lists& lists : all_selections)
    for (const Index dim : {1, 7, 16, 33, 64, 150, 300})
      for (const Index batch : {0, 1, 5}) {
        const Selections selections(lists, experts);
        INFO("batch " << batch << ", dim " << dim << ", " << lists.size() << " units from expert "
                      << lists[0][0]);
        auto bank = input<Scalar>(batch, {experts, dim}, random);
        auto weights = input<Scalar>(batch, {1, selections.columns()}, random);
        auto y = output<Scalar>(batch, {selections.units(), dim});
        auto expected_y = output<Scalar>(batch, {selections.units(), dim});
        plait::kernels::mix<Scalar>(bank.view(), selections, weights.view(), y.view());
        plait::reference::mix<Scalar>(bank.view(), selections, weights.view(), expected_y.view());
        check_same(y, expected_y, rounding<Scalar>(experts));

        auto dy = input<Scalar>(batch, {selections.units(), dim}, random);
        auto dbank = output<Scalar>(batch, {experts, dim});
        auto expected_dbank = output<Scalar>(batch, {experts, dim});
        auto dweights = output<Scalar>(batch, {1, selections.columns()});
        auto expected_dweights = output<Scalar>(batch, {1, selections.columns()});
        for (Index e = 0; e < experts; ++e) {
          plait::kernels::mix_backward<Scalar>(bank.view().slot(e), selections, e, weights.view(),
                                               dy.view(), dbank.view().slot(e), dweights.view());
          plait::reference::mix_backward<Scalar>(bank.view().slot(e), selections, e, weights.view(),
                                                 dy.view(), expected_dbank.view().slot(e),
                                                 expected_dweights.view());
        }
        check_same(dbank, expected_dbank, rounding<Scalar>(selections.units()));
        check_same(dweights, expected_dweights, rounding<Scalar>(dim));

        // As if the experts were a ReLU's outputs; all at once.
        for (Index b = 0; b < batch; ++b)
          for (Index e = 0; e < experts; ++e)
            for (Index d = 0; d < dim; ++d)
              if (!(bank.view()(b, e, d) > 0)) expected_dbank.view()(b, e, d) = 0;
        plait::kernels::mix_backward<Scalar>(bank.view(), selections, 0, weights.view(), dy.view(),
                                             dbank.view(), dweights.view(), true);
        check_same(dbank, expected_dbank, rounding<Scalar>(selections.units()));
        check_same(dweights, expected_dweights, rounding<Scalar>(dim));
      }
}

TEST_CASE("mix_backward_each gives every expert its gradient once, in order") {
  plait::Random random(2);
  constexpr Index batch = 3;
  constexpr Index dim = 5;
  for (const Index count : {1, 2, 3, 4, 7}) {  // on both sides of experts_together
    std::vector<Index> all;
    for (Index e = 0; e < count; ++e) all.push_back(e);
    const Selections selections({all, {count - 1}}, count);
    auto bank = input<double>(batch, {count, dim}, random);
    auto weights = input<double>(batch, {1, selections.columns()}, random);
    auto dy = input<double>(batch, {2, dim}, random);
    auto dbank = output<double>(batch, {count, dim});
    auto dweights = output<double>(batch, {1, selections.columns()});
    auto room = output<double>(batch, {plait::kernels::experts_together, dim});
    auto got = output<double>(batch, {count, dim});
    auto got_dweights = output<double>(batch, {1, selections.columns()});
    plait::kernels::mix_backward<double>(bank.view(), selections, 0, weights.view(), dy.view(),
                                         dbank.view(), dweights.view());
    std::vector<Index> taken;
    plait::kernels::mix_backward_each<double>(bank.view(), selections, weights.view(), dy.view(),
                                              room.view(), got_dweights.view(), false,
                                              [&](Index e, View3<const double> gradient) {
                                                taken.push_back(e);
                                                for (Index b = 0; b < batch; ++b)
                                                  for (Index d = 0; d < dim; ++d)
                                                    got.view()(b, e, d) = gradient(b, 0, d);
                                              });
    CHECK(taken == all);
    CHECK(got.contents() == dbank.contents());
    CHECK(got_dweights.contents() == dweights.contents());
  }
}

TEST_CASE("selections are a table both ways") {
  const Selections selections({{2, 0}, {2, 0}, {1}}, 4);
  CHECK(selections.units() == 3);
  CHECK(selections.experts() == 4);
  CHECK(selections.columns() == 5);
  CHECK(selections.first(1) == 2);
  CHECK(selections.count(2) == 1);
  CHECK(selections.expert(2) == 2);
  REQUIRE(selections.uses(0).size() == 2);
  CHECK(selections.uses(0)[1].unit == 1);
  CHECK(selections.uses(0)[1].column == 3);
  CHECK(selections.uses(3).empty());
}

TEST_CASE("units that are mixed together read each expert once") {
  const Selections selections({{2, 0}, {2}, {1, 1}, {0}, {2}}, 4);  // two units and three
  using Columns = std::array<Index, Selections::most_together>;
  REQUIRE(selections.groups() == 2);
  REQUIRE(selections.unit_count(0) == 2);
  REQUIRE(selections.steps(0).size() == 2);
  CHECK(selections.steps(0)[0].expert == 0);
  CHECK(selections.steps(0)[0].columns == Columns{1, -1, -1, -1});
  CHECK(selections.steps(0)[1].expert == 2);
  CHECK(selections.steps(0)[1].columns == Columns{0, 2, -1, -1});
  REQUIRE(selections.steps(1).size() == 4);
  CHECK(selections.steps(1)[0].columns == Columns{-1, 5, -1, -1});
  CHECK(selections.steps(1)[1].expert == 1);  // selected twice by one unit
  CHECK(selections.steps(1)[1].columns == Columns{3, -1, -1, -1});
  CHECK(selections.steps(1)[2].columns == Columns{4, -1, -1, -1});
  CHECK(selections.steps(1)[3].columns == Columns{-1, -1, 6, -1});
}

TEST_CASE("groups of units differ by one at most") {
  for (const Index units : {0, 1, 4, 5, 9, 13, 17, 21}) {
    const Selections selections(Lists(static_cast<std::size_t>(units), {0}), 1);
    CHECK(selections.groups() == (units + 3) / 4);
    for (Index g = 0; g < selections.groups(); ++g) {
      CHECK(selections.unit_count(g) >= units / selections.groups());
      CHECK(selections.unit_count(g) <= 4);
      CHECK(selections.first_unit(g) + selections.unit_count(g) ==
            (g + 1 < selections.groups() ? selections.first_unit(g + 1) : units));
    }
  }
}
