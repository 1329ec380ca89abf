// Lanes: a batch's row tiles run through a network, forward, loss and backward, in one or several
// partial gradients that are summed in order.
//
// Tiles are dealt to a fixed number of lanes, each with gradients, activations and scratch of its
// own. With an executor lanes run on its threads; the result depends on the number of lanes, never
// on the number of threads or their timing.
//
// A batch may have any number of rows, and its gradient is a sum over all of them: of whole tiles,
// of runs of tiles, and of the runs in double, so that what Scalar rounds away does not grow with
// the batch.
//
// Every task's gradient costs one forward for all of them and a backward each, on the activations
// that they share, and only of what the task's loss reaches.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "plait/core/buffer.hpp"
#include "plait/core/config.hpp"
#include "plait/core/eigen.hpp"
#include "plait/core/options.hpp"
#include "plait/core/parallel.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/core/scratch.hpp"
#include "plait/core/tensor.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/layers/sequential.hpp"
#include "plait/train/lane_work.hpp"
#include "plait/train/representation.hpp"
#include "plait/train/representation_pass.hpp"
#include "plait/train/task_reach.hpp"
#include "plait/train/tiles.hpp"

namespace plait {

// Allocates in the first call of each kind, for tiles that are larger than any before, and in the
// first batch of more than tiles_per_run tiles for a lane, or half as many where passes are two.
template <class Scalar>
class Lanes {
 public:
  using Work = LaneWork<Scalar>;

  // At most `count` lanes; `executor` may be null.
  Lanes(std::shared_ptr<const ParamTable> table, Index tasks, Index count, Executor* executor)
      : executor_(executor),
        lanes_(static_cast<std::size_t>(count), Lane(std::move(table), tasks)) {}

  // The most that a batch is divided among.
  Index most() const { return std::ssize(lanes_); }

  // Each of these sets task_losses().

  // Nothing else.
  void compute_losses(const Work& work) {
    run(work.tiles, [&](Lane& lane, const auto& for_each_tile) {
      for_each_tile([&](Index tile) { lane.evaluate(work, tile); });
    });
  }
  // Puts back those of another call.
  void set_task_losses(std::span<const double> losses) {
    std::ranges::copy(losses, lanes_.front().task_losses.begin());
  }
  // gradient(), of the total with every task's share times scales [T], if not empty.
  void compute_gradient(const Work& work, std::span<const double> scales = {}) {
    run(work.tiles, [&](Lane& lane, const auto& for_each_tile) {
      const std::span<ParamBuffer<Scalar>> gradient(&lane.gradient, 1);
      lane.begin(gradient);
      for_each_tile([&](Index tile) {
        lane.begin_tile(gradient);
        lane.add_gradient(work, tile, scales);
      });
      lane.finish(gradient);
    });
    sum(
        used(work.tiles), [](Lane & lane) -> auto& { return lane.gradient; });
  }
  // task_gradients(), of every task's own share of the total.
  void compute_task_gradients(const Work& work, const TaskReach& reach) {
    const auto tasks = static_cast<std::size_t>(work.loss.num_tasks());
    run(work.tiles, [&](Lane& lane, const auto& for_each_tile) {
      while (lane.task_gradients.size() < tasks)
        lane.task_gradients.emplace_back(lane.gradient.shared_table());
      lane.begin(lane.task_gradients);
      for_each_tile([&](Index tile) {
        lane.begin_tile(lane.task_gradients);
        lane.add_task_gradients(work, tile, reach);
      });
      lane.finish(lane.task_gradients);
    });
    for (std::size_t t = 0; t < tasks; ++t)
      sum(
          used(work.tiles), [t](Lane & lane) -> auto& { return lane.task_gradients[t]; });
  }
  // gradient(), in the trunk that of Σ_t α_t weight_t L_t and in the towers that of the total.
  // weigh(M) gives α [T], from the Gramian of the tasks' gradients at the representation.
  template <class Weigh>
  void compute_balanced_gradient(const Work& work, const Representation<Scalar>& representation,
                                 const Weigh& weigh) {
    share_kept_tiles(work);
    run(work.tiles, [&](Lane& lane, const auto& for_each_tile) {
      const std::span<ParamBuffer<Scalar>> gradient(&lane.gradient, 1);
      lane.begin(gradient);
      for_each_tile([&](Index tile) {
        lane.begin_tile(gradient);
        lane.balanced->add_upper(work, representation, tile, lane.input(work, tile),
                                 lane.view_of(lane.gradient), lane.task_losses, lane.scratch);
      });
    });
    gramian_ = lanes_.front().balanced->gramian();
    for (const Lane& lane : used(work.tiles).subspan(1)) gramian_ += lane.balanced->gramian();
    const std::span<const double> alpha = weigh(std::as_const(gramian_));
    for_each_lane(work.tiles, [&](Lane& lane, const auto& for_each_tile) {
      const std::span<ParamBuffer<Scalar>> gradient(&lane.gradient, 1);
      for_each_tile([&](Index tile) {
        lane.begin_tile(gradient);
        lane.balanced->add_lower(work, representation, tile, lane.input(work, tile), alpha,
                                 lane.dx_of(work, tile), lane.view_of(lane.gradient), lane.scratch);
        lane.finish_dx(work, tile);
      });
      lane.finish(gradient);
    });
    sum(
        used(work.tiles), [](Lane & lane) -> auto& { return lane.gradient; });
  }

  // logits = network(x), rows of the tiles; task_losses() stay as they are.
  void score(const Work& work, View3<Scalar> logits) {
    for_each_lane(work.tiles, [&](Lane& lane, const auto& for_each_tile) {
      for_each_tile([&](Index tile) {
        work.network.forward(work.theta, lane.input(work, tile),
                             logits.rows(work.tiles.first(tile), work.tiles.rows(tile)), nullptr,
                             lane.scratch);
      });
    });
  }

  // Σ g² of the input's gradient, of the last pass that made gradients with tables.
  double input_squared_norm() const {
    double sum = 0;
    for (const Lane& lane : lanes_) sum += lane.dx_squared;
    return sum;
  }
  // The rows where lanes end.
  void ends(const Tiles& tiles, std::vector<Index>& rows) {
    const Index count = std::ssize(used(tiles));
    rows.clear();
    for (Index i = 1; i <= count; ++i) {
      const Index last = tiles.count() * i / count - 1;
      rows.push_back(last < 0 ? 0 : tiles.first(last) + tiles.rows(last));
    }
  }

  ParamBuffer<Scalar>& gradient() { return lanes_.front().gradient; }
  const ParamBuffer<Scalar>& gradient() const { return lanes_.front().gradient; }
  std::span<ParamBuffer<Scalar>> task_gradients() { return lanes_.front().task_gradients; }
  std::span<const double> task_losses() const { return lanes_.front().task_losses; }

 private:
  // A lane that runs fewer tiles is not worth its gradient's way through memory.
  static constexpr Index tiles_per_lane = 4;
  // Tiles whose gradients are added up in Scalar. Adding the sum to that in double takes the time
  // of reading the gradients three times.
  static constexpr Index tiles_per_run = 64;

  // What one thread needs to run tiles.
  struct Lane {
    ParamBuffer<Scalar> gradient;
    std::vector<ParamBuffer<Scalar>> task_gradients;  // [T], or none before they are asked for
    typename Sequential<Scalar>::Workspace workspace;
    Scratch scratch;
    Tensor<Scalar> looked_up;  // [tile, 1, width] of tables
    Tensor<Scalar> dx;         // of one task
    double dx_squared = 0;     // Σ g² of the input's gradient in the last run
    Tensor<Scalar> logits;     // [tile, 1, C]
    Tensor<Scalar> dlogits;    // [tile, 1, C]
    std::optional<RepresentationPass<Scalar>> balanced;  // none before it is asked for
    std::vector<double> task_losses;                     // [T]
    std::vector<std::uint8_t> unclaimed;  // [gradient, tensor]: no tile of the run has written it
    std::vector<AlignedVector<double>> runs;  // [gradient]: the sum of the runs before this one
    Index tiles_in_run = 0;
    bool has_runs = false;

    Lane(std::shared_ptr<const ParamTable> table, Index tasks)
        : gradient(std::move(table)), task_losses(static_cast<std::size_t>(tasks), 0.0) {}

    Index num_tensors() const { return std::ssize(gradient.table().entries()); }
    void begin(std::span<ParamBuffer<Scalar>> gradients) {
      has_runs = false;
      begin_run(gradients.size());
    }
    void begin_run(std::size_t gradients) {
      unclaimed.assign(gradients * static_cast<std::size_t>(num_tensors()), 1);
      tiles_in_run = 0;
    }
    GradView<Scalar> view_of(ParamBuffer<Scalar>& buffer, std::size_t which = 0) {
      return GradView<Scalar>::from_anything(
          buffer.flat().data(), unclaimed.data() + which * static_cast<std::size_t>(num_tensors()));
    }
    void begin_tile(std::span<ParamBuffer<Scalar>> gradients) {
      if (tiles_in_run++ < tiles_per_run) return;
      if (runs.size() < gradients.size()) runs.resize(gradients.size());
      for (std::size_t i = 0; i < gradients.size(); ++i) {
        view_of(gradients[i], i).zero_unclaimed(gradient.table());
        const auto run = gradients[i].flat();
        runs[i].resize(run.size());
        for (std::size_t k = 0; k < run.size(); ++k)
          runs[i][k] = (has_runs ? runs[i][k] : 0) + static_cast<double>(run[k]);
      }
      has_runs = true;
      begin_run(gradients.size());
      ++tiles_in_run;
    }
    void finish(std::span<ParamBuffer<Scalar>> gradients) {
      for (std::size_t i = 0; i < gradients.size(); ++i) {
        view_of(gradients[i], i).zero_unclaimed(gradient.table());
        const auto run = gradients[i].flat();
        for (std::size_t k = 0; has_runs && k < run.size(); ++k)
          run[k] = static_cast<Scalar>(runs[i][k] + static_cast<double>(run[k]));
      }
    }

    FeatureBatch<Scalar> features_of(const Work& work, Index tile) const {
      return FeatureBatch<Scalar>{work.sparse, work.x}.rows(work.tiles.first(tile),
                                                            work.tiles.rows(tile));
    }
    View3<const Scalar> input(const Work& work, Index tile) {
      const Index rows = work.tiles.rows(tile);
      if (work.tables == nullptr) return work.x.rows(work.tiles.first(tile), rows);
      looked_up.resize(rows, 1, work.tables->width());
      work.tables->lookup(features_of(work, tile), looked_up);
      return looked_up;
    }
    View3<const Scalar> rows_of(const Work& work, Index tile) {
      const Index rows = work.tiles.rows(tile);
      logits.resize(rows, 1, work.loss.width());
      dlogits.resize(rows, 1, work.loss.width());
      return input(work, tile);
    }
    View3<Scalar> dx_of(const Work& work, Index tile) const {
      return work.dx ? work.dx.rows(work.tiles.first(tile), work.tiles.rows(tile)) : work.dx;
    }
    void finish_dx(const Work& work, Index tile) {
      if (work.dx)
        dx_squared += work.tables->finish_rows(features_of(work, tile), dx_of(work, tile));
    }

    void forward(const Work& work, Index tile, View3<const Scalar> x) {
      work.network.forward(work.theta, x, logits, &workspace, scratch, work.options_of(tile));
    }
    void evaluate(const Work& work, Index tile) {
      const auto rows = rows_of(work, tile);
      forward(work, tile, rows);
      work.loss.evaluate(logits, work.targets_of(tile), work.normaliser, {}, task_losses);
    }
    void add_gradient(const Work& work, Index tile, std::span<const double> scales) {
      const auto rows = rows_of(work, tile);
      forward(work, tile, rows);
      work.loss.evaluate(logits, work.targets_of(tile), work.normaliser, dlogits, task_losses,
                         scales);
      work.network.backward(work.theta, rows, logits, dlogits, dx_of(work, tile), workspace,
                            view_of(gradient), scratch);
      finish_dx(work, tile);
    }
    void add_task_gradients(const Work& work, Index tile, const TaskReach& reach) {
      const auto rows = rows_of(work, tile);
      forward(work, tile, rows);
      const View3<Scalar> total_dx = dx_of(work, tile);
      View3<Scalar> task_dx = total_dx;  // of the first, where others are added
      for (std::size_t t = 0; t < task_gradients.size(); ++t) {
        if (work.normaliser[t] == 0) continue;  // no label that counts
        const auto task = static_cast<Index>(t);
        work.loss.evaluate_task(task, logits, work.targets_of(tile), work.normaliser, dlogits,
                                task_losses);
        work.network.backward(work.theta, rows, logits, dlogits, task_dx, workspace,
                              view_of(task_gradients[t], t), scratch, reach.outputs_of(task));
        if (!work.dx) continue;
        if (task_dx.data() != total_dx.data()) kernels::add<Scalar>(task_dx, total_dx);
        dx.resize(total_dx.batch(), 1, total_dx.dim());
        task_dx = dx;
      }
      finish_dx(work, tile);
    }
  };

  std::span<Lane> used(const Tiles& tiles) {
    const Index count =
        std::clamp(tiles.count() / tiles_per_lane, Index{1}, static_cast<Index>(lanes_.size()));
    return std::span(lanes_).first(static_cast<std::size_t>(count));
  }

  // Gives every lane room for the tiles that it keeps. All of it is one list: a smaller batch keeps
  // no more tiles, though its lanes, which are fewer, may.
  void share_kept_tiles(const Work& work) {
    using Pass = RepresentationPass<Scalar>;
    const std::span<Lane> lanes = used(work.tiles);
    const Index count = std::ssize(lanes);
    const auto num_kept = [&](Index i) {
      return static_cast<std::size_t>(Pass::num_kept(work.tiles, work.tiles.count() * i / count,
                                                     work.tiles.count() * (i + 1) / count));
    };
    std::size_t all = 0;
    for (Index i = 0; i < count; ++i) all += num_kept(i);
    if (kept_.size() < all) kept_.resize(all);
    std::span<KeptTile<Scalar>> rest(kept_);
    for (Index i = 0; i < count; ++i) {
      Lane& lane = lanes[static_cast<std::size_t>(i)];
      if (!lane.balanced) lane.balanced.emplace(lane.gradient.shared_table());
      lane.balanced->begin(work, rest.first(num_kept(i)));
      rest = rest.subspan(num_kept(i));
    }
  }

  // run_lane(lane, for_each_tile) for every lane.
  template <class RunLane>
  void for_each_lane(const Tiles& tiles, const RunLane& run_lane) {
    const std::span<Lane> lanes = used(tiles);
    const Index count = std::ssize(lanes);
    run_tasks(executor_, count, [&](Index i) {
      run_lane(lanes[static_cast<std::size_t>(i)], [&](const auto& run_tile) {
        const Index end = tiles.count() * (i + 1) / count;
        for (Index tile = tiles.count() * i / count; tile < end; ++tile) run_tile(tile);
      });
    });
  }
  // The same with the tasks' losses, which are zero before.
  template <class RunLane>
  void run(const Tiles& tiles, const RunLane& run_lane) {
    for (Lane& lane : lanes_) lane.dx_squared = 0;  // of those, too, that the batch does not use
    for_each_lane(tiles, [&](Lane& lane, const auto& for_each_tile) {
      std::ranges::fill(lane.task_losses, 0.0);
      run_lane(lane, for_each_tile);
    });
    const std::span<Lane> lanes = used(tiles);
    for (std::size_t i = 1; i < lanes.size(); ++i)
      for (std::size_t t = 0; t < lanes[i].task_losses.size(); ++t)
        lanes.front().task_losses[t] += lanes[i].task_losses[t];
  }

  // Adds the lanes' gradients to the first, number by number in the order of the lanes, in pieces
  // that run at the same time. of(lane) is the gradient.
  template <class Of>
  void sum(std::span<Lane> lanes, const Of& of) {
    const Index count = std::ssize(lanes);
    if (count == 1) return;
    const auto size = static_cast<Index>(of(lanes.front()).flat().size());
    run_tasks(executor_, count, [&](Index piece) {
      const Index first = size * piece / count;
      const Index length = size * (piece + 1) / count - first;
      Scalar* const total = of(lanes.front()).flat().data() + first;
      for (Lane& lane : lanes.subspan(1))
        kernels::add<Scalar>(length, of(lane).flat().data() + first, total);
    });
  }

  Executor* executor_;
  std::vector<Lane> lanes_;
  // Of a gradient that is balanced at the representation.
  std::vector<KeptTile<Scalar>> kept_;
  Eigen::MatrixXd gramian_;
};

}  // namespace plait
