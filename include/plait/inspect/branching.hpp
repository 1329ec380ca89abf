// Branching: which layers tasks should share, from what networks of their own have learned.
//
//   Model<float> alone(BranchedNetwork{.input_dim = d, .num_tasks = t, .levels = levels,
//                                      .groups = separate_groups(t, levels.size())}, towers, seed);
//   ... train it ...
//   const auto affinities = level_affinities(alone, x);       of some hundred rows
//   const auto tree = branch(affinities, {.most_nodes = 7});
//   Model<float> model(BranchedNetwork{..., .groups = tree.groups}, towers, seed);
//
// Affinity at a level: the representation dissimilarity matrix of a task has 1 - Pearson's
// correlation of the level's outputs for every two rows; tasks are as near as Spearman's rank
// correlation of these (ties have their mean rank, outputs that are all alike correlate with
// nothing).
//
// The tree has a partition of the tasks at every level, each within that of the level below, and
// the least Σ_l mean_g max_{i,j in g} (1 - A^l_ij) of those with as many nodes: found by beam
// search from the last level down over all partitions, where the source has spectral clustering.
// Sources: Vandenhende et al., "Branched Multi-Task Networks", BMVC 2020; Kriegeskorte et al.,
// "Representational similarity analysis", 2008.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/network.hpp"
#include "plait/core/scratch.hpp"
#include "plait/core/tensor.hpp"
#include "plait/core/view.hpp"
#include "plait/core/view_argument.hpp"
#include "plait/core/watch.hpp"
#include "plait/inspect/partitions.hpp"
#include "plait/model/model.hpp"

namespace plait {

// Every task in a group of its own.
inline std::vector<Partition> separate_groups(Index tasks, std::size_t levels) {
  Partition own(static_cast<std::size_t>(tasks));
  std::iota(own.begin(), own.end(), Index{0});
  return std::vector<Partition>(levels, own);
}

namespace detail {

// Pearson's correlation; 0 where one of them does not vary, but for rounding.
PLAIT_COLD inline double correlation(std::span<const double> a, std::span<const double> b) {
  const auto n = static_cast<double>(a.size());
  const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / n;
  const double mean_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double aa = 0, bb = 0, ab = 0, size_a = 0, size_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    size_a += a[i] * a[i];
    size_b += b[i] * b[i];
  }
  constexpr double rounding = 1e-28;  // (a few ε)²
  if (aa <= rounding * size_a || bb <= rounding * size_b) return 0;
  return ab / (std::sqrt(aa) * std::sqrt(bb));
}

// From 1; equal numbers have the mean of their ranks.
PLAIT_COLD inline std::vector<double> ranks(std::span<const double> numbers) {
  std::vector<std::size_t> order(numbers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return numbers[i]; });
  std::vector<double> result(numbers.size());
  for (std::size_t first = 0, last = 0; first < order.size(); first = last) {
    while (last < order.size() && numbers[order[last]] == numbers[order[first]]) ++last;
    for (std::size_t i = first; i < last; ++i)
      result[order[i]] = (static_cast<double>(first + last) + 1) / 2;
  }
  return result;
}

// Of rows of features, the upper triangle of the dissimilarity matrix, to nine digits: rounding is
// not to tell equal ones apart.
PLAIT_COLD inline std::vector<double> dissimilarities(const Matrix<double>& features) {
  std::vector<double> result;
  const auto row = [&](Index i) {
    return std::span(features.data() + i * features.cols(),
                     static_cast<std::size_t>(features.cols()));
  };
  for (Index i = 0; i < features.rows(); ++i)
    for (Index j = i + 1; j < features.rows(); ++j)
      result.push_back(std::round((1 - correlation(row(i), row(j))) * 1e9) / 1e9);
  return result;
}

}  // namespace detail

// A [T, T] of the outputs [N, H_t] of every task's network for the same N rows. Throws ConfigError
// for fewer than three rows, or another number of them. Takes N² H T operations and N² T numbers.
PLAIT_COLD inline Matrix<double> representation_affinity(std::span<const Matrix<double>> features) {
  std::vector<std::vector<double>> ranked;
  for (const Matrix<double>& of_task : features) {
    const Index rows = features.front().rows();
    require_config(rows >= 3 && of_task.rows() == rows, "representation_affinity", "features",
                   text(of_task.rows(), " rows"), "three or more, the same of all tasks");
    require_config(of_task.allFinite(), "representation_affinity", "features", "NaN or infinity",
                   "finite numbers");
    ranked.push_back(detail::ranks(detail::dissimilarities(of_task)));
  }
  const Index tasks = std::ssize(ranked);
  Matrix<double> result = Matrix<double>::Identity(tasks, tasks);
  for (Index i = 0; i < tasks; ++i)
    for (Index j = 0; j < i; ++j)
      result(i, j) = result(j, i) = detail::correlation(ranked[static_cast<std::size_t>(i)],
                                                        ranked[static_cast<std::size_t>(j)]);
  return result;
}

// The same level by level, of a model whose levels have an expert per task, in their order. Throws
// ConfigError for another, and what representation_affinity throws; ShapeError for other rows than
// the model's.
template <class Scalar>
PLAIT_COLD std::vector<Matrix<double>> level_affinities(const Model<Scalar>& model,
                                                        ViewArgument<const Scalar> x) {
  const auto& trunk = model.trunk();
  const auto levels = trunk.watched();
  const Shape in = model.in_shape(), out = trunk.out_shape();
  require_config(!levels.empty(), "level_affinities", "model", "one without levels to see",
                 "a level of an expert per task");
  for (const WatchedLevel& level : levels) {
    bool own = level.experts == model.num_tasks() && std::ssize(level.selections) == level.experts;
    for (std::size_t t = 0; own && t < level.selections.size(); ++t)
      own = level.selections[t] == std::vector{static_cast<Index>(t)};
    require_config(own, "level_affinities", "model",
                   text(level.experts, " experts in a level, or tasks that see others'"),
                   text(model.num_tasks(), ", one per task, which sees it alone"));
  }
  if (x.shape() != in)
    throw ShapeError("level_affinities", "x",
                     text("[", x.batch(), ", ", x.slots(), ", ", x.dim(), "]"),
                     text("[batch, ", in.slots, ", ", in.dim, "]"));
  typename Network<Scalar>::Workspace workspace;
  Scratch scratch;
  Tensor<Scalar> y(x.batch(), out.slots, out.dim);
  trunk.forward(model.values(), x, y, &workspace, scratch);
  std::vector<Matrix<double>> result;
  trunk.watch(model.values(), workspace, scratch,
              [&](Index, View3<const Scalar> experts, View3<const Scalar>, View3<const Scalar>) {
                std::vector<Matrix<double>> features;
                for (Index e = 0; e < experts.slots(); ++e)
                  features.push_back(experts.of_slot(e).template cast<double>());
                result.push_back(representation_affinity(features));
              });
  return result;
}

struct BranchingOptions {
  Index most_nodes = 0;  // of the tree, over all levels
  Index beam = 10;       // trees that are followed up, of every number of nodes
};

struct Branching {
  std::vector<Partition> groups;  // by level, as BranchedNetwork takes them
  Index nodes = 0;
  double cost = 0;

  // A line per level, from the last: "click | like, share". Throws ConfigError for another number
  // of names than tasks.
  PLAIT_COLD std::string to_text(std::span<const std::string> names) const {
    for (const Partition& level : groups)
      require_config(names.size() == level.size(), "Branching", "names", text(names.size()),
                     text(level.size(), ", one per task"));
    std::string result;
    for (auto level = groups.rbegin(); level != groups.rend(); ++level) {
      for (Index g = 0; g < num_groups(*level); ++g) {
        if (g > 0) result += " | ";
        bool first = true;
        for (std::size_t t = 0; t < level->size(); ++t) {
          if ((*level)[t] != g) continue;
          result += (std::exchange(first, false) ? "" : ", ") + names[t];
        }
      }
      result += '\n';
    }
    return result;
  }
};

namespace detail {

// mean_g max_{i,j in g} (1 - A_ij).
PLAIT_COLD inline double partition_cost(const Matrix<double>& affinity,
                                        const Partition& partition) {
  std::vector<double> largest(static_cast<std::size_t>(num_groups(partition)));
  for (std::size_t i = 0; i < partition.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      if (partition[i] != partition[j]) continue;
      double& of_group = largest[static_cast<std::size_t>(partition[i])];
      of_group = (std::max)(of_group, 1 - affinity(static_cast<Index>(i), static_cast<Index>(j)));
    }
  return std::accumulate(largest.begin(), largest.end(), 0.0) / static_cast<double>(largest.size());
}

}  // namespace detail

// The tree of least cost that is found, with at most as many nodes; the least there is where the
// beam is wide enough to leave nothing out. Throws ConfigError for affinities that are no square
// matrices of one size, more than most_partitioned tasks, fewer nodes than levels, and a beam
// below 1.
PLAIT_COLD inline Branching branch(std::span<const Matrix<double>> affinities,
                                   const BranchingOptions& options) {
  const Index levels = std::ssize(affinities);
  const Index tasks = levels > 0 ? affinities.front().rows() : 0;
  require_config(tasks >= 1 && tasks <= most_partitioned, "branch", "tasks", text(tasks),
                 text("1 to ", most_partitioned));
  for (const Matrix<double>& affinity : affinities)
    require_config(affinity.rows() == tasks && affinity.cols() == tasks && affinity.allFinite(),
                   "branch", "affinities", text(affinity.rows(), " by ", affinity.cols()),
                   text("finite numbers, ", tasks, " by ", tasks));
  require_config(options.most_nodes >= levels, "branch", "most_nodes", text(options.most_nodes),
                 text("at least ", levels, ", one per level"));
  require_config(options.beam >= 1, "branch", "beam", text(options.beam), "at least 1");
  const Index most_nodes = (std::min)(options.most_nodes, levels * tasks);

  // By number of nodes; groups from the last level down.
  using Beam = std::vector<std::vector<Branching>>;
  const auto empty = [&] { return Beam(static_cast<std::size_t>(most_nodes) + 1); };
  Beam beam = empty();
  beam.front().push_back({});
  for (Index l = levels; l-- > 0;) {
    Beam next = empty();
    for (const auto& of_size : beam)
      for (const Branching& tree : of_size) {
        const Partition above =
            tree.groups.empty() ? separate_groups(tasks, 1).front() : tree.groups.back();
        const Index room = most_nodes - tree.nodes - l;  // a node for each level below
        for_each_partition(num_groups(above), room, [&](const Partition& of_groups) {
          Partition partition;
          for (const Index g : above) partition.push_back(of_groups[static_cast<std::size_t>(g)]);
          const Index nodes = tree.nodes + num_groups(partition);
          const double cost = tree.cost + detail::partition_cost(
                                              affinities[static_cast<std::size_t>(l)], partition);
          auto& kept = next[static_cast<std::size_t>(nodes)];
          // What may follow depends on nodes and partition alone: of two alike the cheaper stays.
          const auto same = std::ranges::find_if(
              kept, [&](const Branching& other) { return other.groups.back() == partition; });
          if (same != kept.end()) {
            if (same->cost <= cost) return;
            kept.erase(same);
          }
          const auto place = std::ranges::upper_bound(kept, cost, {}, &Branching::cost);
          if (place - kept.begin() >= options.beam) return;
          const auto grown = kept.insert(place, {tree.groups, nodes, cost});
          grown->groups.push_back(std::move(partition));
          if (std::ssize(kept) > options.beam) kept.pop_back();
        });
      }
    beam = std::move(next);
  }
  Branching best{.groups = {}, .nodes = 0, .cost = std::numeric_limits<double>::infinity()};
  for (const auto& of_size : beam)
    if (!of_size.empty() && of_size.front().cost < best.cost) best = of_size.front();
  std::ranges::reverse(best.groups);
  return best;
}

}  // namespace plait
