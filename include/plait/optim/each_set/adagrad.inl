namespace plait::detail::PLAIT_SET {

template <class R, class Scalar>
void adagrad_update(const R& rule, const UpdateStep& step, std::span<Scalar> values,
                    std::span<const Scalar> grad, Moments<Scalar> moments) {
  const double decay = 1 + static_cast<double>(step.number - 1) * rule.learning_rate_decay;
  const auto rate = static_cast<Scalar>(step.learning_rate / decay);
  const auto eps = static_cast<Scalar>(rule.epsilon);
  for_each_number(values, grad, moments, step.gradient_scale, step.weight_decay,
                  [&](auto& p, const auto& g, const auto& moment) PLAIT_INLINE {
                    const auto sum = moment.get(0) + g * g;
                    moment.set(0, sum);
                    p = p - rate * g / (simd::sqrt(sum) + eps);
                  });
}

}  // namespace plait::detail::PLAIT_SET
