// Scoring the reference models: microseconds per batch, and their share of the floors.
//
//   serving/<architecture>/<batch>/plait     the library
//   serving/<architecture>/<batch>/eager     LibTorch's module in inference mode
//   serving/<architecture>/<batch>/frozen    the same traced to TorchScript, frozen, optimised
//
//   request/<architecture>/<batch>/plait     a request that shares half of the input's columns
//   request/<architecture>/<batch>/plain     the same, scored as rows that share nothing
//
//   bf16/<architecture>/<batch>/bf16         in bf16; the floor is the peak of such products
//   bf16/<architecture>/<batch>/full         in full precision
//
//   sets/<architecture>/<batch>/<set>        under each instruction set of this machine, the one
//                                            that runs first (with --instruction_sets)
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
  Service(plait::Model<float> model, Index batch, plait::ScorerOptions options = {})
      : scoring(std::move(model), std::move(options)),
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

// The same rows in bf16 and in full precision.
Cell reduce(const Reference& reference, Index batch) {
  const auto reduced = std::make_shared<Service>(
      reference.model(), batch, plait::ScorerOptions{.precision = plait::Precision::bf16});
  const auto full = std::make_shared<Service>(reference.model(), batch);
  reduced->score();
  full->score();
  require_agreement("scoring in bf16", reduced->logits, full->logits, 3e-2);
  const double weights = weight_bytes(full->scoring.model().table());
  return {{.flops = 2 * reference.work.inference() * static_cast<double>(batch),
           .bytes = weights / 2,
           .working_set = weights / 2,
           .peak = measure_bf16_peak},
          {[reduced] { reduced->score(); }, [full] { full->score(); }}};
}

// The sets of this machine, the one that runs first.
std::vector<plait::InstructionSet> instruction_sets() {
  const plait::InstructionSet running = plait::instruction_set();
  std::vector<plait::InstructionSet> sets;
  for (int s = static_cast<int>(running); s >= 0; --s) {
    const auto set = static_cast<plait::InstructionSet>(s);
    if (plait::limit_instruction_set(set) == set) sets.push_back(set);
  }
  plait::limit_instruction_set(running);
  return sets;
}

// One contestant per instruction set; whoever is called runs under its own.
Cell compare_sets(const Reference& reference, Index batch) {
  Cell cell;
  std::shared_ptr<Service> first;
  for (const auto set : instruction_sets()) {
    plait::limit_instruction_set(set);
    const auto service = std::make_shared<Service>(reference.model(), batch);
    cell.calls.push_back([service, set] {
      plait::limit_instruction_set(set);
      service->score();
      plait::limit_instruction_set(plait::most_instruction_set);
    });
    service->score();
    if (first == nullptr) first = service;
    require_agreement("scoring under " + std::string(name(set)), service->logits, first->logits,
                      1e-5);
  }
  plait::limit_instruction_set(plait::most_instruction_set);
  const double weights = weight_bytes(first->scoring.model().table());
  cell.demand = {.flops = 2 * reference.work.inference() * static_cast<double>(batch),
                 .bytes = weights,
                 .working_set = weights};
  return cell;
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
  for (const Reference& reference : all_references()) {
    for (const Index batch : {1, 4, 16, 64, 256, 1024, 4096})
      add_contest(
          std::string("bf16/") + name_of(reference.architecture) + "/" + std::to_string(batch),
          {"bf16", "full"}, [reference, batch] { return reduce(reference, batch); });
  }
  if (!settings().instruction_sets) return;
  std::vector<std::string> sets;
  for (const auto set : instruction_sets()) sets.emplace_back(name(set));
  for (const Reference& reference : all_references()) {
    for (const Index batch : {1, 16, 256})
      add_contest(
          std::string("sets/") + name_of(reference.architecture) + "/" + std::to_string(batch),
          sets, [reference, batch] { return compare_sets(reference, batch); });
  }
}

}  // namespace

int main(int argc, char** argv) { return bench::run(argc, argv, add_contests); }
