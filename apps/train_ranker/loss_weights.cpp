#include "loss_weights.hpp"

#include <array>
#include <utility>

// One by one: the balancers in methods.hpp would be compiled along.
#include "plait/methods/dwa.hpp"
#include "plait/methods/famo.hpp"
#include "plait/methods/geometric_mean.hpp"
#include "plait/methods/gradnorm.hpp"
#include "plait/methods/imtl_l.hpp"
#include "plait/methods/random_weights.hpp"
#include "plait/methods/scheduled_weights.hpp"
#include "plait/methods/static_weights.hpp"
#include "plait/methods/stch.hpp"
#include "plait/methods/uncertainty_weights.hpp"

namespace ranker {
namespace {

template <class Method>
plait::LossWeighting of(Method method, const LossWeightsSetting& setting) {
  return {std::move(method), std::ssize(setting.heads), setting.seed};
}
template <class Method>
plait::LossWeighting make(const LossWeightsSetting& setting) {
  return of(Method{}, setting);
}

plait::LossWeighting make_static(const LossWeightsSetting& setting) {
  auto values = setting.task_weights.initial;
  if (values.empty()) values.assign(setting.heads.size(), 1.0);
  return of(plait::StaticWeights{std::move(values)}, setting);
}
plait::LossWeighting make_scheduled(const LossWeightsSetting& setting) {
  return of(plait::ScheduledWeights{.initial = setting.task_weights.initial,
                                    .factor = setting.task_weights.factor},
            setting);
}
plait::LossWeighting make_uncertainty(const LossWeightsSetting& setting) {
  plait::UncertaintyWeights method;
  for (const plait::Head& head : setting.heads)
    method.forms.push_back(head.kind == plait::HeadKind::binary ? plait::Uncertainty::classification
                                                                : plait::Uncertainty::regression);
  return of(std::move(method), setting);
}

}  // namespace

std::span<const LossWeightsEntry> loss_weights() {
  static constexpr std::array<LossWeightsEntry, 10> list{{
      {"static", "as --task-weights says", make_static},
      {"scheduled", "--task-weights times --task-factors to the power of the epoch",
       make_scheduled},
      {"uncertainty", "learned variances", make_uncertainty},
      {"imtl-l", "learned, so that all weighted losses are 1 at rest", make<plait::IMTLL>},
      {"dwa", "more for tasks whose loss falls more slowly", make<plait::DWA>},
      {"famo", "log-losses that fall at one rate, by what steps did to them", make<plait::FAMO>},
      {"gradnorm", "gradients that follow the training rates", make<plait::GradNorm>},
      {"random", "softmax of normals", make<plait::RandomWeights>},
      {"geometric", "the geometric mean of the losses", make<plait::GeometricMean>},
      {"stch", "a smooth largest loss", make<plait::STCH>},
  }};
  return list;
}

}  // namespace ranker
