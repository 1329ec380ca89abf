#include "models.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <string>

#include "errors.hpp"
#include "plait/model/registry.hpp"  // all architectures

namespace ranker {
namespace {

using Trunk = plait::Trunk<float>;

// The levels as the layers of one expert, and as one single-layer expert per level.
plait::Body stacked(const TrunkOptions& o) { return o.sizes.hidden(o.sizes.levels); }
std::vector<plait::Body> per_level(const TrunkOptions& o) {
  std::vector<plait::Body> levels;
  for (const Index width : o.sizes.levels) levels.push_back(o.sizes.hidden({width}));
  return levels;
}

// Task t sees all tasks before it.
std::vector<std::vector<Index>> all_before(Index tasks) {
  std::vector<std::vector<Index>> sources(static_cast<std::size_t>(tasks));
  for (std::size_t t = 0; t < sources.size(); ++t)
    for (std::size_t s = 0; s < t; ++s) sources[t].push_back(static_cast<Index>(s));
  return sources;
}

Trunk single_task(const TrunkOptions& o) {
  return plait::SingleTask{
      .input_dim = o.input_dim, .num_tasks = o.num_tasks, .expert = stacked(o)};
}
Trunk shared_bottom(const TrunkOptions& o) {
  return plait::SharedBottom{
      .input_dim = o.input_dim, .num_tasks = o.num_tasks, .expert = stacked(o)};
}
Trunk asymmetric(const TrunkOptions& o) {
  return plait::AsymmetricSharing{.input_dim = o.input_dim,
                                  .num_tasks = o.num_tasks,
                                  .expert = stacked(o),
                                  .sources = all_before(o.num_tasks)};
}
Trunk customized(const TrunkOptions& o) {
  return plait::CustomizedSharing{
      .input_dim = o.input_dim, .num_tasks = o.num_tasks, .expert = stacked(o)};
}
Trunk cross_stitch(const TrunkOptions& o) {
  return plait::CrossStitch{.input_dim = o.input_dim,
                            .num_tasks = o.num_tasks,
                            .levels = per_level(o),
                            .stitch = o.stitch};
}
Trunk mmoe(const TrunkOptions& o) {
  return plait::MMoE{.input_dim = o.input_dim,
                     .num_tasks = o.num_tasks,
                     .num_experts = o.sizes.experts,
                     .expert = stacked(o),
                     .gate = o.gate};
}
Trunk ml_mmoe(const TrunkOptions& o) {
  return plait::MLMMoE{.input_dim = o.input_dim,
                       .num_tasks = o.num_tasks,
                       .num_experts = o.sizes.experts,
                       .levels = per_level(o),
                       .gates = {o.gate}};
}
Trunk cgc(const TrunkOptions& o) {
  return plait::CGC{.input_dim = o.input_dim,
                    .num_tasks = o.num_tasks,
                    .expert = stacked(o),
                    .task_experts = {o.experts_per_task(o.sizes.shared_experts)},
                    .shared_experts = o.sizes.shared_experts,
                    .gate = o.gate};
}
Trunk ple(const TrunkOptions& o) {
  return plait::PLE{.input_dim = o.input_dim,
                    .num_tasks = o.num_tasks,
                    .levels = per_level(o),
                    .task_experts = {o.experts_per_task(o.sizes.shared_experts)},
                    .shared_experts = o.sizes.shared_experts,
                    .gates = {o.gate}};
}
Trunk adatt_sp(const TrunkOptions& o) {
  return plait::AdaTTSp{.input_dim = o.input_dim,
                        .num_tasks = o.num_tasks,
                        .levels = per_level(o),
                        .task_experts = o.experts_per_task(0),
                        .gates = {o.gate}};
}
Trunk adatt(const TrunkOptions& o) {
  return plait::AdaTT{.input_dim = o.input_dim,
                      .num_tasks = o.num_tasks,
                      .levels = per_level(o),
                      .task_experts = {o.experts_per_task(o.sizes.shared_experts)},
                      .shared_experts = o.sizes.shared_experts,
                      .gates = {o.gate}};
}
Trunk mtan(const TrunkOptions& o) {
  return plait::MTAN{.input_dim = o.input_dim, .num_tasks = o.num_tasks, .levels = o.sizes.levels};
}
// Two subspaces where every width is even, and skips where all are alike.
Trunk sluice(const TrunkOptions& o) {
  Index subspaces = 2;
  for (const Index width : o.sizes.levels) subspaces = std::gcd(subspaces, width);
  return plait::Sluice{.input_dim = o.input_dim,
                       .num_tasks = o.num_tasks,
                       .levels = per_level(o),
                       .subspaces = subspaces,
                       .skips = std::ranges::count(o.sizes.levels, o.sizes.levels.front()) ==
                                std::ssize(o.sizes.levels)};
}
// As many shared layers as there are levels, as wide as the first.
Trunk soft_ordering(const TrunkOptions& o) {
  return plait::SoftOrdering{.input_dim = o.input_dim,
                             .num_tasks = o.num_tasks,
                             .encoder = o.sizes.hidden({o.sizes.levels.front()}),
                             .depth = std::ssize(o.sizes.levels)};
}
template <plait::SNRConnection connection>
Trunk snr(const TrunkOptions& o) {
  return plait::SNR{.input_dim = o.input_dim,
                    .num_tasks = o.num_tasks,
                    .num_experts = o.sizes.experts,
                    .levels = o.sizes.levels,
                    .connection = connection};
}
Trunk branch(const TrunkOptions& o) {
  return plait::LearningToBranch{.input_dim = o.input_dim,
                                 .num_tasks = o.num_tasks,
                                 .num_experts = o.sizes.experts,
                                 .levels = o.sizes.levels};
}
// A block per level, of the first one's width.
Trunk ada_share(const TrunkOptions& o) {
  return plait::AdaShare{.input_dim = o.input_dim,
                         .num_tasks = o.num_tasks,
                         .stem = o.sizes.hidden({o.sizes.levels.front()}),
                         .blocks = o.sizes.levels};
}

}  // namespace

std::span<const ModelEntry> models() {
  static constexpr std::array<ModelEntry, 18> list{{
      {baseline, "a network per task, nothing shared", Owners::tasks, single_task},
      {"shared-bottom", "one network for all tasks", Owners::nobody, shared_bottom},
      {"asymmetric", "a network per task; each also sees those before it", Owners::tasks,
       asymmetric},
      {"customized", "a network per task and a shared one, side by side", Owners::tasks_and_shared,
       customized},
      {"cross-stitch", "a network per task, mixed by static weights at every level", Owners::tasks,
       cross_stitch},
      {"mmoe", "shared experts, a gate per task", Owners::nobody, mmoe},
      {"ml-mmoe", "mmoe in levels", Owners::nobody, ml_mmoe},
      {"cgc", "experts of each task and shared ones, a gate per task", Owners::tasks_and_shared,
       cgc},
      {"ple", "cgc in levels", Owners::tasks_and_shared, ple},
      {"adatt-sp", "experts of each task; a gate over all, plus the own ones again", Owners::tasks,
       adatt_sp},
      {"adatt", "adatt-sp with shared experts", Owners::tasks_and_shared, adatt},
      {"sluice", "cross-stitch between parts of each task's network, and over levels",
       Owners::tasks, sluice},
      {"soft-ordering", "shared layers, which each task takes in an order of its own",
       Owners::tasks, soft_ordering},
      {"mtan", "one network, seen by each task through masks of its own", Owners::tasks, mtan},
      {"snr-trans", "shared experts in levels, joined by matrices that may vanish", Owners::nobody,
       snr<plait::SNRConnection::trans>},
      {"snr-aver", "shared experts in levels, joined by weights that may vanish", Owners::nobody,
       snr<plait::SNRConnection::aver>},
      {"branch", "shared experts in levels, of which a tree is chosen", Owners::nobody, branch},
      {"adashare", "residual blocks for all tasks, of which each may skip some", Owners::nobody,
       ada_share},
  }};
  return list;
}

Index TrunkOptions::experts_per_task(Index shared) const {
  const Index own = sizes.experts - shared;
  if (own < num_tasks || own % num_tasks != 0)
    throw UsageError("--experts: got " + std::to_string(sizes.experts) + " with " +
                     std::to_string(shared) + " shared, expected those and a multiple of " +
                     std::to_string(num_tasks) + " (the tasks share the rest evenly)");
  return own / num_tasks;
}

}  // namespace ranker
