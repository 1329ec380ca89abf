// Trainer: one step of training, forward, loss, backward and optimizer, in bounded memory.
//
// A batch is cut into row tiles that run depth-first through the whole network, forward and
// backward, before the next tile starts; only the gradient outlives a tile. Activations therefore
// take O(tile_rows) memory whatever the batch, and stay in cache. No layer reduces over the batch
// and the loss normalises over all of it, so the summed gradients are those of the whole batch.
// Losses that compare rows get tiles of whole groups (see tiles.hpp).
//
// Tiles are dealt to a fixed number of lanes, each with its own gradient; lanes are summed in
// order. With an executor lanes run on its threads: the result depends on the number of lanes,
// never on the number of threads or their timing.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/layer.hpp"
#include "plait/core/parallel.hpp"
#include "plait/core/params.hpp"
#include "plait/core/scratch.hpp"
#include "plait/core/tensor.hpp"
#include "plait/kernels/packed_weights.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/losses/multi_task_loss.hpp"
#include "plait/optim/optimizer.hpp"
#include "plait/train/tiles.hpp"

namespace plait {

struct TrainerOptions {
  OptimizerOptions optimizer = {};  // parameter groups, schedule, clipping
  Index tile_rows = 128;            // rows that run through the network at a time (see Tiles)
  Index lanes = 0;                  // partial gradients at most; 0: 8 with an executor, else 1
  Executor* executor = nullptr;     // runs the lanes and must outlive the trainer; null: no threads
  bool check_finite = true;         // refuse inputs and gradients with NaN or infinity
};

// Trains `model`, which must outlive the trainer, stay where it is, and not be used by others
// during a step. Its values may be exchanged between steps for others of the same parameters. Not
// thread-safe, and not copyable: a copy would train the same model. Allocates in the first step of
// each batch size, and each size of a group, that is larger than any before, never otherwise.
template <class ModelType, class Rule>
class Trainer {
 public:
  using Scalar = typename ModelType::Scalar;

  // One head per task, in the order of the towers. Throws ConfigError when heads and towers differ,
  // tile_rows or lanes is below 1, or a hyper-parameter is out of range.
  Trainer(ModelType& model, std::vector<Head> heads, Rule rule, TrainerOptions options = {})
      : model_(&model),
        loss_(std::move(heads)),
        optimizer_(model.values().shared_table(), std::move(rule), std::move(options.optimizer)),
        packed_(model.table()),
        tile_rows_(options.tile_rows),
        executor_(options.executor),
        check_finite_(options.check_finite),
        task_losses_(static_cast<std::size_t>(loss_.num_tasks()), 0.0) {
    require_config(loss_.num_tasks() == model.num_tasks(), "Trainer", "heads",
                   text(loss_.num_tasks()), text(model.num_tasks(), ", one per task"));
    for (Index t = 0; t < model.num_tasks(); ++t) {
      const Index width = loss_.heads()[static_cast<std::size_t>(t)].width();
      require_config(width == model.towers().outputs(t), "Trainer", text("head ", t),
                     text(width, " logits"), text(model.towers().outputs(t), " as its tower"));
    }
    require_config(tile_rows_ >= 1, "Trainer", "tile_rows", text(tile_rows_), "at least 1");
    require_config(options.lanes >= 0, "Trainer", "lanes", text(options.lanes), "0 or more");
    const Index lanes = options.lanes > 0 ? options.lanes : executor_ != nullptr ? 8 : 1;
    lanes_.resize(static_cast<std::size_t>(lanes), Lane(model.values().shared_table()));
  }
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;
  Trainer(Trainer&&) = default;
  Trainer& operator=(Trainer&&) = default;

  // One step on a batch; returns the total loss before it. x [B, S, D]; labels [B, 1, T]; mask
  // [B, 1, T] and weights [B, 1, 1] may be absent (all valid, all 1). Matrices with one row per
  // sample convert. A batch without a label that counts changes nothing and returns 0. Throws
  // ShapeError or ValueError for data that does not fit, and for a gradient whose squared norm is
  // not finite (inputs may be finite and yet too large); the model and the optimizer are then as
  // they were.
  double step(View3<const Scalar> x, View3<const Scalar> labels, View3<const Scalar> mask = {},
              View3<const Scalar> weights = {}) {
    return step(x, Targets<Scalar>{labels, mask, weights});
  }
  // The same with all that targets may have: sample spaces, groups.
  double step(View3<const Scalar> x, const Targets<Scalar>& targets) {
    const double loss = compute_gradient(x, targets);
    if (has_gradient()) apply(gradient());
    return loss;
  }

  // The first half of a step: total loss and gradient() at the model's values, which stay as they
  // are.
  double compute_gradient(View3<const Scalar> x, const Targets<Scalar>& targets) {
    check(x, targets);
    loss_.normaliser(targets, normaliser_);
    if (loss_.needs_groups()) {
      tiles_.cut(targets.groups, tile_rows_);
    } else {
      tiles_.cut(x.batch(), tile_rows_);
    }
    const Index tiles = tiles_.count();
    const Index lanes = std::clamp(tiles / tiles_per_lane, Index{1}, std::ssize(lanes_));
    packed_.pack(model_->values(), executor_);
    const auto theta = packed_.view(model_->values());
    const auto run_lane = [&](Index i) {
      lanes_[static_cast<std::size_t>(i)].run(model_->network(), theta, loss_, x, targets,
                                              normaliser_, tiles_, tiles * i / lanes,
                                              tiles * (i + 1) / lanes);
    };
    run_tasks(executor_, lanes, run_lane);
    sum_lanes(lanes);
    return loss_.total(task_losses_);
  }
  // True when the last batch had a label that counts; without one there is nothing to apply.
  bool has_gradient() const {
    return std::any_of(normaliser_.begin(), normaliser_.end(), [](double r) { return r > 0; });
  }

  // The second half: moves the model's values by a gradient, that of the last batch or one made of
  // those of several (see gradient_mean.hpp). Throws ValueError when its squared norm is not
  // finite, ShapeError when it is of other parameters; the model and the optimizer are then as they
  // were.
  void apply(const ParamBuffer<Scalar>& gradient) {
    const auto grad = gradient.flat();
    if (check_finite_ &&
        !std::isfinite(VectorMap<const Scalar>(grad.data(), std::ssize(grad)).squaredNorm()))
      throw ValueError("Trainer", "gradient", "NaN or infinity", "finite numbers");
    optimizer_.step(model_->values(), gradient, executor_);
  }

  // Of the last step: the gradient of the total loss, and each task's own loss.
  const ParamBuffer<Scalar>& gradient() const { return lanes_.front().gradient; }
  std::span<const double> task_losses() const { return task_losses_; }

  const MultiTaskLoss<Scalar>& loss() const { return loss_; }
  Optimizer<Scalar, Rule>& optimizer() { return optimizer_; }
  const Optimizer<Scalar, Rule>& optimizer() const { return optimizer_; }

 private:
  // A lane that runs fewer tiles is not worth its gradient's way through memory.
  static constexpr Index tiles_per_lane = 4;

  // What one thread needs to run tiles.
  struct Lane {
    ParamBuffer<Scalar> gradient;
    typename ModelType::Network::Workspace workspace;
    Scratch scratch;
    Tensor<Scalar> logits;   // [tile, 1, C]
    Tensor<Scalar> dlogits;  // [tile, 1, C]
    std::vector<double> task_losses;

    explicit Lane(std::shared_ptr<const ParamTable> table) : gradient(std::move(table)) {}

    void run(const typename ModelType::Network& network, ParamView<const Scalar> theta,
             const MultiTaskLoss<Scalar>& loss, View3<const Scalar> x,
             const Targets<Scalar>& targets, std::span<const double> normaliser, const Tiles& tiles,
             Index first_tile, Index last_tile) {
      gradient.set_zero();
      task_losses.assign(normaliser.size(), 0.0);
      for (Index tile = first_tile; tile < last_tile; ++tile) {
        const Index first = tiles.first(tile);
        const Index rows = tiles.rows(tile);
        const View3<const Scalar> input = x.rows(first, rows);
        logits.resize(rows, 1, loss.width());
        dlogits.resize(rows, 1, loss.width());
        network.forward(theta, input, logits, workspace, scratch);
        loss.evaluate(logits, targets.rows(first, rows), normaliser, dlogits, task_losses);
        network.backward(theta, input, logits, dlogits, {}, workspace, gradient, scratch);
      }
    }
  };

  void check(View3<const Scalar> x, const Targets<Scalar>& targets) const {
    require_schema("Trainer", "model", model_->values().shared_table(), gradient().shared_table());
    const Shape expected = model_->in_shape();
    if (x.shape() != expected)
      throw ShapeError("Trainer", "x", text("[", x.batch(), ", ", x.slots(), ", ", x.dim(), "]"),
                       text("[batch, ", expected.slots, ", ", expected.dim, "]"));
    loss_.check(targets, x.batch());
    if (!check_finite_) return;
    for (Index s = 0; s < x.slots(); ++s)
      if (!all_finite(x.slot(s)))
        throw ValueError("Trainer", "x", text("NaN or infinity in slot ", s), "finite numbers");
  }

  // Adds the lanes' gradients to the first, number by number in the order of the lanes, in pieces
  // that run at the same time.
  void sum_lanes(Index lanes) {
    if (lanes > 1) {
      const auto size = static_cast<Index>(lanes_.front().gradient.flat().size());
      run_tasks(executor_, lanes, [&](Index piece) {
        const Index first = size * piece / lanes;
        const Index count = size * (piece + 1) / lanes - first;
        VectorMap<Scalar> total(lanes_.front().gradient.flat().data() + first, count);
        for (Index i = 1; i < lanes; ++i) {
          const auto& lane = lanes_[static_cast<std::size_t>(i)];
          total += VectorMap<const Scalar>(lane.gradient.flat().data() + first, count);
        }
      });
    }
    std::fill(task_losses_.begin(), task_losses_.end(), 0.0);
    for (Index i = 0; i < lanes; ++i)
      for (std::size_t t = 0; t < task_losses_.size(); ++t)
        task_losses_[t] += lanes_[static_cast<std::size_t>(i)].task_losses[t];
  }

  ModelType* model_;
  MultiTaskLoss<Scalar> loss_;
  Optimizer<Scalar, Rule> optimizer_;
  PackedWeights<Scalar> packed_;  // the model's values, as of the last gradient
  Index tile_rows_;
  Executor* executor_;
  bool check_finite_;
  Tiles tiles_;
  std::vector<Lane> lanes_;
  std::vector<double> normaliser_;
  std::vector<double> task_losses_;
};

}  // namespace plait
