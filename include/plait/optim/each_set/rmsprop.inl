namespace plait::detail::PLAIT_SET {

template <class R, class Scalar>
void rmsprop_update(const R& rule, const UpdateStep& step, std::span<Scalar> values,
                    std::span<const Scalar> grad, Moments<Scalar> moments) {
  const auto rate = static_cast<Scalar>(step.learning_rate);
  const auto keep = static_cast<Scalar>(rule.alpha);
  const auto add = static_cast<Scalar>(1 - rule.alpha);
  const auto eps = static_cast<Scalar>(rule.epsilon);
  const auto mu = static_cast<Scalar>(rule.momentum);
  for_each_number(values, grad, moments, step.gradient_scale, step.weight_decay,
                  [&](auto& p, auto& g, const auto& moment) PLAIT_INLINE {
                    const auto s = keep * moment.get(0) + add * (g * g);
                    moment.set(0, s);
                    if (rule.centered) {
                      const Index k = rule.momentum != 0 ? 2 : 1;
                      const auto a = keep * moment.get(k) + add * g;
                      moment.set(k, a);
                      const auto variance =
                          simd::larger(s - a * a, simd::broadcast(Scalar(0)));  // of rounding
                      g = g / (simd::sqrt(variance) + eps);
                    } else {
                      g = g / (simd::sqrt(s) + eps);
                    }
                    if (rule.momentum != 0) {
                      g = mu * moment.get(1) + g;
                      moment.set(1, g);
                    }
                    p = p - rate * g;
                  });
}

}  // namespace plait::detail::PLAIT_SET
