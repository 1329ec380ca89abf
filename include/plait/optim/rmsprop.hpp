// RMSprop (Hinton's lecture 6e, 2012): torch.optim.RMSprop.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plait/optim/rule.hpp"

namespace plait {

//   g  = grad + weight_decay p
//   s  = alpha s + (1 - alpha) g²
//   a  = alpha a + (1 - alpha) g           (centered only)
//   d  = g / (√(s - a² if centered, else s) + epsilon)
//   u  = momentum u + d                    (with momentum only; otherwise u = d)
//   p -= learning_rate u
//
// epsilon is outside the root; TensorFlow's is inside.
struct RMSprop {
  static constexpr std::string_view name = "RMSprop";

  double learning_rate = 1e-2;
  double alpha = 0.99;
  double epsilon = 1e-8;
  double weight_decay = 0;
  double momentum = 0;
  bool centered = false;

  void validate() const {
    detail::require_not_negative("RMSprop", "learning_rate", learning_rate);
    detail::require_below_one("RMSprop", "alpha", alpha);
    detail::require_above_zero("RMSprop", "epsilon", epsilon);
    detail::require_not_negative("RMSprop", "weight_decay", weight_decay);
    detail::require_not_negative("RMSprop", "momentum", momentum);
  }

  std::vector<std::string> moment_names() const {
    std::vector<std::string> names = {"square_avg"};
    if (momentum != 0) names.push_back("momentum_buffer");
    if (centered) names.push_back("grad_avg");
    return names;
  }

  void fields(FieldVisitor& visit) {
    visit("alpha", alpha);
    visit("epsilon", epsilon);
    visit("momentum", momentum);
    visit("centered", centered);
  }

  template <class Scalar>
  void update(const UpdateStep& step, std::span<Scalar> values, std::span<const Scalar> grad,
              Moments<Scalar> moments) const;
};

}  // namespace plait

#define PLAIT_EACH_SET "plait/optim/each_set/rmsprop.inl"
#include "plait/kernels/each_set.hpp"

namespace plait {

template <class Scalar>
void RMSprop::update(const UpdateStep& step, std::span<Scalar> values, std::span<const Scalar> grad,
                     Moments<Scalar> moments) const {
  detail::move_tensor(*this, step, values, grad, moments);
}

#ifdef PLAIT_COMPILED
extern template void RMSprop::update<float>(const UpdateStep&, std::span<float>,
                                            std::span<const float>, Moments<float>) const;
extern template void RMSprop::update<double>(const UpdateStep&, std::span<double>,
                                             std::span<const double>, Moments<double>) const;
#endif

static_assert(OptimizerRule<RMSprop, float> && OptimizerRule<RMSprop, double>);

}  // namespace plait
