namespace plait::detail::PLAIT_SET {

template <class R, class Scalar>
void ftrl_update(const R& rule, const UpdateStep& step, std::span<Scalar> values,
                 std::span<const Scalar> grad, Moments<Scalar> moments) {
  if (step.learning_rate == 0) return;
  const auto per_rate = static_cast<Scalar>(1 / step.learning_rate);
  const auto beta = static_cast<Scalar>(rule.beta);
  const auto l1 = static_cast<Scalar>(rule.l1);
  const auto l2 = static_cast<Scalar>(rule.l2);
  using P = simd::Packet<Scalar>;
  const P zero = simd::broadcast(Scalar(0));
  const auto with_sign = [&](Scalar size, const P& of) PLAIT_INLINE {
    const auto sized = simd::bits_of<Scalar>(simd::broadcast(size));
    const P number = simd::of_bits<Scalar>(sized | simd::sign_of<Scalar>(of));
    return of == zero ? zero : number;
  };
  for_each_number(values, grad, moments, step.gradient_scale, step.weight_decay,
                  [&](auto& p, const auto& g, const auto& moment) PLAIT_INLINE {
                    const P a = moment.get(1);
                    const P begin = zero - p * (beta * per_rate + l2) - with_sign(l1, p);
                    P z = a == zero ? begin : P(moment.get(0));
                    const P sum = a + g * g;
                    const P root = simd::sqrt(sum);
                    z = z + g - (root - simd::sqrt(a)) * per_rate * p;
                    moment.set(0, z);
                    moment.set(1, sum);
                    const P moved = (with_sign(l1, z) - z) / ((root + beta) * per_rate + l2);
                    p = simd::absolute<Scalar>(z) <= simd::broadcast(l1) ? zero : moved;
                  });
}

}  // namespace plait::detail::PLAIT_SET
