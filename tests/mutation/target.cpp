// What a mutation of the library must make fail: the contract and the gradient check of every
// layer, on small batches, the trainer's gradients of every task, and steps of tables. Prints what
// fails; the exit status is 1 if anything does.
#include <algorithm>
#include <cmath>
#include <functional>
#include <iostream>
#include <vector>

#include "architectures/frozen_sources.hpp"
#include "fusion/frozen_experts.hpp"
#include "layers/zoo.cpp"  // one translation unit compiles faster than two
#include "mutation/balancing.hpp"
#include "mutation/checks.hpp"
#include "mutation/dselect.hpp"
#include "mutation/embeddings.hpp"
#include "mutation/reduced.hpp"
#include "mutation/training.hpp"
#include "plait/losses/multi_task_loss.hpp"
#include "support/every_kind.hpp"

namespace {

// 1 and a line for the report that failed.
int failure(const std::string& shape, const std::string& text) {
  std::cout << shape << ": " << text << '\n';
  return 1;
}

// The gradient of a loss with every kind of head, with masks, weights, sample spaces and groups.
int check_losses() {
  constexpr plait::Index batch = 40;
  every_kind::Batch<double> all(batch, 22);
  plait::Tensor<double> dlogits(batch, 1, all.loss.width());
  std::fill_n(dlogits.view().data(), batch * all.loss.width(), std::nan(""));
  auto targets = all.targets();
  targets.space = all.space;
  all.loss.evaluate_batch(all.logits, targets, dlogits);
  plait::testing::GradientCheck check;
  check.compare("logits", plait::testing::flat(all.logits), plait::testing::flat(dlogits),
                [&] { return all.loss.evaluate_batch(all.logits, targets); });
  const auto report = check.report();
  return report.passed() ? 0 : failure("losses", report.text());
}

int check(const zoo::Specimen& specimen, bool differentiable) {
  const auto theta = zoo::random_parameters(specimen);
  const auto contract = checks::contract(specimen.layer, theta);
  if (!contract.passed()) return failure(specimen.shape, contract.text());
  if (!differentiable) return 0;
  const auto gradients = checks::gradients(specimen.layer, theta);
  return gradients.passed() ? 0 : failure(specimen.shape, gradients.text());
}

}  // namespace

int main() {
  const std::vector<std::function<std::vector<zoo::Specimen>()>> differentiable{
      zoo::linears,
      zoo::mlps,
      zoo::gates,
      zoo::expert_banks,
      zoo::shared_bottoms,
      zoo::single_tasks,
      zoo::cross_stitches,
      zoo::mmoes,
      zoo::ml_mmoes,
      zoo::cgcs,
      zoo::ples,
      zoo::adatt_sps,
      zoo::adatts,
      zoo::asymmetric_sharings,
      zoo::customized_sharings,
      zoo::mtans,
      zoo::sluices,
      zoo::soft_orderings,
      zoo::own_trunks,
      zoo::towers,
      zoo::small_towers,
      zoo::sequentials};
  if (check_losses() != 0) return 1;
  if (const std::string wrong = training::check(); !wrong.empty())
    return failure("training", wrong);
  if (const std::string wrong = balancing::check(); !wrong.empty())
    return failure("balancing", wrong);
  if (const std::string wrong = dselect::check(); !wrong.empty())
    return failure("DSelect-k", wrong);
  if (const std::string wrong = embeddings::check(); !wrong.empty())
    return failure("embeddings", wrong);
  if (const std::string wrong = reduced::check(); !wrong.empty())
    return failure("reduced precision", wrong);
  for (const auto& family : differentiable)
    for (const auto& specimen : family())
      if (check(specimen, true) != 0) return 1;
  for (const auto& family : {zoo::stopped_sharings, zoo::stopped_routes})
    for (const auto& specimen : family())
      if (check(specimen, false) != 0) return 1;
  for (const auto& config : zoo::stopped_configs()) {
    const auto gradients = zoo::check_frozen(config);
    if (!gradients.passed()) return failure("stop-gradient", gradients.text());
  }
  for (const auto& stem : zoo::frozen_stems()) {
    const auto gradients = zoo::check_frozen(stem);
    if (!gradients.passed()) return failure("stopped route", gradients.text());
  }
  return 0;
}
