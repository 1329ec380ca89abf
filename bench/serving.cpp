// Scoring the reference models: microseconds per batch, and their share of the floors.
//
//   serving/<architecture>/<batch>/plait     the library
//   serving/<architecture>/<batch>/eager     LibTorch's module in inference mode
//   serving/<architecture>/<batch>/frozen    the same traced to TorchScript, frozen, optimised
//
//   request/<architecture>/<batch>/plait     a request that shares half of the input's columns
//   request/<architecture>/<batch>/plain     the same, scored as rows that share nothing
//
// The floor of a large batch is the FMA peak; that of batch 1 the bandwidth at which the weights
// can be read, so bytes are those of the weights.
#include <memory>
#include <numeric>
#include <string>
#include <utility>
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

struct Service {
  Service(plait::Model<float> model, Index batch)
      : scoring(std::move(model)),
        x(random_matrix(batch, sizes::input)),
        logits(batch, sizes::tasks) {}
  void score() { scoring.score(x, logits); }

  Scoring scoring;
  const plait::Matrix<float> x;
  plait::Matrix<float> logits;
};

double weight_bytes(const plait::ParamTable& table) {
  return sizeof(float) * static_cast<double>(table.num_parameters());
}

Cell serve(const Reference& reference, Index batch) {
  const auto service = std::make_shared<Service>(reference.model(), batch);
  const double weights = weight_bytes(service->scoring.model().table());
  Cell cell;
  cell.demand = {.flops = 2 * reference.work.inference() * static_cast<double>(batch),
                 .bytes = weights,
                 .working_set = weights};
  cell.calls.push_back([service] { service->score(); });
  if constexpr (has_torch) {
    service->score();
    for (const auto mode : {TorchScorer::Mode::eager, TorchScorer::Mode::frozen}) {
      TorchScorer peer(reference.architecture, service->scoring.model().values(), mode, service->x);
      for (int i = 0; i < 3; ++i) peer.score();  // TorchScript changes its program in the first two
      require_agreement(std::string(name_of(reference.architecture)) + " by plait and LibTorch",
                        service->logits, peer.logits(), 1e-4);
      cell.calls.push_back([service, peer]() mutable { peer.score(); });
    }
  }
  return cell;
}

// A request whose rows share the first half of the input's columns: scored with them once, and
// as whole rows.
struct Request {
  Request(const plait::Model<float>& model, Index batch)
      : plain(model),
        aware(model, {.shared_inputs = first_columns(half)}),
        x(random_matrix(batch, sizes::input)),
        logits(batch, sizes::tasks) {
    x.leftCols(half).rowwise() = x.row(0).head(half).eval();
    shared = x.topLeftCorner(1, half);
    rows = x.rightCols(sizes::input - half);
  }
  void score_plain() { plain.score(x, logits); }
  void score_aware() { aware.score(shared, rows, logits); }

  static constexpr Index half = sizes::input / 2;
  static std::vector<Index> first_columns(Index count) {
    std::vector<Index> result(static_cast<std::size_t>(count));
    std::iota(result.begin(), result.end(), Index{0});
    return result;
  }

  Scoring plain, aware;
  plait::Matrix<float> x, shared, rows;
  plait::Matrix<float> logits;
};

Cell request(const Reference& reference, Index batch) {
  const auto requests = std::make_shared<Request>(reference.model(), batch);
  const double saved = reference.work.reading_input() * Request::half / sizes::input;
  const double weights = weight_bytes(requests->plain.model().table());
  requests->score_plain();
  const plait::Matrix<float> expected = requests->logits;
  requests->score_aware();
  require_agreement("request-aware scoring", requests->logits, expected, 1e-5);
  return {{.flops = 2 * (reference.work.inference() * static_cast<double>(batch) -
                         saved * static_cast<double>(batch - 1)),
           .bytes = weights,
           .working_set = weights},
          {[requests] { requests->score_aware(); }, [requests] { requests->score_plain(); }}};
}

void add_contests() {
  stay_on_one_core();
  std::vector<std::string> contestants = {"plait"};
  if constexpr (has_torch) {
    benchmark::AddCustomContext("torch", prepare_torch(measure_peak<float>()));
    contestants.insert(contestants.end(), {"eager", "frozen"});
  }
  for (const Reference& reference : all_references()) {
    for (const Index batch : {1, 4, 16, 64, 256, 1024, 4096})
      add_contest(
          std::string("serving/") + name_of(reference.architecture) + "/" + std::to_string(batch),
          contestants, [reference, batch] { return serve(reference, batch); });
  }
  for (const Reference& reference : all_references()) {
    for (const Index batch : {16, 64, 256, 1024})
      add_contest(
          std::string("request/") + name_of(reference.architecture) + "/" + std::to_string(batch),
          {"plait", "plain"}, [reference, batch] { return request(reference, batch); });
  }
}

}  // namespace

int main(int argc, char** argv) { return bench::run(argc, argv, add_contests); }
