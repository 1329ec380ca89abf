// FTRL-proximal (McMahan et al., "Ad Click Prediction: a View from the Trenches", KDD 2013,
// algorithm 1).
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plait/optim/rule.hpp"

namespace plait {

//   g  = grad + weight_decay p
//   σ  = (√(a + g²) - √a) / learning_rate
//   z += g - σ p
//   a += g²
//   p  = 0                                                            where |z| <= l1
//        -(z - sign(z) l1) / ((beta + √a) / learning_rate + l2)       elsewhere
//
// A parameter's z begins, at its first gradient, as -p (beta / learning_rate + l2) - sign(p) l1,
// whose p is the one that it started with: from z = 0 the first step would throw that away. With
// l1 = l2 = 0, p -= learning_rate g / (beta + √a).
//
// z is a sum over steps at one rate: under a schedule parameters would move with the rate alone, so
// leave it constant. A rate of 0 moves nothing.
struct FTRL {
  static constexpr std::string_view name = "FTRL";

  double learning_rate = 0.05;  // α of the paper
  double beta = 1;
  double l1 = 0;
  double l2 = 0;
  double weight_decay = 0;

  void validate() const {
    detail::require_above_zero("FTRL", "learning_rate", learning_rate);
    detail::require_above_zero("FTRL", "beta", beta);
    detail::require_not_negative("FTRL", "l1", l1);
    detail::require_not_negative("FTRL", "l2", l2);
    detail::require_not_negative("FTRL", "weight_decay", weight_decay);
  }

  std::vector<std::string> moment_names() const { return {"z", "sum"}; }

  void fields(FieldVisitor& visit) {
    visit("beta", beta);
    visit("l1", l1);
    visit("l2", l2);
  }

  template <class Scalar>
  void update(const UpdateStep& step, std::span<Scalar> values, std::span<const Scalar> grad,
              Moments<Scalar> moments) const;
};

}  // namespace plait

#define PLAIT_EACH_SET "plait/optim/each_set/ftrl.inl"
#include "plait/kernels/each_set.hpp"

namespace plait {

template <class Scalar>
void FTRL::update(const UpdateStep& step, std::span<Scalar> values, std::span<const Scalar> grad,
                  Moments<Scalar> moments) const {
  detail::move_tensor(*this, step, values, grad, moments);
}

#ifdef PLAIT_COMPILED
extern template void FTRL::update<float>(const UpdateStep&, std::span<float>,
                                         std::span<const float>, Moments<float>) const;
extern template void FTRL::update<double>(const UpdateStep&, std::span<double>,
                                          std::span<const double>, Moments<double>) const;
#endif

static_assert(OptimizerRule<FTRL, float> && OptimizerRule<FTRL, double>);

}  // namespace plait
