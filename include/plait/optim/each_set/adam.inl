namespace plait::detail::PLAIT_SET {

template <class R, class Scalar>
void adam_update(const R& rule, const UpdateStep& step, double decay, double shrink,
                 std::span<Scalar> values, std::span<const Scalar> grad, Moments<Scalar> moments) {
  const auto n = static_cast<double>(step.number);
  const auto beta1 = static_cast<Scalar>(rule.beta1);
  const auto beta2 = static_cast<Scalar>(rule.beta2);
  const auto rest1 = static_cast<Scalar>(1 - rule.beta1);
  const auto rest2 = static_cast<Scalar>(1 - rule.beta2);
  const auto rate = static_cast<Scalar>(step.learning_rate / (1 - std::pow(rule.beta1, n)));
  const auto root = static_cast<Scalar>(std::sqrt(1 - std::pow(rule.beta2, n)));
  const auto epsilon = static_cast<Scalar>(rule.epsilon);
  const auto keep = static_cast<Scalar>(1 - shrink);
  for_each_number(values, grad, moments, step.gradient_scale, decay,
                  [&](auto& p, const auto& g, const auto& moment) PLAIT_INLINE {
                    const auto m = beta1 * moment.get(0) + rest1 * g;
                    auto v = beta2 * moment.get(1) + rest2 * (g * g);
                    moment.set(0, m);
                    moment.set(1, v);
                    if (rule.amsgrad) {
                      v = simd::larger(moment.get(2), v);
                      moment.set(2, v);
                    }
                    if (shrink != 0) p = p * keep;
                    p = p - rate * m / (simd::sqrt(v) / root + epsilon);
                  });
}

}  // namespace plait::detail::PLAIT_SET
