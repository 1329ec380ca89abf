// A Learner of any of the library's architectures. Instantiated once per model_*.cpp.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "models.hpp"
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
        kept_(model_.values()) {}

  Index num_parameters() const override { return model_.table().num_parameters(); }
  double step(plait::View3<const float> x, plait::View3<const float> labels) override {
    return trainer_.step(x, labels);
  }
  void score(plait::View3<const float> x, plait::View3<float> logits) override {
    context_.score(x, logits);
  }
  void keep() override { kept_ = model_.values(); }
  void restore() override { model_.values() = kept_; }

  void save_checkpoint(plait::Checkpoints& checkpoints,
                       plait::Progress<float>& progress) const override {
    if (progress.best) progress.best->values = kept_;
    checkpoints.save(model_.values(), trainer_.optimizer(), progress);
  }
  plait::Resumed resume(const plait::Checkpoints& checkpoints,
                        plait::Progress<float>& progress) override {
    auto resumed = checkpoints.resume(model_.values(), trainer_.optimizer(), progress);
    if (progress.best) kept_ = progress.best->values;
    return resumed;
  }
  void save(const std::string& path, plait::View3<const float> x) const override {
    plait::save(model_, path, {.heads = trainer_.loss().heads()}, x);
  }

 private:
  plait::Model<Trunk> model_;
  plait::Trainer<plait::Model<Trunk>, Rule> trainer_;
  plait::ScoringContext<plait::Model<Trunk>> context_;
  plait::ParamBuffer<float> kept_;
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
