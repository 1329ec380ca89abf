namespace plait::detail::PLAIT_SET {

template <class Scalar>
class NumberUpdate<RMSprop, Scalar> {
  using Packet = simd::Packet<Scalar>;

 public:
  NumberUpdate(const RMSprop& rule, const UpdateStep& step)
      : gradient_(step, step.weight_decay),
        rate_(static_cast<Scalar>(step.learning_rate)),
        keep_(static_cast<Scalar>(rule.alpha)),
        add_(static_cast<Scalar>(1 - rule.alpha)),
        epsilon_(static_cast<Scalar>(rule.epsilon)),
        momentum_(static_cast<Scalar>(rule.momentum)),
        has_momentum_(rule.momentum != 0),
        is_centered_(rule.centered) {}

  template <class Moments>
  PLAIT_INLINE void operator()(Packet& p, const Packet& grad, const Moments& moments) const {
    Packet g = gradient_(grad, p);
    const Packet s = keep_ * moments.get(0) + add_ * (g * g);
    moments.set(0, s);
    if (is_centered_) {
      const Index k = has_momentum_ ? 2 : 1;
      const Packet a = keep_ * moments.get(k) + add_ * g;
      moments.set(k, a);
      const Packet variance = simd::larger(s - a * a, simd::broadcast(Scalar(0)));  // of rounding
      g = g / (simd::sqrt(variance) + epsilon_);
    } else {
      g = g / (simd::sqrt(s) + epsilon_);
    }
    if (has_momentum_) {
      g = momentum_ * moments.get(1) + g;
      moments.set(1, g);
    }
    p = p - rate_ * g;
  }

 private:
  ScaledGradient<Scalar> gradient_;
  Scalar rate_;
  Scalar keep_;
  Scalar add_;
  Scalar epsilon_;
  Scalar momentum_;
  bool has_momentum_;
  bool is_centered_;
};

}  // namespace plait::detail::PLAIT_SET
