// Adam (Kingma and Ba, ICLR 2015) and AdamW (Loshchilov and Hutter, ICLR 2019): torch.optim.Adam
// and torch.optim.AdamW.
#pragma once
#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plait/optim/rule.hpp"

namespace plait {

namespace detail {

template <class R>
void validate_adam(const char* name, const R& rule) {
  require_not_negative(name, "learning_rate", rule.learning_rate);
  require_below_one(name, "beta1", rule.beta1);
  require_below_one(name, "beta2", rule.beta2);
  require_above_zero(name, "epsilon", rule.epsilon);
  require_not_negative(name, "weight_decay", rule.weight_decay);
}

template <class R>
void visit_adam(FieldVisitor& visit, R& rule) {
  visit("beta1", rule.beta1);
  visit("beta2", rule.beta2);
  visit("epsilon", rule.epsilon);
  visit("amsgrad", rule.amsgrad);
}

inline std::vector<std::string> adam_moment_names(bool amsgrad) {
  std::vector<std::string> names = {"exp_avg", "exp_avg_sq"};
  if (amsgrad) names.push_back("max_exp_avg_sq");
  return names;
}

}  // namespace detail

//   g  = grad + weight_decay p
//   m  = beta1 m + (1 - beta1) g
//   v  = beta2 v + (1 - beta2) g²
//   p -= learning_rate / (1 - beta1^n) m / (√v / √(1 - beta2^n) + epsilon)
//
// n counts the optimizer's steps. With amsgrad √v is that of the largest v so far.
struct Adam {
  static constexpr std::string_view name = "Adam";

  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool amsgrad = false;

  void validate() const { detail::validate_adam("Adam", *this); }
  std::vector<std::string> moment_names() const { return detail::adam_moment_names(amsgrad); }

  void fields(FieldVisitor& visit) { detail::visit_adam(visit, *this); }

  template <class Scalar>
  void update(const UpdateStep& step, std::span<Scalar> values, std::span<const Scalar> grad,
              Moments<Scalar> moments) const;
};

// Adam whose weight decay shrinks the values instead: g = grad, and
// p *= 1 - learning_rate weight_decay before the rest.
struct AdamW {
  static constexpr std::string_view name = "AdamW";

  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 1e-2;
  bool amsgrad = false;

  void validate() const { detail::validate_adam("AdamW", *this); }
  std::vector<std::string> moment_names() const { return detail::adam_moment_names(amsgrad); }

  void fields(FieldVisitor& visit) { detail::visit_adam(visit, *this); }

  template <class Scalar>
  void update(const UpdateStep& step, std::span<Scalar> values, std::span<const Scalar> grad,
              Moments<Scalar> moments) const;
};

}  // namespace plait

#define PLAIT_EACH_SET "plait/optim/each_set/adam.inl"
#include "plait/kernels/each_set.hpp"

namespace plait {

template <class Scalar>
void Adam::update(const UpdateStep& step, std::span<Scalar> values, std::span<const Scalar> grad,
                  Moments<Scalar> moments) const {
  detail::move_tensor(*this, step, values, grad, moments);
}

template <class Scalar>
void AdamW::update(const UpdateStep& step, std::span<Scalar> values, std::span<const Scalar> grad,
                   Moments<Scalar> moments) const {
  detail::move_tensor(*this, step, values, grad, moments);
}

#ifdef PLAIT_COMPILED
extern template void Adam::update<float>(const UpdateStep&, std::span<float>,
                                         std::span<const float>, Moments<float>) const;
extern template void Adam::update<double>(const UpdateStep&, std::span<double>,
                                          std::span<const double>, Moments<double>) const;
extern template void AdamW::update<float>(const UpdateStep&, std::span<float>,
                                          std::span<const float>, Moments<float>) const;
extern template void AdamW::update<double>(const UpdateStep&, std::span<double>,
                                           std::span<const double>, Moments<double>) const;
#endif

static_assert(OptimizerRule<Adam, float> && OptimizerRule<Adam, double>);
static_assert(OptimizerRule<AdamW, float> && OptimizerRule<AdamW, double>);

}  // namespace plait
