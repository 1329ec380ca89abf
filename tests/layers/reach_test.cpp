// What layers say the gradient of some outputs reaches, and their backward for those alone, against
// the plain backward.
#include "plait/core/reach.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "layers/zoo.hpp"
#include "plait/architectures/adatt.hpp"
#include "plait/fusion/stack.hpp"
#include "plait/layers/rotations.hpp"
#include "plait/layers/sequential.hpp"
#include "plait/layers/towers.hpp"
#include "plait/testing/data.hpp"
#include "support/bare.hpp"
#include "support/catch.hpp"

using namespace plait;

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr Index batch = 40;

struct OwnFlags {
  Vector<bool> values;
  explicit OwnFlags(Index count) : values(Vector<bool>::Zero(count)) {}
  operator plait::Flags() const { return {values.data(), static_cast<std::size_t>(values.size())}; }
  std::span<bool> span() { return {values.data(), static_cast<std::size_t>(values.size())}; }
};

bool differ(View3<const double> a, View3<const double> b, Index slot) {
  return !(a.of_slot(slot) - b.of_slot(slot)).isZero(1e-12);
}

// Compares the layer's word for one choice of live outputs with the plain backward of a dy that is
// zero elsewhere. columns(o) is the part of dy that output o stands for.
template <class L, class Columns>
void check_live(const L& layer, const ParamBuffer<double>& theta, const OwnFlags& live,
                const Columns& columns, Random& random) {
  const auto x = testing::normal_tensor<double>(batch, layer.in_shape(), random);
  auto dy = testing::normal_tensor<double>(batch, layer.out_shape(), random);
  for (Index o = 0; o < live.values.size(); ++o)
    if (!live.values[o]) columns(dy.view(), o).of_slot(0).setZero();

  Scratch scratch;
  typename L::Workspace workspace;
  const Shape in = layer.in_shape();
  Tensor<double> y(batch, layer.out_shape().slots, layer.out_shape().dim);
  layer.forward(theta.view(), x.view(), y.view(), &workspace, scratch);
  ParamBuffer<double> plain(theta.shared_table()), routed(theta.shared_table());
  Tensor<double> dx(batch, in.slots, in.dim), routed_dx(batch, in.slots, in.dim);
  layer.backward(theta.view(), x.view(), y.view(), dy.view(), dx.view(), workspace, plain, scratch);

  OwnFlags live_in(in.slots);
  std::vector<bool> marked(plain.flat().size());
  CHECK(layer.reach(
      live, live_in.span(),
      [&](const ParamRange& range) {
        for (Index i = range.offset; i < range.end(); ++i) marked[std::size_t(i)] = true;
      },
      scratch));
  // Tensors that are marked in part (stitch matrices) row by row, the others whole: a unit of a
  // ReLU layer may be off for the whole batch.
  for (const ParamEntry& entry : theta.table().entries()) {
    const auto at = [&](Index i) { return static_cast<std::size_t>(entry.id.offset + i); };
    Index count = 0;
    for (Index i = 0; i < entry.id.size(); ++i) count += marked[at(i)];
    const bool in_part = count != 0 && count != entry.id.size();
    const Index step = in_part ? entry.id.cols : entry.id.size();
    for (Index first = 0; first < entry.id.size(); first += step) {
      bool reached = false;
      for (Index i = first; i < first + step; ++i) reached |= plain.flat()[at(i)] != 0;
      INFO(entry.name << " from " << first << " on");
      // The weight of a gate over one expert, or of one layer, is always 1.
      const bool idle = entry.shape[0] == 1 && (entry.name.find("gate") != std::string::npos ||
                                                entry.name.find("orders") != std::string::npos);
      if (idle && !reached) continue;
      CHECK(marked[at(first)] == reached);
    }
  }

  // What is not live is not read, and what is not reached may stay as it was.
  for (Index o = 0; o < live.values.size(); ++o)
    if (!live.values[o]) columns(dy.view(), o).of_slot(0).setConstant(nan);
  layer.backward(theta.view(), x.view(), y.view(), dy.view(), routed_dx.view(), workspace, routed,
                 scratch, live);
  double worst = 0;
  for (std::size_t i = 0; i < plain.flat().size(); ++i)
    worst = std::max(worst, std::abs(plain.flat()[i] - routed.flat()[i]));
  CHECK(worst < 1e-12);
  for (Index s = 0; s < in.slots; ++s) {
    INFO("slot " << s);
    CHECK(live_in.values[s] == !dx.view().of_slot(s).isZero(0));
    if (live_in.values[s]) CHECK_FALSE(differ(dx.view(), routed_dx.view(), s));
  }
  ParamBuffer<double> without_dx(theta.shared_table());
  layer.backward(theta.view(), x.view(), y.view(), dy.view(), {}, workspace, without_dx, scratch,
                 live);
  CHECK(std::ranges::equal(without_dx.flat(), routed.flat()));
}

// Every output alone, every pair, and all.
template <class L, class Columns>
void check_layer(const L& layer, const ParamBuffer<double>& theta, const Columns& columns) {
  Random random(3);
  const Index outputs = num_outputs(layer);
  for (Index a = 0; a < outputs; ++a)
    for (Index b = a; b < outputs; ++b) {
      INFO("outputs " << a << " and " << b);
      OwnFlags live(outputs);
      live.values[a] = live.values[b] = true;
      check_live(layer, theta, live, columns, random);
    }
  OwnFlags all(outputs);
  all.values.setConstant(true);
  check_live(layer, theta, all, columns, random);
}

ParamBuffer<double> random_parameters(const std::shared_ptr<const ParamTable>& table) {
  ParamBuffer<double> theta(table);
  Random random(20);
  initialise(theta, random);
  // No unit is off for the whole batch; the steps of DSelect-k would be.
  for (const ParamEntry& entry : table->entries())
    if ((entry.name.ends_with(".bias") && !entry.name.ends_with(".z.bias")) ||
        entry.name.starts_with("biases"))
      for (double& b : theta.of(entry.id)) b += 5;
  return theta;
}

void check_slots(const std::vector<zoo::Specimen>& specimens) {
  CHECK(specimens.size() >= 8);
  for (const auto& specimen : specimens) {
    INFO(specimen.shape);
    check_layer(specimen.layer, random_parameters(specimen.table),
                [](View3<double> dy, Index o) { return dy.slot(o); });
  }
}

// Towers, on their own or on something.
template <class L>
void check_tasks(const L& layer, const Towers<double>& towers, const ParamTable& table) {
  check_layer(
      layer, random_parameters(std::make_shared<const ParamTable>(table)),
      [&](View3<double> dy, Index t) { return dy.columns(towers.offset(t), towers.outputs(t)); });
}

MLPConfig smooth(std::vector<Index> dims) { return MLPConfig(std::move(dims), Activation::tanh); }

}  // namespace

TEST_CASE("reach: SharedBottom") { check_slots(zoo::shared_bottoms()); }
TEST_CASE("reach: SingleTask") { check_slots(zoo::single_tasks()); }
TEST_CASE("reach: CrossStitch") { check_slots(zoo::cross_stitches()); }
TEST_CASE("reach: MMoE") { check_slots(zoo::mmoes()); }
TEST_CASE("reach: MLMMoE") { check_slots(zoo::ml_mmoes()); }
TEST_CASE("reach: CGC") { check_slots(zoo::cgcs()); }
TEST_CASE("reach: PLE") { check_slots(zoo::ples()); }
TEST_CASE("reach: AdaTTSp") { check_slots(zoo::adatt_sps()); }
TEST_CASE("reach: AdaTT") { check_slots(zoo::adatts()); }
TEST_CASE("reach: AsymmetricSharing") { check_slots(zoo::asymmetric_sharings()); }
TEST_CASE("reach: AsymmetricSharing with stop-gradient") { check_slots(zoo::stopped_sharings()); }
TEST_CASE("reach: CustomizedSharing") { check_slots(zoo::customized_sharings()); }
TEST_CASE("reach: MTAN") { check_slots(zoo::mtans()); }
TEST_CASE("reach: Sluice") { check_slots(zoo::sluices()); }
TEST_CASE("reach: SoftOrdering") { check_slots(zoo::soft_orderings()); }
TEST_CASE("reach: SNR") { check_slots(zoo::snrs()); }
TEST_CASE("reach: BranchedNetwork") { check_slots(zoo::branched_networks()); }

TEST_CASE("reach: routes with stop-gradients") { check_slots(zoo::stopped_routes()); }

TEST_CASE("reach: Rotations") {
  auto table = std::make_shared<ParamTable>();
  const Rotations<double> layer(*table, "", 3, 4);
  check_layer(layer, random_parameters(table),
              [](View3<double> dy, Index o) { return dy.slot(o); });
}

TEST_CASE("reach: Towers") {
  const std::vector<TowersConfig> configs{
      {}, {{smooth({4})}, {1}}, {{smooth({4}), {}, smooth({3, 2})}, {1, 3, 2}}};
  for (const auto& config : configs) {
    ParamTable table;
    const Towers<double> towers(table, "", {3, 5}, config);
    check_tasks(towers, towers, table);
  }
}

TEST_CASE("reach: Towers with small ones") {
  ParamTable table;
  const Towers<double> towers(table, "a", {3, 5}, {{smooth({4})}, {1, 3, 2}, {{2}}}, "b");
  check_tasks(towers, towers, table);
}

namespace {

const AdaTT trunk_config{3, 3, {smooth({4}), smooth({3})}, {2, 1, 1}, 1};

FusionStack<double> make_trunk(ParamTable& table) {
  return {table, trunk_config.plan(table, "trunk")};
}

}  // namespace

TEST_CASE("reach: Sequential") {
  ParamTable table;
  const FusionStack<double> trunk = make_trunk(table);
  const Towers<double> towers(table, "towers", trunk.out_shape(), {{smooth({2})}, {1, 2, 1}});
  check_tasks(Sequential<double>({trunk, towers}), towers, table);
}

namespace {

using Mute = Bare<FusionStack<double>>;  // does not tell
static_assert(Layer<Mute> && !TellsReach<Mute>);

}  // namespace

TEST_CASE("reach: a layer that does not tell runs whole, on zeros where nothing is live") {
  ParamTable table;
  const Mute trunk(make_trunk(table));
  const Towers<double> towers(table, "towers", trunk.out_shape(), {{smooth({2})}, {1, 2, 1}});
  const Sequential<double> network({trunk, towers});
  const Sequential<double> telling({trunk.layer, towers});
  const auto theta = random_parameters(std::make_shared<const ParamTable>(table));
  Random random(4);
  Scratch scratch;
  const auto x = testing::normal_tensor<double>(batch, network.in_shape(), random);
  const auto dy = testing::normal_tensor<double>(batch, network.out_shape(), random);
  Tensor<double> y(batch, 1, 4);
  Sequential<double>::Workspace workspace;
  network.forward(theta, x.view(), y.view(), &workspace, scratch);
  for (Index t = 0; t < 3; ++t) {
    OwnFlags live(3), live_in(1);
    live.values[t] = true;
    std::vector<ParamRange> marked;
    CHECK_FALSE(network.reach(
        live, live_in.span(), [&](const ParamRange& range) { marked.push_back(range); }, scratch));
    CHECK(marked.size() == 1);  // its tower
    CHECK(live_in.values[0]);
    ParamBuffer<double> got(theta.shared_table()), expected(theta.shared_table());
    network.backward(theta, x.view(), y.view(), dy.view(), {}, workspace, got, scratch, live);
    Sequential<double>::Workspace other;
    telling.forward(theta, x.view(), y.view(), &other, scratch);
    telling.backward(theta, x.view(), y.view(), dy.view(), {}, other, expected, scratch, live);
    for (std::size_t i = 0; i < got.flat().size(); ++i)
      REQUIRE(std::abs(got.flat()[i] - expected.flat()[i]) < 1e-12);
  }
}
