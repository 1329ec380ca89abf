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

}  // namespace plait

#define PLAIT_EACH_SET "plait/optim/each_set/sgd.inl"
#include "plait/kernels/each_set.hpp"

namespace plait {

template <class Scalar>
void SGD::update(const UpdateStep& step, std::span<Scalar> values, std::span<const Scalar> grad,
                 Moments<Scalar> moments) const {
  detail::move_tensor(*this, step, values, grad, moments);
}

#ifdef PLAIT_COMPILED
extern template void SGD::update<float>(const UpdateStep&, std::span<float>, std::span<const float>,
                                        Moments<float>) const;
extern template void SGD::update<double>(const UpdateStep&, std::span<double>,
                                         std::span<const double>, Moments<double>) const;
#endif

static_assert(OptimizerRule<SGD, float> && OptimizerRule<SGD, double>);

}  // namespace plait
