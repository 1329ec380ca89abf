// Gate softmax and mixing, y_t = Σ_e softmax(a_t)_e E_e, forward and with its backward; and
// cross-stitch, y_t = Σ_e S_te E_e. Bytes are those that each pass must read and write once.
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "kernels/contests.hpp"
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

// Matrices [B, ...] seen as [B, slots, dim].
plait::View3<const float> slots(const Matrix& matrix, Index count) {
  return {matrix.data(), matrix.rows(), count, matrix.cols() / count};
}
plait::View3<float> slots(Matrix& matrix, Index count) {
  return {matrix.data(), matrix.rows(), count, matrix.cols() / count};
}

// What plait computes; the gates' logits lie side by side.
struct Mixing {
  Mixing(Shape s, Index batch)
      : shape(s),
        logits(random_matrix(batch, s.tasks * s.experts, 1)),
        experts(random_matrix(batch, s.experts * s.width, 2)),
        dy(random_matrix(batch, s.tasks * s.width, 3)),
        selection(static_cast<std::size_t>(s.experts)),
        weights(logits),
        y(dy),
        dlogits(logits),
        dexperts(experts) {
    std::iota(selection.begin(), selection.end(), Index{0});
  }

  void forward() {
    weights = logits;
    plait::softmax<float>(1, slots(weights, shape.tasks));
    for (Index t = 0; t < shape.tasks; ++t)
      plait::mix<float>(slots(experts, shape.experts), selection, gate(weights, t), {},
                        slots(y, shape.tasks).slot(t));
  }
  void backward() {
    dexperts.setZero();
    for (Index t = 0; t < shape.tasks; ++t)
      plait::mix_backward<float>(slots(experts, shape.experts), selection, gate(weights, t), {},
                                 slots(dy, shape.tasks).slot(t), slots(dexperts, shape.experts),
                                 gate(dlogits, t), nullptr);
    plait::softmax_backward<float>(1, slots(weights, shape.tasks), slots(dlogits, shape.tasks),
                                   slots(dlogits, shape.tasks));
  }

  // One task's columns of all gates.
  plait::View3<float> gate(Matrix& all, Index task) const {
    return plait::View3<float>(all).columns(task * shape.experts, shape.experts);
  }

  Shape shape;
  const Matrix logits, experts, dy;
  std::vector<Index> selection;
  Matrix weights, y, dlogits, dexperts;
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
  cell.calls.push_back([ours] { ours->forward(); });
  if constexpr (has_torch) {
    const TorchCall theirs = torch_mixing(ours->logits, ours->experts, shape.tasks);
    ours->forward();
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
      bytes({&ours->weights, &ours->experts, &ours->dy, &ours->dlogits, &ours->dexperts});
  Cell cell;
  cell.demand = {
      .flops = 6 * static_cast<double>(batch * shape.tasks * shape.experts * shape.width),
      .bytes = moved,
      .working_set = moved};
  cell.calls.push_back([ours] {
    ours->forward();
    ours->backward();
  });
  if constexpr (has_torch) {
    const TorchCall theirs = torch_mixing_both(ours->logits, ours->experts, ours->dy, shape.tasks);
    cell.calls.front()();
    theirs.call();
    require_agreement("mixing", ours->y, theirs.result(0), 1e-5);
    require_agreement("mixing, gradient of the logits", ours->dlogits, theirs.result(1), 1e-5);
    require_agreement("mixing, gradient of the experts", ours->dexperts, theirs.result(2), 1e-5);
    cell.calls.push_back([ours, theirs] { theirs.call(); });
  }
  return cell;
}

struct Stitch {
  Stitch(Index t, Index width, Index batch)
      : tasks(t),
        weights(random_matrix(tasks, tasks, 1)),
        experts(random_matrix(batch, tasks * width, 2)),
        selection(static_cast<std::size_t>(tasks)),
        y(experts) {
    std::iota(selection.begin(), selection.end(), Index{0});
  }
  void forward() {
    for (Index t = 0; t < tasks; ++t)
      plait::mix<float>(slots(experts, tasks), selection, {}, {0, tasks, weights.row(t).data()},
                        slots(y, tasks).slot(t));
  }

  Index tasks;
  const Matrix weights, experts;
  std::vector<Index> selection;
  Matrix y;
};

Cell stitch(Index tasks, Index width, Index batch) {
  const auto ours = std::make_shared<Stitch>(tasks, width, batch);
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
