// The methods that weigh the tasks' losses by name, type-erased as balancers.hpp's are.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "plait/io/checkpoint.hpp"
#include "plait/losses/head.hpp"

namespace ranker {

// A plait::LossWeighting.
class LossWeights {
 public:
  virtual ~LossWeights() = default;
  virtual bool needs_losses() const = 0;
  virtual bool needs_gradient_norms() const = 0;
  virtual std::span<const double> weigh(std::span<const double> losses) = 0;
  virtual void update(std::span<const double> losses, std::span<const double> gradient_norms) = 0;
  virtual void end_epoch() = 0;
  virtual void store(plait::Progress<float>& progress) const = 0;
  virtual void restore(const plait::Progress<float>& progress) = 0;
};

// The same, saying at compile time what it needs: what plait::Trainer::step takes.
template <bool NeedsLosses, bool NeedsGradientNorms>
class LossWeightsRef {
 public:
  static constexpr bool needs_losses = NeedsLosses;
  static constexpr bool needs_gradient_norms = NeedsGradientNorms;

  explicit LossWeightsRef(LossWeights& weights) : weights_(weights) {}
  std::span<const double> weigh(std::span<const double> losses) { return weights_.weigh(losses); }
  void update(std::span<const double> losses, std::span<const double> gradient_norms) {
    weights_.update(losses, gradient_norms);
  }

 private:
  LossWeights& weights_;
};

// Weights that a person chooses; one number per task, or none for 1 each.
struct TaskWeights {
  std::vector<double> initial{};  // static and scheduled
  std::vector<double> factor{};   // scheduled: of every epoch
};

// What they are made for.
struct LossWeightsSetting {
  std::span<const plait::Head> heads{};
  TaskWeights task_weights{};
  std::uint64_t seed = 0;
};

struct LossWeightsEntry {
  std::string_view name;
  std::string_view summary;
  // Throws plait::ConfigError for task weights that do not fit.
  std::unique_ptr<LossWeights> (*make)(const LossWeightsSetting&);
};

// All of plait/weighting.
std::span<const LossWeightsEntry> loss_weights();

}  // namespace ranker
