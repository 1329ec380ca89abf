#include "balancers.hpp"

#include <array>
#include <utility>

#include "plait/methods.hpp"

namespace ranker {
namespace {

template <class Method>
plait::GradientBalancer<float> of(Method method, const BalancerSetting& setting) {
  return {std::move(method), setting.num_tasks, setting.table, setting.shared, setting.seed};
}
template <class Method>
plait::GradientBalancer<float> make(const BalancerSetting& setting) {
  return of(Method{}, setting);
}
// With the fairness that its authors use most; 1 is Nash-MTL.
plait::GradientBalancer<float> make_fairgrad(const BalancerSetting& setting) {
  return of(plait::FairGrad{.alpha = 2}, setting);
}

}  // namespace

std::span<const BalancerEntry> balancers() {
  static constexpr std::array<BalancerEntry, 12> list{{
      {"pcgrad", "projects conflicting gradients", make<plait::PCGrad>},
      {"gradvac", "turns gradients to the cosines seen so far", make<plait::GradVac>},
      {"mgda", "the shortest vector in the convex hull", make<plait::MGDA>},
      {"cagrad", "helps the worst-off task, near the mean", make<plait::CAGrad>},
      {"imtl-g", "equal projections on all gradients", make<plait::IMTLG>},
      {"config", "the way on which all gradients project alike, as far as they go",
       make<plait::ConFIG>},
      {"nash-mtl", "Nash bargaining", make<plait::NashMTL>},
      {"fairgrad", "fair bargaining, fairness 2", make_fairgrad},
      {"aligned-mtl", "gradients of equal singular values", make<plait::AlignedMTL>},
      {"upgrad", "projections that hurt no task", make<plait::UPGrad>},
      {"db-mtl", "log-losses, averaged gradients of equal length", make<plait::DBMTL>},
      {"graddrop", "one sign per number is kept", make<plait::GradDrop>},
  }};
  return list;
}

}  // namespace ranker
