namespace plait::detail::PLAIT_SET {

template <class R, class Scalar>
void sgd_update(const R& rule, const UpdateStep& step, std::span<Scalar> values,
                std::span<const Scalar> grad, Moments<Scalar> moments) {
  const auto rate = static_cast<Scalar>(step.learning_rate);
  const auto keep = static_cast<Scalar>(step.number == 1 ? 0 : rule.momentum);
  const auto add = static_cast<Scalar>(step.number == 1 ? 1 : 1 - rule.dampening);
  const auto ahead = static_cast<Scalar>(rule.momentum);
  for_each_number(values, grad, moments, step.gradient_scale, step.weight_decay,
                  [&](auto& p, auto& g, const auto& moment) PLAIT_INLINE {
                    if (rule.momentum != 0) {
                      const auto u = keep * moment.get(0) + add * g;
                      moment.set(0, u);
                      if (rule.nesterov) {
                        g = g + ahead * u;
                      } else {
                        g = u;
                      }
                    }
                    p = p - rate * g;
                  });
}

}  // namespace plait::detail::PLAIT_SET
