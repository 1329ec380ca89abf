// A training step of AdaTT whose tasks' gradients are balanced, beside the plain one.
//
//   balancing/<tasks>/<batch>/plain      forward, loss, backward and Adam
//   balancing/<tasks>/<batch>/PCGrad     the same with the tasks' gradients one by one
//   balancing/<tasks>/<batch>/UPGrad     by another method
//   balancing/<tasks>/<batch>/MGDA       and another
//   balancing/<tasks>/<batch>/UPGrad-UB  UPGrad at the representation, in one backward pass
//   balancing/<tasks>/<batch>/MGDA-UB    and MGDA
//   balancing/<tasks>/<batch>/torch      PCGrad in LibTorch, a backward per task through one graph
//
// The reference AdaTT with two experts per task and three shared ones. The floor is the FMA peak
// and the work that of a plain step: what a method costs is its time by plain's.
#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plait/architectures/adatt.hpp"
#include "plait/methods/gradient_balancer.hpp"
#include "plait/methods/mgda.hpp"
#include "plait/methods/pcgrad.hpp"
#include "plait/methods/upgrad.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/adam.hpp"
#include "plait/train/trainer.hpp"
#include "support/agree.hpp"
#include "support/contest.hpp"
#include "support/data.hpp"
#include "support/program.hpp"
#include "support/torch_balancing.hpp"
#include "support/work.hpp"

namespace {

using namespace bench;
using Model = plait::Model<float>;

Model make_model(Index tasks) {
  return Model(plait::AdaTT{.input_dim = sizes::input,
                            .num_tasks = tasks,
                            .levels = {{sizes::first}, {sizes::second}},
                            .task_experts = {sizes::own_experts},
                            .shared_experts = sizes::shared_experts},
               {.hidden = {{sizes::tower}}}, /*seed=*/1);
}

Work work_of(Index tasks) {
  const Index experts = tasks * sizes::own_experts + sizes::shared_experts;
  return Work()
      .experts(experts, sizes::input, {sizes::first}, Reads::input)
      .gates((tasks + 1) * experts, sizes::input, sizes::first, Reads::input)
      .experts(experts, sizes::first, {sizes::second}, Reads::state)
      .gates(tasks * experts, sizes::first, sizes::second, Reads::state)
      .experts(tasks, sizes::second, {sizes::tower, 1}, Reads::state);
}

struct Batch {
  Batch(Index rows, Index tasks)
      : x(random_matrix(rows, sizes::input)),
        labels((random_matrix(rows, tasks, 2).array() > 0.0f).cast<float>()) {}
  plait::Targets<float> targets() const { return {labels}; }
  const plait::Matrix<float> x;
  const plait::Matrix<float> labels;
};

struct Training {
  explicit Training(Index tasks) : model(make_model(tasks)) {}
  Model model;
  plait::Trainer<float> trainer{
      model, std::vector<plait::Head>(static_cast<std::size_t>(model.num_tasks())), plait::Adam{}};
};

template <class Method, plait::BalanceAt at = plait::BalanceAt::parameters>
struct Balanced : Training {
  explicit Balanced(Index tasks) : Training(tasks) {}
  double step(const Batch& batch) { return trainer.step(batch.x, batch.targets(), balancer, at); }
  plait::GradientBalancer<float> balancer{Method{}, model.num_tasks(),
                                          model.values().shared_table(), trainer.shared()};
};

template <class Method, plait::BalanceAt at = plait::BalanceAt::parameters>
std::shared_ptr<Balanced<Method, at>> add_method(const std::shared_ptr<Batch>& batch, Cell& cell) {
  const auto training = std::make_shared<Balanced<Method, at>>(batch->labels.cols());
  cell.calls.push_back([batch, training] { training->step(*batch); });
  return training;
}

// The tensors that are shared at least in part: what LibTorch's users flatten. Of the native-expert
// weights the last level's row is private.
std::vector<plait::ParamRange> shared_tensors(const std::vector<plait::ParamRange>& shared,
                                              const plait::ParamTable& table) {
  std::vector<plait::ParamRange> result;
  for (const auto& entry : table.entries()) {
    const plait::ParamRange tensor{entry.id.offset, entry.id.size()};
    if (std::ranges::any_of(shared, [&](const plait::ParamRange& range) {
          return range.offset < tensor.end() && tensor.offset < range.end();
        }))
      result.push_back(tensor);
  }
  return result;
}

Cell balance(Index tasks, Index rows) {
  const auto batch = std::make_shared<Batch>(rows, tasks);
  const auto plain = std::make_shared<Training>(tasks);
  const Work work = work_of(tasks);
  work.check(plain->model.table());
  const auto parameters = static_cast<double>(plain->model.table().num_parameters());
  Cell cell;
  cell.demand = {.flops = 2 * work.training() * static_cast<double>(rows),
                 .bytes = 7 * sizeof(float) * parameters,
                 .working_set = 4 * sizeof(float) * parameters};
  cell.calls.push_back([batch, plain] { plain->trainer.step(batch->x, batch->targets()); });
  const auto pcgrad = add_method<plait::PCGrad>(batch, cell);
  add_method<plait::UPGrad>(batch, cell);
  add_method<plait::MGDA>(batch, cell);
  add_method<plait::UPGrad, plait::BalanceAt::representation>(batch, cell);
  add_method<plait::MGDA, plait::BalanceAt::representation>(batch, cell);
  if constexpr (has_torch) {
    const auto shared = shared_tensors(pcgrad->trainer.shared(), pcgrad->model.table());
    const auto theirs =
        std::make_shared<TorchBalancer>(pcgrad->model.values(), shared, batch->x, batch->labels);
    // The loss compares the forward passes, the Gramian the tasks' gradients; the order of the
    // projections is random in both.
    require_agreement("loss", pcgrad->step(*batch), theirs->step(), 1e-4);
    const std::span<const plait::ParamBuffer<float>> ours = pcgrad->trainer.task_gradients();
    Eigen::MatrixXd gramian;
    plait::Scratch scratch;
    plait::detail::gramian_of<float>(ours, shared, gramian, scratch);
    require_agreement("Gramian", gramian.cast<float>(), theirs->gramian(), 1e-4);
    cell.calls.push_back([batch, theirs] { theirs->step(); });
  }
  return cell;
}

void add_contests() {
  stay_on_one_core();
  std::vector<std::string> contestants = {"plain", "PCGrad",    "UPGrad",
                                          "MGDA",  "UPGrad-UB", "MGDA-UB"};
  if constexpr (has_torch) {
    benchmark::AddCustomContext("torch", prepare_torch(measure_peak<float>()));
    contestants.push_back("torch");
  }
  for (const Index tasks : {3, 5})
    for (const Index rows : {256, 1024})
      add_contest("balancing/" + std::to_string(tasks) + "/" + std::to_string(rows), contestants,
                  [tasks, rows] { return balance(tasks, rows); });
}

}  // namespace

int main(int argc, char** argv) { return bench::run(argc, argv, add_contests); }
