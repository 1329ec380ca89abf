// What a mutation of a layer must make fail: the contract and the gradient check of every layer, on
// small batches, and where stop-gradients stand.
#include <functional>
#include <string>
#include <vector>

#include "architectures/frozen_sources.hpp"
#include "fusion/frozen_experts.hpp"
#include "layers/zoo.cpp"  // one translation unit compiles faster than two
#include "mutation/checks.hpp"
#include "mutation/layer_checks.hpp"
#include "support/with_options.hpp"

namespace {

std::string check(const zoo::Specimen& specimen, bool differentiable) {
  const auto theta = zoo::random_parameters(specimen);
  const auto contract = checks::contract(specimen.layer, theta);
  if (!contract.passed()) return specimen.shape + ": " + contract.text();
  if (!differentiable) return {};
  const auto gradients = checks::gradients(specimen.layer, theta);
  return gradients.passed() ? "" : specimen.shape + ": " + gradients.text();
}

}  // namespace

std::string checks::run() {
  const std::vector<std::function<std::vector<zoo::Specimen>()>> differentiable{
      zoo::linears,
      zoo::mlps,
      zoo::residual_blocks,
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
      zoo::snrs,
      zoo::branchings,
      zoo::ada_shares,
      zoo::branched_networks,
      zoo::own_trunks,
      zoo::slots_and_kinds,
      zoo::towers,
      zoo::small_towers,
      zoo::sequentials};
  for (const auto& family : differentiable)
    for (const auto& specimen : family())
      if (std::string wrong = check(specimen, true); !wrong.empty()) return wrong;
  for (const auto& specimen : zoo::drawing_levels()) {  // as they are, and with draws
    if (std::string wrong = check(specimen, true); !wrong.empty()) return wrong;
    const auto gradients =
        checks::gradients(plait::Network<double>(with_options::Layer{
                              specimen.layer, {.draws = {.seed = 4, .step = 1}, .first_row = 30}}),
                          zoo::random_parameters(specimen));
    if (!gradients.passed()) return specimen.shape + " with draws: " + gradients.text();
    if (!zoo::have_effect(specimen, {.draws = {.seed = 4, .step = 1}}))
      return specimen.shape + ": draws nothing";
  }
  for (const auto& family : {zoo::stopped_sharings, zoo::stopped_routes})
    for (const auto& specimen : family())
      if (std::string wrong = check(specimen, false); !wrong.empty()) return wrong;
  for (const auto& config : zoo::stopped_configs()) {
    const auto gradients = zoo::check_frozen(config);
    if (!gradients.passed()) return "stop-gradient: " + gradients.text();
  }
  for (const auto& stem : zoo::frozen_stems()) {
    const auto gradients = zoo::check_frozen(stem);
    if (!gradients.passed()) return "stopped route: " + gradients.text();
  }
  return {};
}
