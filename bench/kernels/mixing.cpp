// Gate softmax and mixing, y_t = Σ_e softmax(a_t)_e E_e, forward and with its backward; and
// cross-stitch, y_t = Σ_e S_te E_e. Bytes are those that each pass must read and write once.
#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "kernels/contests.hpp"
#include "plait/core/tensor.hpp"
#include "plait/kernels/mix.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/kernels/softmax.hpp"
#include "support/agree.hpp"
#include "support/contest.hpp"
#include "support/data.hpp"
#include "support/torch_kernels.hpp"
#include "support/torch_models.hpp"

namespace bench {

namespace {

using Matrix = plait::Matrix<float>;

struct Shape {
  Index tasks, experts, width;
};

// Every unit selects all experts.
plait::Selections select_all(Shape shape) {
  std::vector<Index> all(static_cast<std::size_t>(shape.experts));
  std::iota(all.begin(), all.end(), Index{0});
  return {std::vector<std::vector<Index>>(static_cast<std::size_t>(shape.tasks), all),
          shape.experts};
}

// Matrices [B, slots dim] seen as [B, slots, dim].
plait::View3<const float> slots(const Matrix& matrix, Index count) {
  return {matrix.data(), matrix.rows(), count, matrix.cols() / count};
}
plait::View3<float> slots(Matrix& matrix, Index count) {
  return {matrix.data(), matrix.rows(), count, matrix.cols() / count};
}

// [B, slots, dim] laid out slot by slot, as levels keep the outputs of experts.
plait::Tensor<float> slot_major(const Matrix& matrix, Index count) {
  plait::Tensor<float> result(matrix.rows(), count, matrix.cols() / count);
  plait::kernels::copy<float>(slots(matrix, count), result.slot_major());
  return result;
}
Matrix sample_major(plait::View3<const float> view) {
  Matrix result(view.batch(), view.slots() * view.dim());
  plait::kernels::copy<float>(view, slots(result, view.slots()));
  return result;
}

// What plait computes: the gates' logits lie side by side.
struct Mixing {
  Mixing(Shape s, Index batch)
      : shape(s),
        selections(select_all(s)),
        logits(random_matrix(batch, s.tasks * s.experts, 1)),
        experts(random_matrix(batch, s.experts * s.width, 2)),
        dy(random_matrix(batch, s.tasks * s.width, 3)),
        outputs(slot_major(experts, s.experts)),
        doutputs(outputs),
        weights(logits),
        dlogits(logits),
        y(dy) {}

  // Tile by tile, as the library runs everything: forward alone when scoring, and the backward of a
  // tile after its forward when training.
  template <bool Backward>
  void run() {
    constexpr Index tile = 64;
    for (Index first = 0; first < logits.rows(); first += tile) {
      const Index count = std::min(tile, logits.rows() - first);
      forward(first, count);
      if constexpr (Backward) backward(first, count);
    }
  }
  void forward(Index first, Index count) {
    weights.middleRows(first, count) = logits.middleRows(first, count);
    plait::kernels::softmax<float>(1, slots(weights, shape.tasks).rows(first, count));
    plait::kernels::mix<float>(outputs.slot_major().rows(first, count), selections,
                               plait::View3<const float>(weights).rows(first, count),
                               slots(y, shape.tasks).rows(first, count));
  }
  void backward(Index first, Index count) {
    const auto experts_of_tile = std::as_const(outputs).slot_major().rows(first, count);
    const auto dexperts = doutputs.slot_major().rows(first, count);
    const auto tile_weights = slots(std::as_const(weights), shape.tasks).rows(first, count);
    const auto tile_dlogits = slots(dlogits, shape.tasks).rows(first, count);
    for (Index e = 0; e < shape.experts; e += plait::kernels::experts_together) {
      const Index some = std::min(plait::kernels::experts_together, shape.experts - e);
      plait::kernels::mix_backward<float>(experts_of_tile.slot_range(e, some), selections, e,
                                          plait::View3<const float>(weights).rows(first, count),
                                          slots(dy, shape.tasks).rows(first, count),
                                          dexperts.slot_range(e, some),
                                          plait::View3<float>(dlogits).rows(first, count));
    }
    plait::kernels::softmax_backward<float>(1, tile_weights, tile_dlogits, tile_dlogits);
  }

  Shape shape;
  plait::Selections selections;
  const Matrix logits, experts, dy;
  plait::Tensor<float> outputs, doutputs;  // [B, E, D]: experts, and their gradient
  Matrix weights, dlogits, y;
};

double bytes(std::initializer_list<const Matrix*> matrices) {
  double result = 0;
  for (const Matrix* matrix : matrices)
    result += sizeof(float) * static_cast<double>(matrix->size());
  return result;
}

Cell mix_forward(Shape shape, Index batch) {
  const auto ours = std::make_shared<Mixing>(shape, batch);
  const double moved = bytes({&ours->logits, &ours->experts, &ours->y});
  Cell cell;
  cell.demand = {
      .flops = 2 * static_cast<double>(batch * shape.tasks * shape.experts * shape.width),
      .bytes = moved,
      .working_set = moved};
  cell.calls.push_back([ours] { ours->run<false>(); });
  if constexpr (has_torch) {
    const TorchCall theirs = torch_mixing(ours->logits, ours->experts, shape.tasks);
    ours->run<false>();
    theirs.call();
    require_agreement("mixing", ours->y, theirs.result(0), 1e-5);
    cell.calls.push_back([ours, theirs] { theirs.call(); });
  }
  return cell;
}

Cell mix_both(Shape shape, Index batch) {
  const auto ours = std::make_shared<Mixing>(shape, batch);
  const double moved =
      bytes({&ours->logits, &ours->experts, &ours->y}) +
      bytes({&ours->weights, &ours->experts, &ours->dy, &ours->dlogits, &ours->experts});
  Cell cell;
  cell.demand = {
      .flops = 6 * static_cast<double>(batch * shape.tasks * shape.experts * shape.width),
      .bytes = moved,
      .working_set = moved};
  cell.calls.push_back([ours] { ours->run<true>(); });
  if constexpr (has_torch) {
    const TorchCall theirs = torch_mixing_both(ours->logits, ours->experts, ours->dy, shape.tasks);
    cell.calls.front()();
    theirs.call();
    require_agreement("mixing", ours->y, theirs.result(0), 1e-5);
    require_agreement("mixing, gradient of the logits", ours->dlogits, theirs.result(1), 1e-5);
    require_agreement("mixing, gradient of the experts", sample_major(ours->doutputs.slot_major()),
                      theirs.result(2), 1e-5);
    cell.calls.push_back([ours, theirs] { theirs.call(); });
  }
  return cell;
}

struct Stitch {
  Stitch(Shape s, Index batch)
      : selections(select_all(s)),
        weights(random_matrix(s.tasks, s.experts, 1)),
        experts(random_matrix(batch, s.experts * s.width, 2)),
        outputs(slot_major(experts, s.experts)),
        y(experts) {}
  void forward() {
    // The same weights for every row.
    const plait::View3<const float> of_rows(weights.data(), y.rows(), 1, weights.size(), 0, 0);
    plait::kernels::mix<float>(outputs.slot_major(), selections, of_rows, slots(y, weights.rows()));
  }

  plait::Selections selections;
  const Matrix weights, experts;
  plait::Tensor<float> outputs;
  Matrix y;
};

Cell stitch(Index tasks, Index width, Index batch) {
  const auto ours = std::make_shared<Stitch>(Shape{tasks, tasks, width}, batch);
  const double moved = bytes({&ours->experts, &ours->y});
  Cell cell;
  cell.demand = {.flops = 2 * static_cast<double>(batch * tasks * tasks * width),
                 .bytes = moved,
                 .working_set = moved};
  cell.calls.push_back([ours] { ours->forward(); });
  if constexpr (has_torch) {
    const TorchCall theirs = torch_stitch(ours->weights, ours->experts);
    ours->forward();
    theirs.call();
    require_agreement("stitch", ours->y, theirs.result(0), 1e-5);
    cell.calls.push_back([ours, theirs] { theirs.call(); });
  }
  return cell;
}

}  // namespace

void add_mixing_contests() {
  std::vector<std::string> contestants = {"plait"};
  if constexpr (has_torch) contestants.push_back("torch");
  constexpr Shape shapes[] = {{3, 9, 256}, {3, 9, 64}, {3, 4, 128}, {8, 24, 128}, {2, 64, 64}};
  for (const Shape shape : shapes)
    for (const Index batch : {1, 64, 256, 4096}) {
      const std::string cell = std::to_string(shape.tasks) + "x" + std::to_string(shape.experts) +
                               "x" + std::to_string(shape.width) + "/" + std::to_string(batch);
      add_contest("mixing/forward/" + cell, contestants,
                  [shape, batch] { return mix_forward(shape, batch); });
      add_contest("mixing/both/" + cell, contestants,
                  [shape, batch] { return mix_both(shape, batch); });
    }
  for (const Index tasks : {3, 8})
    for (const Index batch : {256, 4096})
      add_contest("stitch/" + std::to_string(tasks) + "x" + std::to_string(sizes::first) + "/" +
                      std::to_string(batch),
                  contestants, [=] { return stitch(tasks, sizes::first, batch); });
}

}  // namespace bench
