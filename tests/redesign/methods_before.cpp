// The methods with the headers of include/.
#include <utility>

#include "plait/balance.hpp"

namespace api {

template <class S, class Method>
auto balancer(const Method& method, plait::Index tasks,
              std::shared_ptr<const plait::ParamTable> table, std::vector<plait::ParamRange> shared,
              std::uint64_t seed) {
  return plait::GradientBalancer<S, Method>(method, tasks, std::move(table), std::move(shared),
                                            seed);
}
template <class Method>
auto weighting(const Method& method, plait::Index tasks, std::uint64_t seed) {
  return plait::LossWeighting<Method>(method, tasks, seed);
}

}  // namespace api

#include "redesign/method_cases.hpp"

int main() {
  redesign::balance_all<float>();
  redesign::balance_all<double>();
  redesign::weigh("UncertaintyWeights", plait::UncertaintyWeights<>{});
  redesign::weigh("GradNorm", plait::GradNorm<>{});
  redesign::weigh("IMTLL", plait::IMTLL<>{});
  redesign::weigh("DWA", plait::DWA{});
  redesign::weigh("RandomWeights", plait::RandomWeights{});
  redesign::weigh("GeometricMean", plait::GeometricMean{});
}
