// Partitions, affinities of what networks have learned, and the tree that follows from them.
#include "plait/inspect/branching.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "plait/architectures/branched.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/architectures/shared_bottom.hpp"
#include "plait/model/model.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

using namespace plait;

namespace {

Matrix<double> square(Index n, std::vector<double> numbers) {
  return Eigen::Map<Matrix<double>>(numbers.data(), n, n);
}

std::vector<Partition> partitions(Index count, Index most) {
  std::vector<Partition> result;
  for_each_partition(count, most, [&](const Partition& p) { result.push_back(p); });
  return result;
}

// No unit is off.
Body smooth(Index width) { return Body({width}, Activation::tanh); }

// The least cost of all trees, by trying them all.
double least_cost(const std::vector<Matrix<double>>& affinities, Index most_nodes) {
  const Index tasks = affinities.front().rows();
  double least = std::numeric_limits<double>::infinity();
  const std::size_t levels = affinities.size();
  std::vector<Partition> tree(levels);
  const auto try_level = [&](const auto& self, std::size_t l, Index nodes, double cost) -> void {
    if (l == levels) {
      if (nodes <= most_nodes) least = std::min(least, cost);
      return;
    }
    for (const Partition& p : partitions(tasks, tasks)) {
      bool nested = true;  // in the groups of the level below
      for (std::size_t i = 0; l > 0 && i < p.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
          nested &= p[i] != p[j] || tree[l - 1][i] == tree[l - 1][j];
      if (!nested) continue;
      double sum = 0;
      for (Index g = 0; g < num_groups(p); ++g) {
        double largest = 0;
        for (std::size_t i = 0; i < p.size(); ++i)
          for (std::size_t j = 0; j < i; ++j)
            if (p[i] == g && p[j] == g)
              largest = std::max(largest, 1 - affinities[l](Index(i), Index(j)));
        sum += largest;
      }
      tree[l] = p;
      self(self, l + 1, nodes + num_groups(p), cost + sum / static_cast<double>(num_groups(p)));
    }
  };
  try_level(try_level, 0, 0, 0);
  return least;
}

}  // namespace

TEST_CASE("partitions are gone through once each") {
  CHECK(partitions(0, 3).empty());
  CHECK(partitions(1, 1) == std::vector<Partition>{{0}});
  CHECK(partitions(3, 3) ==
        std::vector<Partition>{{0, 0, 0}, {0, 0, 1}, {0, 1, 0}, {0, 1, 1}, {0, 1, 2}});
  CHECK(partitions(3, 2).size() == 4);
  CHECK(partitions(4, 1) == std::vector<Partition>{{0, 0, 0, 0}});
  CHECK(partitions(6, 6).size() == 203);
  CHECK(partitions(6, 3).size() == 122);  // 1 + 31 + 90
  const auto all = partitions(7, 7);
  CHECK(all.size() == 877);
  CHECK(std::set(all.begin(), all.end()).size() == all.size());
}

TEST_CASE("ranks count from one, and equal numbers share theirs") {
  const std::vector<double> numbers{3, -1, 3, 7, 3, -1};
  CHECK(detail::ranks(numbers) == std::vector<double>{4, 1.5, 4, 6, 4, 1.5});
  CHECK(detail::ranks({}).empty());
}

TEST_CASE("affinity is the rank correlation of dissimilarities") {
  Matrix<double> a(4, 3), b(4, 2), c(4, 3);
  a << 0.5, -1.2, 0.3, 1.1, 0.4, -0.6, -0.9, 0.8, 0.1, 0.2, 0.7, -1.5;
  b << 0.4, -0.3, 1.2, 0.1, -0.5, 0.9, 0.6, -0.2;
  c = 2 * a.array() + 5;  // correlations of rows do not change
  const auto affinity = representation_affinity(std::vector{a, b, c});
  CHECK(affinity.diagonal() == Eigen::VectorXd::Ones(3));
  CHECK(affinity(0, 2) == Approx(1).margin(1e-12));
  CHECK(affinity(0, 1) == affinity(1, 0));
  CHECK(std::abs(affinity(0, 1) - affinity(1, 2)) < 1e-12);
  // By hand: rows of b correlate with ±1; distances of a are all different.
  const std::vector<double> of_b{0, 2, 0, 2, 0, 2};
  const auto of_a = detail::dissimilarities(a);
  CHECK(detail::dissimilarities(b).size() == 6);
  for (std::size_t i = 0; i < 6; ++i)
    CHECK(std::abs(detail::dissimilarities(b)[i] - of_b[i]) < 1e-12);
  CHECK(of_a[0] ==
        Approx(1 - detail::correlation(std::vector{0.5, -1.2, 0.3}, std::vector{1.1, 0.4, -0.6})));
  // Ranks 3 6 5 4 1 2 and 1 2 5 3 4 6 of the dissimilarities: 1 - 6 · 46 / (6 · 35).
  Matrix<double> d(4, 4);
  d << 0.4, -0.3, 1.2, 0.6, 0.1, -0.5, 0.9, -0.2, 0.6, -0.2, 0.3, 0.8, -0.7, 0.5, 0.2, 0.1;
  CHECK(representation_affinity(std::vector{a, d})(0, 1) == Approx(-11.0 / 35).margin(1e-12));
  // Outputs that do not vary correlate with nothing, wherever rounding puts their mean.
  Matrix<double> dead = Matrix<double>::Constant(4, 3, 0.1);
  const auto with_dead = representation_affinity(std::vector{a, dead});
  CHECK(with_dead(0, 1) == 0);

  const auto refused = [](std::vector<Matrix<double>> features) {
    CHECK_THROWS_AS(representation_affinity(features), ConfigError);
  };
  refused({a.topRows(2)});
  refused({a, b.topRows(3)});
  a(1, 1) = std::nan("");
  refused({a});
}

TEST_CASE("levels of networks that are alike are near, and those of others less") {
  Model<double> model(BranchedNetwork{.input_dim = 5,
                                      .num_tasks = 3,
                                      .levels = {smooth(6), smooth(4)},
                                      .groups = separate_groups(3, 2)},
                      {}, 7);
  for (const char* rest : {"weight", "bias"})
    for (int l = 0; l < 2; ++l) {
      const auto name = [&](int t) {
        return text("mtl_arch.experts.", l, ".", t, ".mlp_net.0.", rest);
      };
      std::ranges::copy(model.values_of(name(0)), model.values_of(name(2)).begin());
    }
  const auto x = data::normal<double>(30, 5, 3);
  const auto affinities = level_affinities<double>(model, x);
  REQUIRE(affinities.size() == 2);
  for (const auto& affinity : affinities) {
    CHECK(affinity(0, 2) == Approx(1).margin(1e-12));
    CHECK(affinity(0, 1) < 0.95);
  }
  const auto tree = branch(affinities, {.most_nodes = 4});
  CHECK(tree.groups == std::vector<Partition>{{0, 1, 0}, {0, 1, 0}});
  CHECK(tree.to_text(std::vector<std::string>{"click", "like", "buy"}) ==
        "click, buy | like\nclick, buy | like\n");
  const Model<double> tree_model(
      BranchedNetwork{.input_dim = 5, .num_tasks = 3, .levels = {{6}, {4}}, .groups = tree.groups},
      {}, 1);
  CHECK(tree_model.num_tasks() == 3);

  CHECK_THROWS_AS(level_affinities<double>(model, data::normal<double>(30, 4, 3)), ShapeError);
  const Model<double> experts(MMoE{.input_dim = 5, .num_tasks = 3, .num_experts = 3, .expert = {4}},
                              {}, 1);
  CHECK_THROWS_AS(level_affinities<double>(experts, x), ConfigError);
}

TEST_CASE("the tree is the one of least cost with as many nodes") {
  Random random(3);
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<Matrix<double>> affinities;
    for (int l = 0; l < 3; ++l) {
      Matrix<double> affinity = Matrix<double>::Identity(4, 4);
      for (Index i = 0; i < 4; ++i)
        for (Index j = 0; j < i; ++j) affinity(i, j) = affinity(j, i) = random.uniform();
      affinities.push_back(affinity);
    }
    for (const Index nodes : {3, 5, 7, 9, 12, 20}) {  // 15 partitions: nothing is left out
      INFO(trial << ", " << nodes << " nodes");
      const auto tree = branch(affinities, {.most_nodes = nodes, .beam = 15});
      CHECK(std::abs(tree.cost - least_cost(affinities, nodes)) < 1e-12);
      CHECK(tree.nodes <= nodes);
      Index count = 0;
      for (const auto& level : tree.groups) count += num_groups(level);
      CHECK(count == tree.nodes);
      ParamTable table;
      CHECK_NOTHROW(BranchedNetwork{
          .input_dim = 2, .num_tasks = 4, .levels = {{2}, {2}, {2}}, .groups = tree.groups}
                        .plan(table, ""));
      CHECK(branch(affinities, {.most_nodes = nodes, .beam = 1}).cost >= tree.cost);
    }
    CHECK(branch(affinities, {.most_nodes = 12}).groups == separate_groups(4, 3));
  }
}

TEST_CASE("a tree of what is no affinity is refused") {
  const Matrix<double> two = square(2, {1, 0.5, 0.5, 1});
  const auto refused = [](std::vector<Matrix<double>> affinities, BranchingOptions options) {
    CHECK_THROWS_AS(branch(affinities, options), ConfigError);
  };
  refused({}, {.most_nodes = 3});
  refused({two, square(1, {1})}, {.most_nodes = 3});
  refused({square(2, {1, std::nan(""), 0, 1})}, {.most_nodes = 3});
  refused({two, two}, {.most_nodes = 1});
  refused({two}, {.most_nodes = 2, .beam = 0});
  refused({Matrix<double>::Identity(11, 11)}, {.most_nodes = 20});
  CHECK(branch(std::vector{two}, {.most_nodes = 1}).groups == std::vector<Partition>{{0, 0}});
}

TEST_CASE("branched networks refuse groups that are no tree") {
  const auto refused = [](std::vector<Partition> groups, const std::string& message) {
    ParamTable table;
    const BranchedNetwork of{
        .input_dim = 3, .num_tasks = 2, .levels = {{4}, {3}}, .groups = std::move(groups)};
    CHECK_THROWS_WITH(of.plan(table, ""), Catch::Matchers::ContainsSubstring(message));
    ParamTable other;
    CHECK_THROWS_AS(of.plan(other, ""), ConfigError);
  };
  refused({{0, 0}}, "1 levels");
  refused({{0, 0}, {0, 0, 1}}, "a group for every task");
  refused({{0, 0}, {1, 0}}, "as they are first named");
  refused({{0, 0}, {0, 2}}, "as they are first named");
  refused({{0, 0}, {0, -1}}, "as they are first named");
  refused({{0, 1}, {0, 0}}, "within one of the level below");
}

TEST_CASE("a tree with one branch is a shared bottom") {
  const auto x = data::normal<double>(20, 5, 3);
  Model<double> tree(
      BranchedNetwork{
          .input_dim = 5, .num_tasks = 2, .levels = {{6}, {4}}, .groups = {{0, 0}, {0, 0}}},
      {}, 1);
  Model<double> bottom(SharedBottom{.input_dim = 5, .num_tasks = 2, .expert = {6, 4}}, {}, 1);
  REQUIRE(tree.values().flat().size() == bottom.values().flat().size());
  ParamBuffer<double> same = bottom.values();
  std::ranges::copy(tree.values().flat(), same.flat().begin());
  bottom.load(same);
  Matrix<double> a(20, 2), b(20, 2);
  Scratch scratch;
  tree.network().forward(tree.values(), x, a, nullptr, scratch);
  bottom.network().forward(bottom.values(), x, b, nullptr, scratch);
  CHECK(a == b);
}
