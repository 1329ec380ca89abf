#include "penalties.hpp"

#include <algorithm>
#include <utility>

#include "errors.hpp"
#include "plait/core/csv.hpp"
#include "plait/core/glob.hpp"
#include "plait/penalties/ada_share_penalty.hpp"
#include "plait/penalties/l0.hpp"
#include "plait/penalties/norms.hpp"
#include "plait/penalties/tensor_normal.hpp"

namespace ranker {
namespace {

// Nothing for another name.
std::optional<plait::Penalty> penalty_of(const ChosenPenalty& chosen) {
  const auto& [name, weight] = chosen;
  if (name == "l1") return plait::L1{.weight = weight, .parameters = "*.weight"};
  if (name == "l2") return plait::L2{.weight = weight, .parameters = "*.weight"};
  if (name == "l0") return plait::L0{.weight = weight};
  if (name == "adashare") return plait::AdaSharePenalty{.sparsity = weight, .sharing = weight};
  if (name == "heads")
    return plait::TensorNormal{.weight = weight, .parameters = "task_modules.*.mlp_net.0.weight"};
  return std::nullopt;
}

}  // namespace

std::vector<ChosenPenalty> chosen_penalties(const std::vector<std::string>& words) {
  std::vector<ChosenPenalty> result;
  for (const std::string& word : words) {
    const std::size_t equals = std::min(word.find('='), word.size());
    ChosenPenalty chosen{word.substr(0, equals), 0};
    const auto weight =
        plait::parse_csv_number<double>(word.substr(std::min(equals + 1, word.size())));
    if (!penalty_of(chosen) || !weight || !(*weight >= 0 && *weight <= 1e9))
      throw UsageError("--penalties: got " + word +
                       ", expected l1, l2, l0, adashare or heads, = and a weight from 0 to 1e9");
    chosen.weight = *weight;
    if (std::ranges::any_of(result, [&](const auto& other) { return other.name == chosen.name; }))
      throw UsageError("--penalties: got " + chosen.name + " twice, expected it once");
    result.push_back(std::move(chosen));
  }
  return result;
}

std::optional<plait::Penalties<float>> make_penalties(
    const std::vector<ChosenPenalty>& chosen, const std::shared_ptr<const plait::ParamTable>& of) {
  std::vector<plait::NamedPenalty> result;
  for (const ChosenPenalty& one : chosen) {
    plait::Penalty penalty = *penalty_of(one);
    if (std::ranges::any_of(of->entries(), [&](const plait::ParamEntry& entry) {
          return plait::glob_match(penalty.parameters(), entry.name);
        }))
      result.push_back({one.name, std::move(penalty)});
  }
  if (result.empty()) return std::nullopt;
  return plait::Penalties<float>(of, std::move(result));
}

}  // namespace ranker
