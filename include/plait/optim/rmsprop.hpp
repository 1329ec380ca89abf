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

template <class Scalar>
void RMSprop::update(const UpdateStep& step, std::span<Scalar> values, std::span<const Scalar> grad,
                     Moments<Scalar> moments) const {
  const auto rate = static_cast<Scalar>(step.learning_rate);
  const auto keep = static_cast<Scalar>(alpha);
  const auto add = static_cast<Scalar>(1 - alpha);
  const auto eps = static_cast<Scalar>(epsilon);
  const auto mu = static_cast<Scalar>(momentum);
  using simd::larger;
  using std::sqrt;
  detail::for_each_number(
      values, grad, moments, step.gradient_scale, step.weight_decay,
      [&](auto& p, auto& g, const auto& moment, const auto& set_moment) PLAIT_INLINE {
        const auto s = keep * moment(0) + add * (g * g);
        set_moment(0, s);
        if (centered) {
          const Index k = momentum != 0 ? 2 : 1;
          const auto a = keep * moment(k) + add * g;
          set_moment(k, a);
          g = g / (sqrt(larger(s - a * a, Scalar(0))) + eps);  // rounding may go below 0
        } else {
          g = g / (sqrt(s) + eps);
        }
        if (momentum != 0) {
          g = mu * moment(1) + g;
          set_moment(1, g);
        }
        p = p - rate * g;
      });
}

#ifdef PLAIT_COMPILED
extern template void RMSprop::update<float>(const UpdateStep&, std::span<float>,
                                            std::span<const float>, Moments<float>) const;
extern template void RMSprop::update<double>(const UpdateStep&, std::span<double>,
                                             std::span<const double>, Moments<double>) const;
#endif

static_assert(OptimizerRule<RMSprop, float> && OptimizerRule<RMSprop, double>);

}  // namespace plait
