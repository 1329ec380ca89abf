// A Learner of any of the library's architectures. Instantiated once per model_*.cpp.
#pragma once
#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "balancers.hpp"
#include "loss_weights.hpp"
#include "method_progress.hpp"
#include "models.hpp"
#include "plait/inspect/expert_watch.hpp"
#include "plait/io/model_file.hpp"
#include "plait/layers/mlp.hpp"
#include "plait/layers/model.hpp"
#include "plait/layers/towers.hpp"
#include "plait/serve/scoring_context.hpp"
#include "plait/train/trainer.hpp"

namespace ranker {

// Results depend on the number of lanes and not on that of threads: the same for any --threads.
inline constexpr Index lanes = 8;

template <class Trunk>
class TrunkLearner final : public Learner {
 public:
  TrunkLearner(const typename Trunk::Config& trunk, const LearnerConfig& config)
      : model_(trunk, {.hidden = {plait::MLPConfig(config.sizes.towers)}, .outputs = {1}},
               config.seed),
        trainer_(model_, config.heads, config.rule, {.lanes = lanes, .executor = config.executor}),
        context_(model_),
        kept_(model_.values()) {
    for (const BalancerEntry& entry : balancers())
      if (entry.name == config.balancing.balancer)
        balancer_.emplace(entry.make({.num_tasks = config.num_tasks(),
                                      .table = model_.values().shared_table(),
                                      .shared = trainer_.shared(),
                                      .seed = config.seed}));
    for (const LossWeightsEntry& entry : loss_weights())
      if (entry.name == config.balancing.loss_weights)
        weights_.emplace(entry.make(
            {.heads = config.heads, .task_weights = config.task_weights, .seed = config.seed}));
  }

  Index num_parameters() const override { return model_.table().num_parameters(); }
  double step(plait::View3<const float> x, plait::View3<const float> labels) override {
    const plait::Targets<float> targets{.labels = labels};
    if (balancer_) return trainer_.step(x, targets, *balancer_);
    if (weights_) return trainer_.step(x, targets, *weights_);
    return trainer_.step(x, targets);
  }
  void end_epoch() override {
    if (weights_) weights_->end_epoch();
  }
  void score(plait::View3<const float> x, plait::View3<float> logits) override {
    context_.score(x, logits);
  }
  plait::ExpertReport watch_experts(const Features& features,
                                    std::span<const Index> rows) const override {
    constexpr std::size_t tile = 1024;
    plait::ExpertWatch watch(model_);
    plait::Tensor<float> x;
    for (; !rows.empty(); rows = rows.subspan(std::min(tile, rows.size()))) {
      const auto chosen = rows.first(std::min(tile, rows.size()));
      x.resize(static_cast<Index>(chosen.size()), 1, features.input_dim());
      gather(features, chosen, x);
      watch.add(x);
    }
    return watch.report();
  }
  void keep() override { kept_ = model_.values(); }
  void restore() override { model_.values() = kept_; }

  void save_checkpoint(plait::Checkpoints& checkpoints,
                       plait::Progress<float>& progress) const override {
    if (progress.best) progress.best->values = kept_;
    if (balancer_) store_method(balancer_->state(), balancer_->buffers(), progress);
    if (weights_) store_method(weights_->state(), {}, progress);
    checkpoints.save(model_.values(), trainer_.optimizer(), progress);
  }
  plait::Resumed resume(const plait::Checkpoints& checkpoints,
                        plait::Progress<float>& progress) override {
    auto resumed = checkpoints.resume(model_.values(), trainer_.optimizer(), progress);
    if (progress.best) kept_ = progress.best->values;
    return resumed;
  }
  void resume_method(const plait::Progress<float>& progress) override {
    if (balancer_) {
      auto [state, buffers] = stored_method(progress);
      balancer_->restore(std::move(state), std::move(buffers));
    }
    if (weights_) weights_->restore(stored_method(progress).state);
  }
  void save(const std::string& path, plait::View3<const float> x) const override {
    plait::save(model_, path, {.heads = trainer_.loss().heads()}, x);
  }

 private:
  plait::Model<Trunk> model_;
  plait::Trainer<plait::Model<Trunk>> trainer_;
  plait::ScoringContext<plait::Model<Trunk>> context_;
  plait::ParamBuffer<float> kept_;
  std::optional<plait::GradientBalancer<float>> balancer_;
  std::optional<plait::LossWeighting> weights_;
};

template <class Trunk>
std::unique_ptr<Learner> make_learner(const typename Trunk::Config& trunk,
                                      const LearnerConfig& config) {
  return std::make_unique<TrunkLearner<Trunk>>(trunk, config);
}

// The levels as the layers of one expert, and as one single-layer expert per level.
inline plait::MLPConfig stacked(const Sizes& sizes) { return plait::MLPConfig(sizes.levels); }
inline std::vector<plait::MLPConfig> per_level(const Sizes& sizes) {
  std::vector<plait::MLPConfig> levels;
  for (const Index width : sizes.levels) levels.push_back({width});
  return levels;
}

}  // namespace ranker
