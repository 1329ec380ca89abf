// The architectures by name, and the settings that they share.
#pragma once
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/architectures/cross_stitch.hpp"
#include "plait/layers/body.hpp"
#include "plait/layers/gate.hpp"
#include "plait/model/trunk.hpp"

namespace ranker {

using plait::Index;

// Sizes that mean the same for every architecture, so that one setting compares them, and how its
// hidden layers are trained. Each takes those it has a use for.
struct Sizes {
  std::vector<Index> levels{64, 32};  // width of each level; one-level models stack them in experts
  std::vector<Index> towers{16};      // hidden widths of every task's tower
  Index experts = 6;                  // of one level, all tasks' and shared ones together
  Index shared_experts = 3;           // those of them that are shared, where a model distinguishes
  double dropout = 0;                 // of hidden layers, in experts and towers

  // Hidden layers of these widths.
  plait::Body hidden(std::vector<Index> widths) const {
    return plait::Body(std::move(widths), plait::Activation::relu, true, dropout);
  }
};

struct TrunkOptions {
  Index input_dim = 0;
  Index num_tasks = 0;
  Sizes sizes{};
  plait::Stitch stitch = plait::Stitch::near_identity;
  plait::GateConfig gate{};  // of every model that has gates

  // Experts of each task when `shared` of all are shared. Throws UsageError unless they can be
  // dealt out evenly.
  Index experts_per_task(Index shared) const;
};

// Whose the experts of a level are. They are numbered task by task, shared ones last.
enum class Owners { nobody, tasks, tasks_and_shared };

struct ModelEntry {
  std::string_view name;
  std::string_view summary;
  Owners owners;
  // Throws UsageError for sizes that do not fit.
  plait::Trunk<float> (*trunk)(const TrunkOptions&);
};

// In the order in which they are trained and shown, from no sharing to the newest.
std::span<const ModelEntry> models();

// The model that gains are measured against.
inline constexpr std::string_view baseline = "single-task";

}  // namespace ranker
