#include "balancers.hpp"

#include <array>
#include <utility>

#include "method_progress.hpp"
#include "plait/balance.hpp"

namespace ranker {
namespace {

template <class Method>
class AnyBalancer final : public Balancer {
 public:
  AnyBalancer(Method method, const BalancerSetting& setting)
      : balancer_(std::move(method), setting.num_tasks, setting.table, setting.shared,
                  setting.seed) {}

  void combine(std::span<plait::ParamBuffer<float>> gradients, std::span<const double> losses,
               plait::ParamBuffer<float>& out) override {
    balancer_.combine(gradients, losses, out);
  }
  void store(plait::Progress<float>& progress) const override {
    store_method(balancer_.state(), balancer_.buffers(), progress);
  }
  void restore(const plait::Progress<float>& progress) override {
    auto [state, buffers] = stored_method(progress);
    balancer_.restore(std::move(state), std::move(buffers));
  }

 private:
  plait::GradientBalancer<float, Method> balancer_;
};

template <class Method>
std::unique_ptr<Balancer> make(const BalancerSetting& setting) {
  return std::make_unique<AnyBalancer<Method>>(Method{}, setting);
}
// With the fairness that its authors use most; 1 is Nash-MTL.
std::unique_ptr<Balancer> make_fairgrad(const BalancerSetting& setting) {
  return std::make_unique<AnyBalancer<plait::FairGrad>>(plait::FairGrad{.alpha = 2}, setting);
}

}  // namespace

std::span<const BalancerEntry> balancers() {
  static constexpr std::array<BalancerEntry, 11> list{{
      {"pcgrad", "projects conflicting gradients", make<plait::PCGrad>},
      {"gradvac", "turns gradients to the cosines seen so far", make<plait::GradVac>},
      {"mgda", "the shortest vector in the convex hull", make<plait::MGDA>},
      {"cagrad", "helps the worst-off task, near the mean", make<plait::CAGrad>},
      {"imtl-g", "equal projections on all gradients", make<plait::IMTLG>},
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
