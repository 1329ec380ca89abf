#include "plait/inspect/expert_watch.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/scratch.hpp"
#include "plait/core/tensor.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/models.hpp"

using Catch::Matchers::WithinAbs;
using plait::ExpertReport;
using plait::Index;
using plait::LevelReport;
using plait::text;

namespace {

using Numbers = plait::Matrix<double>;
using Buffer = plait::ParamBuffer<double>;

// What a level of AdaTT does with one row, straight from its parameters.
struct Row {
  Numbers experts;  // [E, H]
  Numbers gates;    // [U, E]
  Numbers statics;  // [U, E]
  Numbers state() const { return (gates + statics) * experts; }
};

Numbers matrix(const Buffer& values, const std::string& name) {
  return values.view().matrix(values.table().at("mtl_arch." + name).id);
}

// W x + b of the parameters {name}.weight and {name}.bias.
Eigen::VectorXd affine(const Buffer& values, const std::string& name, const Eigen::VectorXd& x) {
  return matrix(values, name + ".weight") * x + matrix(values, name + ".bias").transpose();
}

// owners[e]: the unit that expert e belongs to; state [units, dim], its rows what experts read.
Row adatt_row(const Buffer& values, Index level, Index units, const std::vector<Index>& owners,
              const Numbers& state) {
  const auto experts = static_cast<Index>(owners.size());
  Row row;
  for (Index e = 0; e < experts; ++e) {
    const Index slot = level == 0 ? 0 : owners[static_cast<std::size_t>(e)];
    const Eigen::VectorXd output =
        affine(values, text("experts.", level, ".", e, ".mlp_net.0"), state.row(slot)).cwiseMax(0);
    if (e == 0) row.experts.resize(experts, output.size());
    row.experts.row(e) = output;
  }
  row.gates.resize(units, experts);
  row.statics.setZero(units, experts);
  for (Index u = 0; u < units; ++u) {
    const Eigen::ArrayXd logits =
        affine(values, text("gate_weights.", level, ".", u, ".0"), state.row(level == 0 ? 0 : u));
    row.gates.row(u) = (logits.exp() / logits.exp().sum()).matrix();
    Index own = 0;
    for (Index e = 0; e < experts; ++e)
      if (owners[static_cast<std::size_t>(e)] == u)
        row.statics(u, e) = matrix(values, text("self_exp_weights.", u))(level, own++);
  }
  return row;
}

double cosine(const Numbers& outputs, Index e, Index f) {
  return outputs.row(e).dot(outputs.row(f)) / (outputs.row(e).norm() * outputs.row(f).norm());
}

// Mean over rows of what `of_row` gives for each.
template <class OfRow>
double mean(const std::vector<Row>& rows, const OfRow& of_row) {
  double sum = 0;
  for (const Row& row : rows) sum += of_row(row);
  return sum / static_cast<double>(rows.size());
}

Index top_expert(const Row& row, Index u) {
  Index top = 0;
  row.gates.row(u).maxCoeff(&top);
  return top;
}

void check_level(const LevelReport& got, const std::vector<Row>& rows) {
  const Index units = rows.front().gates.rows();
  const Index experts = rows.front().gates.cols();
  REQUIRE(got.num_units() == units);
  REQUIRE(got.num_experts() == experts);
  constexpr double tolerance = 1e-12;
  for (Index u = 0; u < units; ++u) {
    const double entropy = mean(rows, [&](const Row& row) {
      return -(row.gates.row(u).array() * row.gates.row(u).array().log()).sum();
    });
    CHECK_THAT(got.entropy[u], WithinAbs(entropy, tolerance));
    CHECK_THAT(got.relative_entropy[u],
               WithinAbs(entropy / std::log(static_cast<double>(experts)), tolerance));
  }
  for (Index e = 0; e < experts; ++e) {
    double importance = 0;
    double load = 0;
    for (Index u = 0; u < units; ++u) {
      const double weight = mean(rows, [&](const Row& row) { return row.gates(u, e); });
      const double top = mean(rows, [&](const Row& row) { return top_expert(row, u) == e; });
      CHECK_THAT(got.gate_weights(u, e), WithinAbs(weight, tolerance));
      CHECK_THAT(got.static_weights(u, e), WithinAbs(rows.front().statics(u, e), tolerance));
      CHECK_THAT(got.top_share(u, e), WithinAbs(top, tolerance));
      importance += weight / static_cast<double>(units);
      load += top / static_cast<double>(units);
    }
    CHECK_THAT(got.importance[e], WithinAbs(importance, tolerance));
    CHECK_THAT(got.load[e], WithinAbs(load, tolerance));
    const double squares = mean(rows, [&](const Row& row) {
      return row.experts.row(e).squaredNorm() / static_cast<double>(row.experts.cols());
    });
    CHECK_THAT(got.output_rms[e], WithinAbs(std::sqrt(squares), tolerance));
    for (Index f = 0; f < experts; ++f) {
      double sum = 0;
      double count = 0;
      for (const Row& row : rows) {
        if (row.experts.row(e).norm() == 0 || row.experts.row(f).norm() == 0) continue;
        sum += cosine(row.experts, e, f);
        ++count;
      }
      CHECK_THAT(got.similarity(e, f), WithinAbs(sum / count, tolerance));
    }
  }
}

// Equal, NaN for NaN.
bool same(const plait::Matrix<double>& a, const plait::Matrix<double>& b, double tolerance = 0) {
  return a.rows() == b.rows() && a.cols() == b.cols() &&
         std::equal(a.data(), a.data() + a.size(), b.data(), [&](double x, double y) {
           return std::isnan(x) ? std::isnan(y) : std::abs(x - y) <= tolerance;
         });
}
bool same(const LevelReport& a, const LevelReport& b, double tolerance) {
  return same(a.gate_weights, b.gate_weights, tolerance) &&
         same(a.static_weights, b.static_weights, tolerance) &&
         same(a.top_share, b.top_share, tolerance) && same(a.entropy, b.entropy, tolerance) &&
         same(a.relative_entropy, b.relative_entropy, tolerance) &&
         same(a.importance, b.importance, tolerance) && same(a.load, b.load, tolerance) &&
         same(a.output_rms, b.output_rms, tolerance) && same(a.similarity, b.similarity, tolerance);
}

ExpertReport watched(const plait::Model<double>& model, const plait::Matrix<double>& x) {
  plait::ExpertWatch watch(model);
  watch.add(x);
  return watch.report();
}

// The trunk's outputs, one [T, H] per row.
std::vector<Numbers> outputs(const plait::Model<double>& model, const plait::Matrix<double>& x) {
  const plait::Shape out = model.trunk().out_shape();
  plait::Tensor<double> y(x.rows(), out.slots, out.dim);
  plait::Scratch scratch;
  model.trunk().forward(model.values(), x, y, nullptr, scratch);
  std::vector<Numbers> rows;
  for (Index b = 0; b < x.rows(); ++b) rows.push_back(y.view().of_sample(b));
  return rows;
}

Numbers mean_cosines(const std::vector<Numbers>& rows) {
  const Index experts = rows.front().rows();
  Numbers result(experts, experts);
  for (Index e = 0; e < experts; ++e)
    for (Index f = 0; f < experts; ++f) {
      double sum = 0;
      double count = 0;
      for (const Numbers& row : rows) {
        if (row.row(e).norm() == 0 || row.row(f).norm() == 0) continue;
        sum += cosine(row, e, f);
        ++count;
      }
      result(e, f) = sum / count;
    }
  return result;
}

}  // namespace

TEST_CASE("an AdaTT that is watched: every quantity, from the parameters by hand") {
  const plait::Model<double> model(plait::AdaTT{.input_dim = 5,
                                                .num_tasks = 2,
                                                .levels = {{7}, {4}},
                                                .task_experts = {2, 1},
                                                .shared_experts = 1},
                                   {}, 3);
  const std::vector<Index> owners{0, 0, 1, 2};
  const auto x = data::normal<double>(300, 5, 1);  // more than two tiles
  std::vector<Row> first, second;
  for (Index b = 0; b < x.rows(); ++b) {
    first.push_back(adatt_row(model.values(), 0, 3, owners, x.row(b)));
    second.push_back(adatt_row(model.values(), 1, 2, owners, first.back().state()));
  }
  const auto report = watched(model, x);
  CHECK(report.rows == 300);
  REQUIRE(report.levels.size() == 2);
  check_level(report.levels[0], first);
  check_level(report.levels[1], second);
}

TEST_CASE("a unit's gate weights sum to one; experts that it does not select have none") {
  const plait::Model<double> model(plait::PLE{.input_dim = 5,
                                              .num_tasks = 2,
                                              .levels = {{4}, {3}},
                                              .task_experts = {2},
                                              .shared_experts = 1},
                                   {}, 5);
  const auto report = watched(model, data::normal<double>(40, 5, 2));
  REQUIRE(report.levels.size() == 2);
  // Experts 0 and 1 are task 0's, 2 and 3 task 1's, 4 is shared; the shared unit, 2, sees all.
  const Numbers& weights = report.levels[0].gate_weights;
  REQUIRE(weights.rows() == 3);
  REQUIRE(weights.cols() == 5);
  const Numbers selected{{1, 1, 0, 0, 1}, {0, 0, 1, 1, 1}, {1, 1, 1, 1, 1}};
  for (Index u = 0; u < 3; ++u)
    for (Index e = 0; e < 5; ++e) CHECK((weights(u, e) > 0) == (selected(u, e) == 1));
  for (const LevelReport& level : report.levels) {
    CHECK(same(level.gate_weights.rowwise().sum(), Numbers::Ones(level.num_units(), 1), 1e-12));
    CHECK(same(level.top_share.rowwise().sum(), Numbers::Ones(level.num_units(), 1), 1e-12));
    CHECK(same(level.static_weights, Numbers::Zero(level.num_units(), 5)));
    CHECK_THAT(level.importance.sum(), WithinAbs(1, 1e-12));
    CHECK_THAT(level.load.sum(), WithinAbs(1, 1e-12));
  }
}

TEST_CASE("static weights alone: cross-stitch has no gate to speak of") {
  const plait::Model<double> model(
      plait::CrossStitch{
          .input_dim = 3, .num_tasks = 2, .levels = {{4}}, .stitch = plait::Stitch::uniform},
      {}, 1);
  const auto report = watched(model, data::normal<double>(10, 3, 2));
  const LevelReport& level = report.levels.front();
  CHECK(same(level.static_weights, matrix(model.values(), "stitchs.0.weight"), 1e-15));
  CHECK(same(level.gate_weights, Numbers::Zero(2, 2)));
  CHECK(level.entropy.array().isNaN().all());
  CHECK(level.importance.array().isNaN().all());
  CHECK(level.load.array().isNaN().all());
}

TEST_CASE("static weights alone: the subspaces of a sluice network") {
  const plait::Model<double> model(
      plait::Sluice{.input_dim = 3, .num_tasks = 2, .levels = {{4}, {6}}, .skips = false}, {}, 1);
  const auto report = watched(model, data::normal<double>(10, 3, 2));
  REQUIRE(report.levels.size() == 2);
  for (std::size_t l = 0; l < 2; ++l) {
    const LevelReport& level = report.levels[l];
    CHECK(same(level.static_weights, matrix(model.values(), plait::text("alphas.", l)), 1e-15));
    CHECK(same(level.gate_weights, Numbers::Zero(4, 4)));
    CHECK(level.entropy.array().isNaN().all());
  }
}

TEST_CASE("static weights alone: the orders of shared layers") {
  plait::Model<double> model(
      plait::SoftOrdering{.input_dim = 3, .num_tasks = 2, .encoder = {4}, .depth = 2}, {}, 1);
  const auto order = model.values_of("mtl_arch.orders.1");
  order[2] = std::log(3.0);  // of its second depth, the first layer
  const auto report = watched(model, data::normal<double>(10, 3, 2));
  REQUIRE(report.levels.size() == 2);
  Numbers even(2, 4), second(2, 4);
  even << 0.5, 0.5, 0, 0, 0, 0, 0.5, 0.5;
  second << 0.5, 0.5, 0, 0, 0, 0, 0.75, 0.25;
  CHECK(same(report.levels[0].static_weights, even, 1e-15));
  CHECK(same(report.levels[1].static_weights, second, 1e-15));
}

TEST_CASE("the networks of sharing without units are compared as well") {
  const auto x = data::normal<double>(50, 4, 6);
  SECTION("single task: its outputs are the networks'") {
    const plait::Model<double> model(
        plait::SingleTask{.input_dim = 4, .num_tasks = 3, .expert = {6}}, {}, 1);
    CHECK(
        same(watched(model, x).levels.front().similarity, mean_cosines(outputs(model, x)), 1e-12));
  }
  SECTION("customized sharing: the shared network is the last") {
    const plait::Model<double> model(
        plait::CustomizedSharing{.input_dim = 4, .num_tasks = 2, .expert = {6}}, {}, 1);
    std::vector<Numbers> networks;
    for (const Numbers& y : outputs(model, x)) {
      networks.emplace_back(3, 6);
      networks.back() << y.leftCols(6), y.row(0).rightCols(6);
    }
    const auto report = watched(model, x);
    CHECK(report.levels.front().num_units() == 0);
    CHECK(same(report.levels.front().similarity, mean_cosines(networks), 1e-12));
  }
  SECTION("asymmetric sharing: without sources its outputs are the networks'") {
    const plait::Model<double> model(
        plait::AsymmetricSharing{
            .input_dim = 4, .num_tasks = 2, .expert = {6}, .sources = {{}, {}}},
        {}, 1);
    CHECK(
        same(watched(model, x).levels.front().similarity, mean_cosines(outputs(model, x)), 1e-12));
  }
}

TEST_CASE("static weights alone: what connections are expected to be") {
  plait::Model<double> model(plait::SNR{.input_dim = 3,
                                        .num_tasks = 2,
                                        .num_experts = 2,
                                        .levels = {4},
                                        .connection = plait::SNRConnection::aver},
                             {}, 1);
  const auto logits = model.values_of("mtl_arch.log_alphas.1");
  logits[1] = -9;
  logits[2] = 9;
  const auto report = watched(model, data::normal<double>(10, 3, 2));
  REQUIRE(report.levels.size() == 1);
  Numbers weights(2, 2);
  weights << 0.5, 0, 1, 0.5;
  CHECK(same(report.levels[0].static_weights, weights, 1e-15));
}

TEST_CASE("the masks of MTAN are compared") {
  const plait::Model<double> model(plait::MTAN{.input_dim = 4, .num_tasks = 3, .levels = {6, 5}},
                                   {}, 1);
  const auto report = watched(model, data::normal<double>(50, 4, 6));
  REQUIRE(report.levels.size() == 2);
  for (const LevelReport& level : report.levels) {
    CHECK(level.num_units() == 0);
    REQUIRE(level.num_experts() == 3);
    CHECK((level.output_rms.array() > 0 && level.output_rms.array() < 1).all());
    CHECK((level.similarity.array() > 0).all());
  }
}

TEST_CASE("every architecture can be watched, in one batch or in several") {
  const models::Sizes sizes;
  for (const auto& [name, trunk] : models::all_trunks<double>(sizes)) {
    INFO(name);
    const auto model = models::make(trunk, sizes);
    const auto before = model.values();
    const auto x = data::normal<double>(60, sizes.input_dim, 9);
    const auto whole = watched(model, x);
    plait::ExpertWatch watch(model);
    for (const auto& [first, count] : {std::pair<Index, Index>{0, 1}, {1, 0}, {1, 42}, {43, 17}})
      watch.add(x.middleRows(first, count));
    const auto pieces = watch.report();
    CHECK(whole.rows == 60);
    CHECK(pieces.rows == 60);
    REQUIRE(whole.levels.size() == pieces.levels.size());
    for (std::size_t l = 0; l < whole.levels.size(); ++l) {
      CHECK(same(whole.levels[l], pieces.levels[l], 1e-12));
      CHECK(whole.levels[l].num_experts() >= 1);
      // A branch leaves out what it has not chosen.
      if (name == plait::LearningToBranch::name)
        CHECK((whole.levels[l].output_rms.array() > 0).any());
      else
        CHECK((whole.levels[l].output_rms.array() > 0).all());
    }
    CHECK(std::ranges::equal(before.flat(), model.values().flat()));
  }
}

TEST_CASE("a dead ReLU is found, and has no similarity to anything") {
  plait::Model<double> model(
      plait::MMoE{.input_dim = 3, .num_tasks = 2, .num_experts = 3, .expert = {4}}, {}, 1);
  for (double& bias : model.values_of("mtl_arch.experts.0.1.mlp_net.0.bias")) bias = -1e6;
  const auto level = watched(model, data::normal<double>(20, 3, 4)).levels.front();
  CHECK(level.dead_experts() == std::vector<Index>{1});
  CHECK(level.output_rms[1] == 0);
  CHECK(level.similarity.row(1).array().isNaN().all());
  CHECK_THAT(level.similarity(2, 2), WithinAbs(1, 1e-12));
}

TEST_CASE("a saturated gate has entropy 0") {
  plait::Model<float> model(
      plait::MMoE{.input_dim = 2, .num_tasks = 1, .num_experts = 2, .expert = {4}}, {}, 1);
  model.values_of("mtl_arch.gates.0.0.1.bias")[0] = 1e6f;
  plait::ExpertWatch watch(model);
  watch.add(data::normal<float>(5, 2, 4));
  const auto level = watch.report().levels.front();
  CHECK_THAT(level.entropy[0], WithinAbs(0, 1e-30));  // and no 0 · ln 0
  CHECK_THAT(level.relative_entropy[0], WithinAbs(0, 1e-30));
  CHECK(level.load[0] == 1);
  CHECK(level.dead_experts() == std::vector<Index>{1});
}

TEST_CASE("without a row nothing is known; data that does not fit is refused") {
  const plait::Model<double> model(
      plait::MMoE{.input_dim = 2, .num_tasks = 1, .num_experts = 2, .expert = {4}}, {}, 1);
  plait::ExpertWatch watch(model);
  CHECK(watch.report().rows == 0);
  CHECK(watch.report().levels.front().gate_weights.array().isNaN().all());
  CHECK(watch.report().levels.front().dead_experts().empty());
  CHECK_THROWS_WITH(watch.add(plait::Matrix<double>(3, 5)),
                    "plait::ExpertWatch: x: got [3, 1, 5], expected [batch, 1, 2]");
  plait::Matrix<double> bad = plait::Matrix<double>::Zero(200, 2);
  bad(199, 1) = std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH(
      watch.add(bad),
      "plait::ExpertWatch: x: got NaN or infinity in slot 0, expected finite numbers");
  CHECK(watch.report().rows == 0);
  CHECK(watch.report().levels.front().gate_weights.array().isNaN().all());
}
