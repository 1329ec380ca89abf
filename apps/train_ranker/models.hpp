// The architectures by name, and the settings that they share.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "learner.hpp"
#include "loss_weights.hpp"
#include "plait/core/parallel.hpp"
#include "plait/layers/cross_stitch.hpp"
#include "plait/losses/head.hpp"
#include "rule.hpp"

namespace ranker {

// Sizes that mean the same for every architecture, so that one setting compares them. Each takes
// those it has a use for.
struct Sizes {
  std::vector<Index> levels{64, 32};  // width of each level; one-level models stack them in experts
  std::vector<Index> towers{16};      // hidden widths of every task's tower
  Index experts = 6;                  // of one level, all tasks' and shared ones together
  Index shared_experts = 3;           // those of them that are shared, where a model distinguishes
};

// What keeps the tasks from hurting each other, by its name in loss_weights() or balancers(); at
// most one of them.
struct Balancing {
  std::string loss_weights{};
  std::string balancer{};

  bool is_plain() const { return loss_weights.empty() && balancer.empty(); }
  const std::string& name() const { return balancer.empty() ? loss_weights : balancer; }
};

struct LearnerConfig {
  Index input_dim = 0;
  std::vector<plait::Head> heads{};
  Sizes sizes{};
  plait::Stitch stitch = plait::Stitch::near_identity;
  plait::Rule<float> rule = make_rule("adam", 1e-3);
  Balancing balancing{};
  TaskWeights task_weights{};
  std::uint64_t seed = 1;               // of the weights
  plait::Executor* executor = nullptr;  // none: the calling thread alone

  Index num_tasks() const { return static_cast<Index>(heads.size()); }
  // Experts of each task when `shared` of all are shared. Throws UsageError unless they can be
  // dealt out evenly.
  Index experts_per_task(Index shared) const;
};

// Whose the experts of a level are. They are numbered task by task, shared ones last.
enum class Owners { nobody, tasks, tasks_and_shared };

struct Model {
  std::string_view name;
  std::string_view summary;
  Owners owners;
  // Throws UsageError and plait::ConfigError for sizes that do not fit.
  std::unique_ptr<Learner> (*make)(const LearnerConfig&);
};

// In the order in which they are trained and shown, from no sharing to the newest.
std::span<const Model> models();

// The model that gains are measured against.
inline constexpr std::string_view baseline = "single-task";

}  // namespace ranker
