namespace plait::detail::PLAIT_SET {

template <class Scalar>
class NumberUpdate<Adagrad, Scalar> {
  using Packet = simd::Packet<Scalar>;

 public:
  NumberUpdate(const Adagrad& rule, const UpdateStep& step)
      : gradient_(step, step.weight_decay),
        rate_(static_cast<Scalar>(step.learning_rate / (1 + static_cast<double>(step.number - 1) *
                                                                rule.learning_rate_decay))),
        epsilon_(static_cast<Scalar>(rule.epsilon)) {}

  template <class Moments>
  PLAIT_INLINE void operator()(Packet& p, const Packet& grad, const Moments& moments) const {
    const Packet g = gradient_(grad, p);
    const Packet sum = moments.get(0) + g * g;
    moments.set(0, sum);
    p = p - rate_ * g / (simd::sqrt(sum) + epsilon_);
  }

 private:
  ScaledGradient<Scalar> gradient_;
  Scalar rate_;
  Scalar epsilon_;
};

}  // namespace plait::detail::PLAIT_SET
