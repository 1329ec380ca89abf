// Threads: a training step and a batch scored on one thread and on two, in wall-clock time.
//
//   scaling/<work>/<architecture>/<batch>/<threads>
//
// Training runs the same eight lanes on any number of threads, with the same result bit for bit,
// which is verified. Scoring gives every thread a context of its own and an equal share of the
// rows. Needs as many free cores as threads; the shares of the peak are of one core's.
#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "plait/core/parallel.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/adam.hpp"
#include "plait/serve/scorer.hpp"
#include "plait/train/trainer.hpp"
#include "support/contest.hpp"
#include "support/data.hpp"
#include "support/models.hpp"
#include "support/program.hpp"

namespace {

using namespace bench;

constexpr Index thread_counts[] = {1, 2};

struct Training {
  Training(plait::Model<float> m, Index threads) : model(std::move(m)), pool(threads) {}

  plait::Model<float> model;
  plait::ThreadPool pool;
  plait::Trainer<float> trainer{model,
                                std::vector<plait::Head>(static_cast<std::size_t>(sizes::tasks)),
                                plait::Adam{}, plait::TrainerOptions{.executor = &pool}};
};

Cell train(const Reference& reference, Index rows) {
  const auto x = std::make_shared<plait::Matrix<float>>(random_matrix(rows, sizes::input));
  const auto labels = std::make_shared<plait::Matrix<float>>(random_labels(rows));
  Cell cell;
  cell.demand.flops = 2 * reference.work.training() * static_cast<double>(rows);
  std::shared_ptr<Training> first;
  for (const Index threads : thread_counts) {
    const auto training = std::make_shared<Training>(reference.model(), threads);
    for (int step = 0; step < 3; ++step) training->trainer.step(*x, *labels);
    if (!first) first = training;
    if (!std::ranges::equal(training->model.values().flat(), first->model.values().flat()))
      throw std::runtime_error("the result depends on the number of threads");
    cell.calls.push_back([x, labels, training] { training->trainer.step(*x, *labels); });
  }
  return cell;
}

struct Service {
  Service(plait::Model<float> model, Index batch, Index threads)
      : scorer(std::move(model)),
        pool(threads),
        x(random_matrix(batch, sizes::input)),
        logits(batch, sizes::tasks) {
    for (Index i = 0; i < threads; ++i) contexts.push_back(scorer.context());
  }
  void score() {
    const Index threads = pool.size();
    pool.run(threads, [&](Index i) {
      const Index first = x.rows() * i / threads;
      const Index rows = x.rows() * (i + 1) / threads - first;
      contexts[static_cast<std::size_t>(i)].score(x.middleRows(first, rows),
                                                  logits.middleRows(first, rows));
    });
  }

  const plait::Scorer<float> scorer;
  plait::ThreadPool pool;
  std::vector<plait::ScoringContext<float>> contexts;
  const plait::Matrix<float> x;
  plait::Matrix<float> logits;
};

Cell serve(const Reference& reference, Index batch) {
  Cell cell;
  cell.demand.flops = 2 * reference.work.inference() * static_cast<double>(batch);
  for (const Index threads : thread_counts) {
    const auto service = std::make_shared<Service>(reference.model(), batch, threads);
    cell.calls.push_back([service] { service->score(); });
  }
  return cell;
}

void add_contests() {
  settings().wall_clock = true;
  std::vector<std::string> contestants;
  for (const Index threads : thread_counts) contestants.push_back(std::to_string(threads));
  for (const Reference& reference : all_references()) {
    for (const Index batch : {1024, 4096}) {
      const std::string cell =
          std::string("/") + name_of(reference.architecture) + "/" + std::to_string(batch);
      add_contest("scaling/training" + cell, contestants,
                  [reference, batch] { return train(reference, batch); });
      add_contest("scaling/serving" + cell, contestants,
                  [reference, batch] { return serve(reference, batch); });
    }
  }
}

}  // namespace

int main(int argc, char** argv) { return bench::run(argc, argv, add_contests); }
