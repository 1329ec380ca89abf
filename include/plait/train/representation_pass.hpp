// RepresentationPass: one lane's gradient, balanced at the representation, in two passes over its
// tiles.
//
//   upper   forward, losses and the towers' backward: the towers' gradients, each its own task's,
//           every task's gradient dL_t/dy at the trunk's output, and the Gramian of what these are
//           at the representation (representation.hpp)
//   lower   the trunk's backward, once, of Σ_t α_t dL_t/dy
//
// α comes from the Gramian of the whole batch, so between them lie all tiles. The activations of a
// lane's first `kept_rows` rows are kept for the second pass; those of the rows beyond, which would
// grow with the batch, are computed again.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "plait/core/eigen.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/core/scratch.hpp"
#include "plait/core/tensor.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/layers/sequential.hpp"
#include "plait/train/lane_work.hpp"
#include "plait/train/representation.hpp"
#include "plait/train/tiles.hpp"

namespace plait {

// What the first pass leaves of a tile for the second.
template <class Scalar>
struct KeptTile {
  typename Sequential<Scalar>::Workspace workspace;
  std::vector<Tensor<Scalar>> dy;  // planes [B, T, H] of Representation
};

// Allocates for tiles that are larger than any before, or than any before in their KeptTile.
template <class Scalar>
class RepresentationPass {
 public:
  using Work = LaneWork<Scalar>;

  // 80 MB a lane where a row has ten thousand activations.
  static constexpr Index kept_rows = 2048;
  // How many of the tiles from `first` to `last` are kept.
  static Index num_kept(const Tiles& tiles, Index first, Index last) {
    Index count = 0;
    for (Index rows = 0; first + count < last; ++count) {
      rows += tiles.rows(first + count);
      if (rows > kept_rows) break;
    }
    return count;
  }

  // `table` is that of the gradients.
  explicit RepresentationPass(std::shared_ptr<const ParamTable> table) : table_(std::move(table)) {}

  // Begins with the next batch; `kept` has room for as many of the first tiles as are kept.
  void begin(const Work& work, std::span<KeptTile<Scalar>> kept) {
    tiles_ = kept;
    const Index tasks = std::ssize(work.normaliser);
    gramian_.setZero(tasks, tasks);
    present_.resize(tasks);
    for (Index t = 0; t < tasks; ++t)
      present_[t] = work.normaliser[static_cast<std::size_t>(t)] > 0;
    upper_ = lower_ = 0;
  }

  // The next tile, with its rows x. Its losses are added to task_losses, and the towers' gradients
  // go to grad.
  void add_upper(const Work& work, const Representation<Scalar>& representation, Index tile,
                 View3<const Scalar> x, GradView<Scalar> grad, std::span<double> task_losses,
                 Scratch& scratch) {
    KeptTile<Scalar>& recorded = upper_ < tiles_.size() ? tiles_[upper_++] : spare_;
    run(work, representation, tile, x, recorded, grad, task_losses, scratch);
    planes_.clear();
    for (const Tensor<Scalar>& plane : recorded.dy) planes_.push_back(plane.slot_major());
    representation.add_products(work.network.layer(0), work.theta, recorded.workspace.layers[0],
                                planes_, present(), gramian_, scratch);
  }
  // Of all tiles so far.
  const Eigen::MatrixXd& gramian() const { return gramian_; }

  // The same tiles again in the same order, now with α [T]. The trunk's gradient goes to grad, that
  // of x to dx, which may be empty.
  void add_lower(const Work& work, const Representation<Scalar>& representation, Index tile,
                 View3<const Scalar> x, std::span<const double> alpha, View3<Scalar> dx,
                 GradView<Scalar> grad, Scratch& scratch) {
    const bool is_kept = lower_ < tiles_.size();
    KeptTile<Scalar>& recorded = is_kept ? tiles_[lower_++] : spare_;
    if (!is_kept) run_again(work, representation, tile, x, scratch);
    const Scratch::Frame frame(scratch);
    const auto& workspace = std::as_const(recorded.workspace);
    const View3<const Scalar> y = workspace.states[0].slot_major();
    const auto dy = scratch.take_slot_major<Scalar>(y.batch(), y.slots(), y.dim());
    kernels::set_zero(dy);
    for (Index t = 0; t < representation.num_tasks(); ++t) {
      if (!present_[t]) continue;
      const auto& plane = recorded.dy[static_cast<std::size_t>(representation.plane_of(t))];
      const auto weight = static_cast<Scalar>(alpha[static_cast<std::size_t>(t)]);
      for (Index s = 0; s < dy.slots(); ++s)
        if (representation.slots_of(t)[static_cast<std::size_t>(s)])
          kernels::add_scaled<Scalar>(weight, std::as_const(plane).slot_major().slot(s),
                                      dy.slot(s));
    }
    work.network.layer(0).backward(work.theta, x, y, dy, dx, workspace.layers[0], grad, scratch);
  }

 private:
  // Where the towers' gradients and the losses of tiles that are run again go, known already.
  struct Unused {
    ParamBuffer<Scalar> gradient;
    std::vector<std::uint8_t> unclaimed;
    std::vector<double> losses;
  };

  Flags present() const { return {present_.data(), static_cast<std::size_t>(present_.size())}; }

  void run(const Work& work, const Representation<Scalar>& representation, Index tile,
           View3<const Scalar> x, KeptTile<Scalar>& recorded, GradView<Scalar> grad,
           std::span<double> task_losses, Scratch& scratch) {
    logits_.resize(x.batch(), 1, work.loss.width());
    dlogits_.resize(x.batch(), 1, work.loss.width());
    auto& workspace = recorded.workspace;
    work.network.forward(work.theta, x, logits_, &workspace, scratch, work.options_of(tile));
    const View3<const Scalar> y = std::as_const(workspace.states[0]).slot_major();
    recorded.dy.resize(static_cast<std::size_t>(representation.planes()));
    for (Tensor<Scalar>& plane : recorded.dy) plane.resize(y.batch(), y.slots(), y.dim());
    for (Index t = 0; t < representation.num_tasks(); ++t) {
      if (!present_[t]) continue;
      work.loss.evaluate_task(t, logits_, work.targets_of(tile), work.normaliser, dlogits_,
                              task_losses);
      work.network.layer(1).backward(
          work.theta, y, logits_, dlogits_,
          recorded.dy[static_cast<std::size_t>(representation.plane_of(t))].slot_major(),
          workspace.layers[1], grad, scratch, representation.outputs_of(t));
    }
  }

  void run_again(const Work& work, const Representation<Scalar>& representation, Index tile,
                 View3<const Scalar> x, Scratch& scratch) {
    if (!unused_) unused_.emplace(Unused{ParamBuffer<Scalar>(table_), {}, {}});
    unused_->unclaimed.assign(table_->entries().size(), 1);
    unused_->losses.resize(work.normaliser.size());
    run(work, representation, tile, x, spare_,
        GradView<Scalar>::from_anything(unused_->gradient.flat().data(), unused_->unclaimed.data()),
        unused_->losses, scratch);
  }

  std::shared_ptr<const ParamTable> table_;
  std::span<KeptTile<Scalar>> tiles_;
  KeptTile<Scalar> spare_;  // of a tile that is not kept
  std::size_t upper_ = 0;   // kept tiles that each pass has come to
  std::size_t lower_ = 0;
  Vector<bool> present_;  // [T]: the task has a label that counts
  Eigen::MatrixXd gramian_;
  std::vector<View3<const Scalar>> planes_;
  Tensor<Scalar> logits_;
  Tensor<Scalar> dlogits_;
  std::optional<Unused> unused_;
};

}  // namespace plait
