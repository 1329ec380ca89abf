namespace plait::detail::PLAIT_SET {

template <class Scalar>
class NumberUpdate<SGD, Scalar> {
  using Packet = simd::Packet<Scalar>;

 public:
  NumberUpdate(const SGD& rule, const UpdateStep& step)
      : gradient_(step, step.weight_decay),
        rate_(static_cast<Scalar>(step.learning_rate)),
        keep_(static_cast<Scalar>(step.number == 1 ? 0 : rule.momentum)),
        add_(static_cast<Scalar>(step.number == 1 ? 1 : 1 - rule.dampening)),
        momentum_(static_cast<Scalar>(rule.momentum)),
        has_momentum_(rule.momentum != 0),
        is_nesterov_(rule.nesterov) {}

  template <class Moments>
  PLAIT_INLINE void operator()(Packet& p, const Packet& grad, const Moments& moments) const {
    Packet g = gradient_(grad, p);
    if (has_momentum_) {
      const Packet u = keep_ * moments.get(0) + add_ * g;
      moments.set(0, u);
      if (is_nesterov_) {
        g = g + momentum_ * u;
      } else {
        g = u;
      }
    }
    p = p - rate_ * g;
  }

 private:
  ScaledGradient<Scalar> gradient_;
  Scalar rate_;
  Scalar keep_;
  Scalar add_;
  Scalar momentum_;
  bool has_momentum_;
  bool is_nesterov_;
};

}  // namespace plait::detail::PLAIT_SET
