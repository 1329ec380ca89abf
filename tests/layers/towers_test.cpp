// Towers with small ones beside them, against two separate Towers on one input.
#include "plait/layers/towers.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include "plait/testing/build.hpp"
#include "support/catch.hpp"

using namespace plait;

namespace {

constexpr Index batch = 5;
constexpr Shape in{3, 4};
const std::vector<Body> hidden{{{5}, Activation::tanh}, {3}, {}};
const std::vector<Body> small{{}, {2}, {{3, 2}, Activation::silu}};
const std::vector<Index> outputs{1, 3, 2};

// The two apart, over the table of both together.
struct Apart {
  ParamTable table;
  Towers<double> large{table, "large", in, {hidden, outputs}};
  Towers<double> little{table, "small", in, {small, outputs}};
};

struct Pass {
  Tensor<double> y, dx{batch, in.slots, in.dim};
  ParamBuffer<double> grad;
};

Pass run(const Towers<double>& towers, const ParamBuffer<double>& theta, View3<const double> x,
         View3<const double> dy, Flags live = {}) {
  Pass result{{batch, 1, towers.out_shape().dim},
              {batch, in.slots, in.dim},
              ParamBuffer<double>(theta.shared_table())};
  Towers<double>::Workspace workspace;
  Scratch scratch;
  towers.forward(theta, x, result.y, &workspace, scratch);
  towers.backward(theta, x, result.y.view(), dy, result.dx, workspace, result.grad, scratch, live);
  return result;
}

}  // namespace

TEST_CASE("towers: small ones are separate towers on the same input") {
  const auto built = testing::build<double>(4, [](ParamTable& table) {
    return Towers<double>(table, "large", in, {hidden, outputs, small}, "small");
  });
  const Towers<double>& both = built.layer;
  const Apart apart;
  REQUIRE(same_schema(built.theta.shared_table(), std::make_shared<ParamTable>(apart.table)));
  CHECK(both.num_tasks() == 6);
  CHECK(both.num_outputs() == 6);
  CHECK(both.out_shape() == Shape{1, 12});
  for (const Index t : {0, 1, 2}) {
    CHECK(both.offset(t) == apart.large.offset(t));
    CHECK(both.offset(3 + t) == 6 + apart.little.offset(t));
    CHECK(both.outputs(3 + t) == both.outputs(t));
  }

  const auto x = built.input(batch);
  const auto dy = built.output(batch);
  const Pass together = run(both, built.theta, x, dy.view());
  const Pass large = run(apart.large, built.theta, x, dy.view().columns(0, 6));
  const Pass little = run(apart.little, built.theta, x, dy.view().columns(6, 6));
  CHECK(together.y.view().columns(0, 6).of_slot(0) == large.y.view().of_slot(0));
  CHECK(together.y.view().columns(6, 6).of_slot(0) == little.y.view().of_slot(0));
  for (Index s = 0; s < in.slots; ++s)
    CHECK((together.dx.view().of_slot(s) - large.dx.view().of_slot(s) - little.dx.view().of_slot(s))
              .isZero(1e-14));
  for (std::size_t i = 0; i < together.grad.flat().size(); ++i)
    CHECK(together.grad.flat()[i] == large.grad.flat()[i] + little.grad.flat()[i]);
}

TEST_CASE("towers: a small one alone, and with its large one") {
  const auto built = testing::build<double>(4, [](ParamTable& table) {
    return Towers<double>(table, "large", in, {hidden, outputs, small}, "small");
  });
  const auto x = built.input(batch);
  for (const bool beside : {false, true}) {
    auto dy = built.output(batch);
    const bool live[6]{false, beside, false, false, true, false};
    for (Index t = 0; t < 6; ++t)
      if (!live[t])
        dy.view().columns(built.layer.offset(t), built.layer.outputs(t)).of_slot(0).setZero();
    Pass got = run(built.layer, built.theta, x, dy.view(), live);
    const Pass expected = run(built.layer, built.theta, x, dy.view());
    CHECK(std::ranges::equal(got.grad.flat(), expected.grad.flat()));
    CHECK((got.dx.view().of_slot(1) - expected.dx.view().of_slot(1)).isZero(1e-14));
    Scratch scratch;
    bool live_in[3]{};
    Index marked = 0;
    CHECK(built.layer.reach(
        live, live_in, [&](const ParamRange&) { ++marked; }, scratch));
    CHECK(marked == (beside ? 2 : 1));
    CHECK((!live_in[0] && live_in[1] && !live_in[2]));
  }
}

TEST_CASE("towers: lists that do not fit the tasks are refused") {
  ParamTable table;
  const auto error = [&](const TowersConfig& config) {
    return [&] { Towers<double>(table, "t", in, config); };
  };
  CHECK_THROWS_WITH(error({.hidden = {{}, {}}})(),
                    "plait::Towers: hidden: got 2 entries, expected 1 or 3");
  CHECK_THROWS_WITH(error({.outputs = {1, 1}})(),
                    "plait::Towers: outputs: got 2 entries, expected 1 or 3");
  CHECK_THROWS_WITH(Towers<double>(table, "u", in, {.small = {{}, {}}}),
                    "plait::Towers: small: got 2 entries, expected 1 or 3");
}
