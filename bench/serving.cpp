// Scoring the reference models: microseconds per batch, and their share of the floors.
//
//   serving/<architecture>/<batch>/plait     the library
//   serving/<architecture>/<batch>/eager     LibTorch's module in inference mode
//   serving/<architecture>/<batch>/frozen    the same traced to TorchScript, frozen, optimised
//
// The floor of a large batch is the FMA peak; that of batch 1 the bandwidth at which the weights
// can be read, so bytes are those of the weights.
#include <memory>
#include <string>
#include <vector>

#include "support/agree.hpp"
#include "support/contest.hpp"
#include "support/data.hpp"
#include "support/models.hpp"
#include "support/program.hpp"
#include "support/scoring.hpp"
#include "support/torch_models.hpp"

namespace {

using namespace bench;

template <class Model>
struct Service {
  Service(Model m, Index batch)
      : model(std::move(m)), x(random_matrix(batch, sizes::input)), logits(batch, sizes::tasks) {}
  void score() { scoring.score(x, logits); }

  const Model model;
  Scoring<Model> scoring{model};
  const plait::Matrix<float> x;
  plait::Matrix<float> logits;
};

template <class Trunk>
Cell serve(const Reference<Trunk>& reference, Index batch) {
  const auto service = std::make_shared<Service<plait::Model<Trunk>>>(reference.model(), batch);
  const double weight_bytes =
      sizeof(float) * static_cast<double>(service->model.table().num_parameters());
  Cell cell;
  cell.demand = {.flops = 2 * reference.work.inference() * static_cast<double>(batch),
                 .bytes = weight_bytes,
                 .working_set = weight_bytes};
  cell.calls.push_back([service] { service->score(); });
  if constexpr (has_torch) {
    service->score();
    for (const auto mode : {TorchScorer::Mode::eager, TorchScorer::Mode::frozen}) {
      TorchScorer peer(reference.architecture, service->model.values(), mode, service->x);
      for (int i = 0; i < 3; ++i) peer.score();  // TorchScript changes its program in the first two
      require_agreement(std::string(name_of(reference.architecture)) + " by plait and LibTorch",
                        service->logits, peer.logits(), 1e-4);
      cell.calls.push_back([service, peer]() mutable { peer.score(); });
    }
  }
  return cell;
}

void add_contests() {
  stay_on_one_core();
  std::vector<std::string> contestants = {"plait"};
  if constexpr (has_torch) {
    prepare_torch(measure_peak<float>());
    contestants.insert(contestants.end(), {"eager", "frozen"});
  }
  for_each_reference([&](const auto& reference) {
    for (const Index batch : {1, 4, 16, 64, 256, 1024, 4096})
      add_contest(
          std::string("serving/") + name_of(reference.architecture) + "/" + std::to_string(batch),
          contestants, [reference, batch] { return serve(reference, batch); });
  });
}

}  // namespace

int main(int argc, char** argv) { return bench::run(argc, argv, add_contests); }
