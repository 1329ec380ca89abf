// A training step of the reference models: forward, loss, backward and Adam.
//
//   training/<architecture>/<batch>/plait    the library
//   training/<architecture>/<batch>/torch    LibTorch's autograd and torch::optim::Adam
//
// Three binary tasks. The floor is the FMA peak; bytes are those of Adam, which reads the values,
// the gradient and two moments and writes all but the gradient.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "plait/model/model.hpp"
#include "plait/optim/adam.hpp"
#include "plait/train/trainer.hpp"
#include "support/agree.hpp"
#include "support/contest.hpp"
#include "support/data.hpp"
#include "support/models.hpp"
#include "support/program.hpp"
#include "support/torch_models.hpp"

namespace {

using namespace bench;

struct Batch {
  explicit Batch(Index rows) : x(random_matrix(rows, sizes::input)), labels(random_labels(rows)) {}
  const plait::Matrix<float> x;
  const plait::Matrix<float> labels;
};

struct PlaitTraining {
  explicit PlaitTraining(plait::Model<float> m) : model(std::move(m)) {}
  double step(const Batch& batch) { return trainer.step(batch.x, batch.labels); }

  plait::Model<float> model;
  plait::Trainer<float> trainer{
      model, std::vector<plait::Head>(static_cast<std::size_t>(sizes::tasks)), plait::Adam{}};
};

Cell train(const Reference& reference, Index rows) {
  const auto batch = std::make_shared<Batch>(rows);
  const auto ours = std::make_shared<PlaitTraining>(reference.model());
  const auto parameters = static_cast<double>(ours->model.table().num_parameters());
  Cell cell;
  cell.demand = {.flops = 2 * reference.work.training() * static_cast<double>(rows),
                 .bytes = 7 * sizeof(float) * parameters,
                 .working_set = 4 * sizeof(float) * parameters};
  cell.calls.push_back([batch, ours] { ours->step(*batch); });
  if constexpr (has_torch) {
    const auto theirs = std::make_shared<TorchTrainer>(reference.architecture, ours->model.values(),
                                                       batch->x, batch->labels);
    // The first loss compares the forward passes, the second the gradients and the updates.
    for (int step = 0; step < 2; ++step)
      require_agreement(std::string("loss of ") + name_of(reference.architecture),
                        ours->step(*batch), theirs->step(), 1e-4);
    cell.calls.push_back([batch, theirs] { theirs->step(); });
  }
  return cell;
}

void add_contests() {
  stay_on_one_core();
  std::vector<std::string> contestants = {"plait"};
  if constexpr (has_torch) {
    benchmark::AddCustomContext("torch", prepare_torch(measure_peak<float>()));
    contestants.push_back("torch");
  }
  for (const Reference& reference : all_references()) {
    for (const Index rows : {64, 256, 1024, 4096})
      add_contest(
          std::string("training/") + name_of(reference.architecture) + "/" + std::to_string(rows),
          contestants, [reference, rows] { return train(reference, rows); });
  }
}

}  // namespace

int main(int argc, char** argv) { return bench::run(argc, argv, add_contests); }
