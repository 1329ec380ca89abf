#include "loss_weights.hpp"

#include <array>
#include <utility>

#include "method_progress.hpp"
#include "plait/balance.hpp"

namespace ranker {
namespace {

template <class Method>
class AnyLossWeights final : public LossWeights {
 public:
  AnyLossWeights(Method method, const LossWeightsSetting& setting)
      : weighting_(std::move(method), std::ssize(setting.heads), setting.seed) {}

  bool needs_losses() const override { return Method::needs_losses; }
  bool needs_gradient_norms() const override { return Method::needs_gradient_norms; }
  std::span<const double> weigh(std::span<const double> losses) override {
    return weighting_.weigh(losses);
  }
  void update(std::span<const double> losses, std::span<const double> gradient_norms) override {
    weighting_.update(losses, gradient_norms);
  }
  void end_epoch() override { weighting_.end_epoch(); }
  void store(plait::Progress<float>& progress) const override {
    store_method(weighting_.state(), {}, progress);
  }
  void restore(const plait::Progress<float>& progress) override {
    weighting_.restore(stored_method(progress).state);
  }

 private:
  plait::LossWeighting<Method> weighting_;
};

template <class Method>
std::unique_ptr<LossWeights> of(Method method, const LossWeightsSetting& setting) {
  return std::make_unique<AnyLossWeights<Method>>(std::move(method), setting);
}
template <class Method>
std::unique_ptr<LossWeights> make(const LossWeightsSetting& setting) {
  return of(Method{}, setting);
}

std::unique_ptr<LossWeights> make_static(const LossWeightsSetting& setting) {
  auto values = setting.task_weights.initial;
  if (values.empty()) values.assign(setting.heads.size(), 1.0);
  return of(plait::StaticWeights{std::move(values)}, setting);
}
std::unique_ptr<LossWeights> make_scheduled(const LossWeightsSetting& setting) {
  return of(plait::ScheduledWeights{.initial = setting.task_weights.initial,
                                    .factor = setting.task_weights.factor},
            setting);
}
std::unique_ptr<LossWeights> make_uncertainty(const LossWeightsSetting& setting) {
  plait::UncertaintyWeights method;
  for (const plait::Head& head : setting.heads)
    method.forms.push_back(head.kind == plait::HeadKind::binary ? plait::Uncertainty::classification
                                                                : plait::Uncertainty::regression);
  return of(std::move(method), setting);
}

}  // namespace

std::span<const LossWeightsEntry> loss_weights() {
  static constexpr std::array<LossWeightsEntry, 9> list{{
      {"static", "as --task-weights says", make_static},
      {"scheduled", "--task-weights times --task-factors to the power of the epoch",
       make_scheduled},
      {"uncertainty", "learned variances", make_uncertainty},
      {"imtl-l", "learned, so that all weighted losses are 1 at rest", make<plait::IMTLL<>>},
      {"dwa", "more for tasks whose loss falls more slowly", make<plait::DWA>},
      {"gradnorm", "gradients that follow the training rates", make<plait::GradNorm<>>},
      {"random", "softmax of normals", make<plait::RandomWeights>},
      {"geometric", "the geometric mean of the losses", make<plait::GeometricMean>},
      {"stch", "a smooth largest loss", make<plait::STCH>},
  }};
  return list;
}

}  // namespace ranker
