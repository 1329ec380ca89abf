// Stochastic gradient descent, with momentum: torch.optim.SGD.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plait/optim/rule.hpp"

namespace plait {

//   g  = grad + weight_decay p
//   u  = g at the first step, momentum u + (1 - dampening) g afterwards
//   p -= learning_rate (g + momentum u if nesterov, else u)
//
// Without momentum, p -= learning_rate g, and no moment is kept.
struct SGD {
  static constexpr std::string_view name = "SGD";

  double learning_rate = 1e-2;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;

  void validate() const {
    detail::require_not_negative("SGD", "learning_rate", learning_rate);
    detail::require_not_negative("SGD", "momentum", momentum);
    detail::require_not_negative("SGD", "weight_decay", weight_decay);
    require_config(std::isfinite(dampening), "SGD", "dampening", text(dampening),
                   "a finite number");
    require_config(!nesterov || (momentum > 0 && dampening == 0), "SGD", "nesterov",
                   text("momentum ", momentum, " and dampening ", dampening),
                   "momentum above 0 and no dampening");
  }

  std::vector<std::string> moment_names() const {
    return momentum == 0 ? std::vector<std::string>{} : std::vector<std::string>{"momentum_buffer"};
  }

  void fields(FieldVisitor& visit) {
    visit("momentum", momentum);
    visit("dampening", dampening);
    visit("nesterov", nesterov);
  }

  template <class Scalar>
  void update(const UpdateStep& step, std::span<Scalar> values, std::span<const Scalar> grad,
              Moments<Scalar> moments) const;
};

template <class Scalar>
void SGD::update(const UpdateStep& step, std::span<Scalar> values, std::span<const Scalar> grad,
                 Moments<Scalar> moments) const {
  const auto rate = static_cast<Scalar>(step.learning_rate);
  const auto keep = static_cast<Scalar>(step.number == 1 ? 0 : momentum);
  const auto add = static_cast<Scalar>(step.number == 1 ? 1 : 1 - dampening);
  const auto ahead = static_cast<Scalar>(momentum);
  detail::for_each_number(values, grad, moments, step.gradient_scale, step.weight_decay,
                          [&](auto& p, auto& g, const auto& moment, const auto& set_moment)
                              PLAIT_INLINE {
                                if (momentum != 0) {
                                  const auto u = keep * moment(0) + add * g;
                                  set_moment(0, u);
                                  g = nesterov ? g + ahead * u : u;
                                }
                                p = p - rate * g;
                              });
}

#ifdef PLAIT_COMPILED
extern template void SGD::update<float>(const UpdateStep&, std::span<float>, std::span<const float>,
                                        Moments<float>) const;
extern template void SGD::update<double>(const UpdateStep&, std::span<double>,
                                         std::span<const double>, Moments<double>) const;
#endif

static_assert(OptimizerRule<SGD, float> && OptimizerRule<SGD, double>);

}  // namespace plait
