namespace plait::detail::PLAIT_SET {

// Both rules once their weight decay is dealt with: g = gradient_scale grad + decay p, values are
// multiplied by 1 - shrink before the rest.
template <class Scalar>
class AdamUpdate {
  using Packet = simd::Packet<Scalar>;

 public:
  template <class R>
  AdamUpdate(const R& rule, const UpdateStep& step, double decay, double shrink)
      : gradient_(step, decay),
        beta1_(static_cast<Scalar>(rule.beta1)),
        beta2_(static_cast<Scalar>(rule.beta2)),
        rest1_(static_cast<Scalar>(1 - rule.beta1)),
        rest2_(static_cast<Scalar>(1 - rule.beta2)),
        epsilon_(static_cast<Scalar>(rule.epsilon)),
        keep_(static_cast<Scalar>(1 - shrink)),
        shrinks_(shrink != 0),
        is_amsgrad_(rule.amsgrad) {
    const auto n = static_cast<double>(step.number);
    rate_ = static_cast<Scalar>(step.learning_rate / (1 - std::pow(rule.beta1, n)));
    root_ = static_cast<Scalar>(std::sqrt(1 - std::pow(rule.beta2, n)));
  }

  template <class Moments>
  PLAIT_INLINE void operator()(Packet& p, const Packet& grad, const Moments& moments) const {
    const Packet g = gradient_(grad, p);
    const Packet m = beta1_ * moments.get(0) + rest1_ * g;
    Packet v = beta2_ * moments.get(1) + rest2_ * (g * g);
    moments.set(0, m);
    moments.set(1, v);
    if (is_amsgrad_) {
      v = simd::larger(moments.get(2), v);
      moments.set(2, v);
    }
    if (shrinks_) p = p * keep_;
    p = p - rate_ * m / (simd::sqrt(v) / root_ + epsilon_);
  }

 private:
  ScaledGradient<Scalar> gradient_;
  Scalar beta1_;
  Scalar beta2_;
  Scalar rest1_;
  Scalar rest2_;
  Scalar epsilon_;
  Scalar keep_;
  Scalar rate_;
  Scalar root_;
  bool shrinks_;
  bool is_amsgrad_;
};

template <class Scalar>
class NumberUpdate<Adam, Scalar> : public AdamUpdate<Scalar> {
 public:
  NumberUpdate(const Adam& rule, const UpdateStep& step)
      : AdamUpdate<Scalar>(rule, step, step.weight_decay, 0) {}
};

template <class Scalar>
class NumberUpdate<AdamW, Scalar> : public AdamUpdate<Scalar> {
 public:
  NumberUpdate(const AdamW& rule, const UpdateStep& step)
      : AdamUpdate<Scalar>(rule, step, 0, step.learning_rate * step.weight_decay) {}
};

}  // namespace plait::detail::PLAIT_SET
