#include "plait/fusion/dropout.hpp"

#include <cmath>
#include <utility>

#include "plait/architectures/adatt.hpp"
#include "plait/architectures/asymmetric.hpp"
#include "plait/architectures/asymmetric_networks.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/architectures/ple.hpp"
#include "plait/model/model.hpp"
#include "plait/testing/build.hpp"
#include "plait/testing/gradcheck.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/with_options.hpp"

using plait::ExpertDropout;
using plait::Index;
using plait::Scratch;
using plait::View3;

namespace {

const ExpertDropout half{.rate = 0.5, .seed = 3, .step = 2};

void check_gradients(const char* name, const plait::Trunk<double>& trunk) {
  INFO(name);
  const auto built = plait::testing::build<double>(4, trunk);
  CHECK(built.layer.drops_experts());
  const with_options::Layer layer{built.layer, {.expert_dropout = half}};
  const auto x = data::normal<double>(9, 4, 5);
  const auto report = plait::testing::check_gradients(layer, built.theta, View3<const double>(x));
  INFO(report.text());
  CHECK(report.passed());

  // And something was dropped: the outputs differ from those without.
  plait::Matrix<double> with(9, layer.out_shape().slots * layer.out_shape().dim), without = with;
  const auto as_outputs = [&](plait::Matrix<double>& m) {
    return View3<double>(m.data(), 9, layer.out_shape().slots, layer.out_shape().dim);
  };
  Scratch scratch;
  layer.forward(built.theta, x, as_outputs(with), nullptr, scratch);
  layer.network.forward(built.theta, x, as_outputs(without), nullptr, scratch);
  CHECK((with - without).norm() > 1e-2 * without.norm());
}

plait::Matrix<double> gate_weights(Index rows, Index experts) {
  plait::Matrix<double> g = data::normal<double>(rows, experts, 1).array().exp();
  for (Index b = 0; b < rows; ++b) g.row(b) /= g.row(b).sum();
  return g;
}

}  // namespace

TEST_CASE("expert dropout: gradients of trunks that drop are those of what they compute") {
  const plait::Activation tanh = plait::Activation::tanh;
  check_gradients(
      "MMoE", plait::MMoE{.input_dim = 4, .num_tasks = 2, .num_experts = 4, .expert = {{3}, tanh}});
  check_gradients("PLE", plait::PLE{.input_dim = 4,
                                    .num_tasks = 2,
                                    .levels = {{{3}, tanh}, {{2}, tanh}},
                                    .task_experts = {2},
                                    .gates = {{.body = {{3}, tanh}, .temperature = 2}}});
  check_gradients("AdaTT", plait::AdaTT{.input_dim = 4,
                                        .num_tasks = 2,
                                        .levels = {{{3}, tanh}, {{2}, tanh}},
                                        .task_experts = {2}});
  check_gradients("MMoE with DSelect-k", plait::MMoE{.input_dim = 4,
                                                     .num_tasks = 2,
                                                     .num_experts = 5,
                                                     .expert = {{3}, tanh},
                                                     .gate = {.dselect = plait::DSelectK{}}});
  check_gradients("PLE with static DSelect-k",
                  plait::PLE{.input_dim = 4,
                             .num_tasks = 2,
                             .levels = {{{3}, tanh}, {{2}, tanh}},
                             .task_experts = {3},
                             .gates = {{.dselect = plait::DSelectK{.per_example = false}}}});
}

TEST_CASE("expert dropout: weights that do not add up to 1 keep their sum") {
  plait::Matrix<double> before = 0.6 * gate_weights(4000, 5);
  before.col(2).setZero();
  auto after = before;
  plait::drop_experts(half, View3<double>(after), 0, 0, /*of_softmax=*/false);
  Index dropped = 0;
  for (Index b = 0; b < before.rows(); ++b) {
    CHECK(std::abs(after.row(b).sum() - before.row(b).sum()) < 1e-12);
    CHECK(after(b, 2) == 0);
    double kept = 0;
    for (Index j = 0; j < 5; ++j) kept += after(b, j) > 0 ? before(b, j) : 0;
    dropped += kept < before.row(b).sum() ? 1 : 0;
    for (Index j = 0; j < 5; ++j)
      if (after(b, j) > 0)
        CHECK(std::abs(after(b, j) - before(b, j) * before.row(b).sum() / kept) < 1e-12);
  }
  CHECK(dropped > 3000);

  // What is less than 1/256 of all does not stand for all.
  plait::Matrix<double> lopsided(400, 2);
  lopsided.col(0).setConstant(0.9);
  lopsided.col(1).setConstant(0.9 / 300);
  const plait::Matrix<double> whole = lopsided;
  plait::drop_experts(half, View3<double>(lopsided), 0, 0, /*of_softmax=*/false);
  Index without_second = 0;
  for (Index b = 0; b < 400; ++b) {
    CHECK(lopsided(b, 0) > 0);
    without_second += lopsided(b, 1) == 0 ? 1 : 0;
  }
  CHECK(without_second > 50);
}

TEST_CASE("expert dropout: the weights that are kept are the softmax over their experts") {
  const auto before = gate_weights(4000, 5);
  auto after = before;
  plait::drop_experts(half, View3<double>(after), 0, 0);
  Index dropped = 0;
  Index untouched = 0;
  for (Index b = 0; b < before.rows(); ++b) {
    CHECK(std::abs(after.row(b).sum() - 1) < 1e-12);
    const bool same = after.row(b) == before.row(b);
    untouched += same ? 1 : 0;
    double kept = 0;
    for (Index j = 0; j < 5; ++j) kept += after(b, j) > 0 ? before(b, j) : 0;
    for (Index j = 0; j < 5; ++j) {
      if (after(b, j) == 0)
        ++dropped;
      else
        CHECK(std::abs(after(b, j) - before(b, j) / kept) < 1e-12);
    }
  }
  // Half of them but for the rows, one of 32, that would have lost all; as many lose none.
  const double share = static_cast<double>(dropped) / static_cast<double>(before.size());
  CHECK(std::abs(share - (0.5 - 1.0 / 32)) < 4 * 0.5 / std::sqrt(20000.0));
  CHECK(std::abs(static_cast<double>(untouched) / 4000 - 2.0 / 32) <
        4 * std::sqrt(2.0 / 32 / 4000));
}

TEST_CASE("expert dropout: what is dropped depends on the place alone") {
  const auto before = gate_weights(40, 6);
  const auto applied = [&](const ExpertDropout& dropout, Index first_column = 0) {
    auto g = before;
    plait::drop_experts(dropout, View3<double>(g), 0, first_column);
    return g;
  };
  const auto all = applied(half);
  auto pieces = before;
  for (const auto& [first, count] : {std::pair<Index, Index>{0, 7}, {7, 1}, {8, 32}}) {
    plait::drop_experts(half, View3<double>(pieces.middleRows(first, count)), first, 0);
  }
  CHECK(all == pieces);
  CHECK(all == applied(half));
  auto other = half;
  other.step = 3;
  CHECK(all != applied(other));
  other = half;
  other.seed = 4;
  CHECK(all != applied(other));
  other = half;
  other.level = 1;
  CHECK(all != applied(other));
  CHECK(all != applied(half, 6));
  CHECK(before == applied({}));
}

TEST_CASE("expert dropout: a gate that would lose all that counts keeps everything") {
  // One expert has all the weight; without it there is nothing to normalise by.
  plait::Matrix<float> g = plait::Matrix<float>::Zero(200, 3);
  g.col(1).setOnes();
  const plait::Matrix<float> before = g;
  plait::drop_experts(half, View3<float>(g), 0, 0);
  CHECK(g == before);
}

TEST_CASE("expert dropout: only networks with fusion levels have a place for it") {
  const plait::AdaTT levels{.input_dim = 4, .num_tasks = 2, .levels = {{3}}};
  const plait::AsymmetricSharing none{
      .input_dim = 4, .num_tasks = 2, .expert = {3}, .sources = {{}, {0}}};
  CHECK(plait::testing::build<float>(1, levels).layer.drops_experts());
  CHECK_FALSE(plait::testing::build<float>(1, none).layer.drops_experts());
  CHECK(plait::Model<float>(levels, {}, 1).network().drops_experts());
  CHECK_FALSE(plait::Model<float>(none, {}, 1).network().drops_experts());
}
