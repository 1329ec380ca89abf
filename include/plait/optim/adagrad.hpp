// Adagrad (Duchi et al., JMLR 2011): torch.optim.Adagrad.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plait/optim/rule.hpp"

namespace plait {

//   g  = grad + weight_decay p
//   s += g², from s = initial_accumulator (0; TensorFlow starts at 0.1)
//   p -= learning_rate / (1 + (n - 1) learning_rate_decay) g / (√s + epsilon)
//
// n counts the optimizer's steps, from 1.
struct Adagrad {
  static constexpr std::string_view name = "Adagrad";

  double learning_rate = 1e-2;
  double learning_rate_decay = 0;
  double weight_decay = 0;
  double initial_accumulator = 0;
  double epsilon = 1e-10;

  void validate() const {
    detail::require_not_negative("Adagrad", "learning_rate", learning_rate);
    detail::require_not_negative("Adagrad", "learning_rate_decay", learning_rate_decay);
    detail::require_not_negative("Adagrad", "weight_decay", weight_decay);
    detail::require_not_negative("Adagrad", "initial_accumulator", initial_accumulator);
    detail::require_above_zero("Adagrad", "epsilon", epsilon);
  }

  std::vector<std::string> moment_names() const { return {"sum"}; }
  double initial_moment(Index) const { return initial_accumulator; }

  void fields(FieldVisitor& visit) {
    visit("learning_rate_decay", learning_rate_decay);
    visit("initial_accumulator", initial_accumulator);
    visit("epsilon", epsilon);
  }

  template <class Scalar>
  void update(const UpdateStep& step, std::span<Scalar> values, std::span<const Scalar> grad,
              Moments<Scalar> moments) const;
};

}  // namespace plait

#define PLAIT_EACH_SET "plait/optim/each_set/adagrad.inl"
#include "plait/kernels/each_set.hpp"

namespace plait {

template <class Scalar>
void Adagrad::update(const UpdateStep& step, std::span<Scalar> values, std::span<const Scalar> grad,
                     Moments<Scalar> moments) const {
  detail::move_tensor(*this, step, values, grad, moments);
}

#ifdef PLAIT_COMPILED
extern template void Adagrad::update<float>(const UpdateStep&, std::span<float>,
                                            std::span<const float>, Moments<float>) const;
extern template void Adagrad::update<double>(const UpdateStep&, std::span<double>,
                                             std::span<const double>, Moments<double>) const;
#endif

static_assert(OptimizerRule<Adagrad, float> && OptimizerRule<Adagrad, double>);

}  // namespace plait
