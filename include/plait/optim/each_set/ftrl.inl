namespace plait::detail::PLAIT_SET {

template <class Scalar>
class NumberUpdate<FTRL, Scalar> {
  using Packet = simd::Packet<Scalar>;

 public:
  NumberUpdate(const FTRL& rule, const UpdateStep& step)
      : gradient_(step, step.weight_decay),
        per_rate_(static_cast<Scalar>(1 / step.learning_rate)),
        beta_(static_cast<Scalar>(rule.beta)),
        l1_(static_cast<Scalar>(rule.l1)),
        l2_(static_cast<Scalar>(rule.l2)),
        moves_(step.learning_rate != 0) {}

  template <class Moments>
  PLAIT_INLINE void operator()(Packet& p, const Packet& grad, const Moments& moments) const {
    if (!moves_) return;
    const Packet zero = simd::broadcast(Scalar(0));
    const Packet g = gradient_(grad, p);
    const Packet a = moments.get(1);
    const Packet begin = zero - p * (beta_ * per_rate_ + l2_) - with_sign(l1_, p);
    Packet z = a == zero ? begin : Packet(moments.get(0));
    const Packet sum = a + g * g;
    const Packet root = simd::sqrt(sum);
    z = z + g - (root - simd::sqrt(a)) * per_rate_ * p;
    moments.set(0, z);
    moments.set(1, sum);
    const Packet moved = (with_sign(l1_, z) - z) / ((root + beta_) * per_rate_ + l2_);
    p = simd::absolute<Scalar>(z) <= simd::broadcast(l1_) ? zero : moved;
  }

 private:
  PLAIT_INLINE static Packet with_sign(Scalar size, const Packet& of) {
    const auto sized = simd::bits_of<Scalar>(simd::broadcast(size));
    const Packet number = simd::of_bits<Scalar>(sized | simd::sign_of<Scalar>(of));
    const Packet zero = simd::broadcast(Scalar(0));
    return of == zero ? zero : number;
  }

  ScaledGradient<Scalar> gradient_;
  Scalar per_rate_;
  Scalar beta_;
  Scalar l1_;
  Scalar l2_;
  bool moves_;
};

}  // namespace plait::detail::PLAIT_SET
