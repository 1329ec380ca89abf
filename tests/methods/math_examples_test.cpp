// The worked numbers of every balancing method.
#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "methods/support.hpp"
#include "plait/methods/aligned_mtl.hpp"
#include "plait/methods/cagrad.hpp"
#include "plait/methods/gramian.hpp"
#include "plait/methods/imtl_g.hpp"
#include "plait/methods/mgda.hpp"
#include "plait/methods/nash_mtl.hpp"
#include "plait/methods/pcgrad.hpp"
#include "plait/methods/unit_gramian.hpp"
#include "plait/methods/upgrad.hpp"
#include "support/catch.hpp"

using fixtures::Json;
using methods_test::matrix;
using methods_test::vector;
using methods_test::weights;
using plait::Index;

namespace {

constexpr double tolerance = 1e-10;

double distance(const Eigen::MatrixXd& got, const Json& expected) {
  const Eigen::MatrixXd other =
      expected.at(0).is_array() ? matrix(expected) : Eigen::MatrixXd(vector(expected));
  REQUIRE(got.rows() == other.rows());
  REQUIRE(got.cols() == other.cols());
  return (got - other).cwiseAbs().maxCoeff();
}

// T2 or T3: gradients, and what each method makes of them.
struct Example {
  Json json;
  Eigen::MatrixXd g, gramian;

  explicit Example(const std::string& size)
      : json(fixtures::load("D_balancing").at(size)),
        g(matrix(json.at("G(rows=task gradients)"))),
        gramian(g * g.transpose()) {}

  const Json& at(const char* method) const { return json.at(method); }
  Eigen::VectorXd direction(const Eigen::VectorXd& alpha) const { return g.transpose() * alpha; }
};

// c_i [T] of every task as the rows of a matrix, given the orders.
Eigen::MatrixXd projections(const Eigen::MatrixXd& gramian,
                            const std::vector<std::vector<Index>>& orders) {
  Eigen::MatrixXd result(gramian.rows(), gramian.rows());
  for (Index i = 0; i < gramian.rows(); ++i)
    result.row(i) =
        methods_test::pcgrad_project(gramian, i, orders[static_cast<std::size_t>(i)]).transpose();
  return result;
}

}  // namespace

TEST_CASE("worked numbers: the Gramian") {
  const std::string size = GENERATE(as<std::string>{}, "T2", "T3");
  const Example example(size);
  Eigen::MatrixXd gramian = Eigen::MatrixXd::Zero(example.g.rows(), example.g.rows());
  std::vector<std::vector<double>> rows;
  std::vector<std::span<const double>> spans;
  for (Index t = 0; t < example.g.rows(); ++t)
    rows.push_back(methods_test::numbers(example.g.row(t)));
  for (const auto& row : rows) spans.emplace_back(row);
  plait::Scratch scratch;
  plait::accumulate_gramian<double>(spans, gramian, scratch);
  CHECK(distance(gramian, example.at("gramian")) < tolerance);
  const plait::detail::UnitGramian unit(gramian, scratch);
  CHECK(distance(unit.cosines, example.at("cosine")) < tolerance);
}

TEST_CASE("worked numbers: MGDA") {
  const std::string size = GENERATE(as<std::string>{}, "T2", "T3");
  const Example example(size);
  const Json& expected = example.at("MGDA");
  const Eigen::VectorXd alpha = weights(plait::MGDA{}, example.gramian);
  CHECK(distance(alpha, expected.at("alpha_exact")) < tolerance);
  CHECK(distance(example.direction(alpha), expected.at("d")) < tolerance);

  plait::MGDA frank_wolfe{.solver = plait::MGDASolver::frank_wolfe};
  const Json& approximate = expected.at("alpha_frank_wolfe(torchjd: eps 1e-3, start uniform)");
  CHECK(distance(weights(frank_wolfe, example.gramian), approximate) < tolerance);
  // It takes the number of iterations that is stated, and no fewer.
  frank_wolfe.iterations = expected.at("fw_iters").get<Index>();
  CHECK(distance(weights(frank_wolfe, example.gramian), approximate) < tolerance);
  frank_wolfe.iterations -= size == "T2" ? 2 : 1;  // T2's second moves nothing
  if (frank_wolfe.iterations > 0)
    CHECK(distance(weights(frank_wolfe, example.gramian), approximate) > 1e-6);
}

TEST_CASE("worked numbers: CAGrad") {
  const std::string size = GENERATE(as<std::string>{}, "T2", "T3");
  const Example example(size);
  for (const auto& [c, name] : {std::pair{0.4, "CAGrad_c0.4"}, {0.5, "CAGrad_c0.5"}}) {
    INFO(size << ", " << name);
    const Json& expected = example.at(name);
    const auto direction = [&, c = c](plait::CAGradRescale rescale) {
      return example.direction(weights(plait::CAGrad{.c = c, .rescale = rescale}, example.gramian));
    };
    using enum plait::CAGradRescale;
    CHECK(distance(direction(none), expected.at("d_rescale0")) < tolerance);
    CHECK(distance(direction(by_squared), expected.at("d_rescale1(/(1+c^2))")) < tolerance);
    CHECK(distance(direction(by_one), expected.at("d_rescale2(/(1+c))")) < tolerance);

    // α = 1/T + λ w
    const Eigen::VectorXd alpha = weights(plait::CAGrad{.c = c}, example.gramian);
    const Eigen::VectorXd scaled = alpha.array() - 1.0 / static_cast<double>(alpha.size());
    CHECK(std::abs(scaled.sum() - expected.at("lambda").get<double>()) < tolerance);
    CHECK(distance(scaled / scaled.sum(), expected.at("w")) < tolerance);
    CHECK(distance(example.direction(scaled / scaled.sum()), expected.at("g_w")) < tolerance);
  }
}

TEST_CASE("worked numbers: PCGrad") {
  const std::string size = GENERATE(as<std::string>{}, "T2", "T3");
  const Example example(size);
  const Index tasks = example.g.rows();
  for (const bool ascending : {true, false}) {
    std::vector<std::vector<Index>> orders;
    for (Index i = 0; i < tasks; ++i) {
      auto& order = orders.emplace_back();
      for (Index j = 0; j < tasks; ++j)
        if (j != i) order.push_back(j);
      if (!ascending) std::reverse(order.begin(), order.end());
    }
    const Json& expected =
        example.at(ascending ? "PCGrad_ascending_order" : "PCGrad_descending_order");
    const Eigen::MatrixXd c = projections(example.gramian, orders);
    CHECK(distance(c * example.g, expected.at("projected_rows")) < tolerance);
    CHECK(distance(example.direction(c.colwise().sum().transpose()), expected.at("sum")) <
          tolerance);
  }
}

TEST_CASE("worked numbers: PCGrad with self-inclusion") {
  const Json json = fixtures::load("D_balancing").at("PCGrad_self_inclusion");
  const Eigen::MatrixXd g = matrix(json.at("G"));
  const Eigen::MatrixXd gramian = g * g.transpose();
  auto orders = json.at("order_per_task").get<std::vector<std::vector<Index>>>();
  CHECK(distance(projections(gramian, orders) * g,
                 json.at("with_self(LibMTL, nash-mtl, official TF loop)")) < tolerance);
  for (std::size_t i = 0; i < orders.size(); ++i) std::erase(orders[i], static_cast<Index>(i));
  CHECK(distance(projections(gramian, orders) * g, json.at("paper(j != i)")) < tolerance);
}

TEST_CASE("worked numbers: IMTL-G") {
  const std::string size = GENERATE(as<std::string>{}, "T2", "T3");
  const Example example(size);
  const Json& expected = example.at("IMTL_G");
  const Eigen::VectorXd alpha = weights(plait::IMTLG{}, example.gramian);
  CHECK(distance(alpha, expected.at("alpha")) < tolerance);
  const Eigen::VectorXd d = example.direction(alpha);
  CHECK(distance(d, expected.at("d")) < tolerance);
  CHECK(distance(example.g.rowwise().normalized() * d,
                 expected.at("projections_on_unit_task_grads(equal)")) < tolerance);
}

TEST_CASE("worked numbers: Nash-MTL") {
  const std::string size = GENERATE(as<std::string>{}, "T2", "T3");
  const Example example(size);
  const Json& expected = example.at("NashMTL");
  const Eigen::VectorXd alpha = weights(plait::NashMTL{}, example.gramian);
  CHECK(distance(alpha, expected.at("alpha(M alpha = 1/alpha)")) < tolerance);
  CHECK(distance(example.direction(alpha), expected.at("d")) < tolerance);
  const plait::NashMTL clipped{.max_norm = 1};
  CHECK(distance(example.direction(weights(clipped, example.gramian)),
                 expected.at("d_clipped_to_norm1")) < tolerance);
}

TEST_CASE("worked numbers: Aligned-MTL") {
  const std::string size = GENERATE(as<std::string>{}, "T2", "T3");
  const Example example(size);
  const Json& expected = example.at("AlignedMTL_min");
  const Eigen::VectorXd alpha = weights(plait::AlignedMTL{}, example.gramian);
  CHECK(distance(alpha, expected.at("alpha_w=1/T(torchjd default)")) < tolerance);
  CHECK(distance(example.direction(alpha), expected.at("d_w=1/T")) < tolerance);
  const std::vector<double> ones(static_cast<std::size_t>(alpha.size()), 1.0);
  CHECK(distance(weights(plait::AlignedMTL{.preferences = ones}, example.gramian),
                 expected.at("alpha_w=ones(LibMTL)")) < tolerance);
}

TEST_CASE("worked numbers: UPGrad") {
  const std::string size = GENERATE(as<std::string>{}, "T2", "T3");
  const Example example(size);
  const Json& expected = example.at("UPGrad");
  const Index tasks = example.g.rows();
  Eigen::MatrixXd projected(tasks, tasks);
  for (Index t = 0; t < tasks; ++t)
    projected.row(t) =
        methods_test::upgrad_project(example.gramian, t, 1.0 / static_cast<double>(tasks))
            .transpose();
  CHECK(distance(projected, expected.at("W_reg0")) < tolerance);
  const Eigen::VectorXd alpha = weights(plait::UPGrad{}, example.gramian);
  CHECK(distance(alpha, expected.at("weights_reg0")) < tolerance);
  CHECK(distance(example.direction(alpha), expected.at("d_reg0")) < tolerance);

  const plait::UPGrad torchjd{.normalise = true, .regularisation = 1e-4};
  const Eigen::VectorXd regularised = weights(torchjd, example.gramian);
  CHECK(distance(regularised, expected.at("weights_torchjd_defaults(norm by trace, reg 1e-4)")) <
        tolerance);
  CHECK(distance(example.direction(regularised), expected.at("d_torchjd_defaults")) < tolerance);
}
