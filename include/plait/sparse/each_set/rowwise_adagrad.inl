namespace plait::kernels::PLAIT_SET {

template <class Scalar>
class RowUpdate<RowwiseAdagrad, Scalar> {
 public:
  RowUpdate(const RowwiseAdagrad& rule, const UpdateStep& step, Index)
      : rate_(static_cast<Scalar>(step.learning_rate)),
        epsilon_(static_cast<Scalar>(rule.epsilon)),
        scale_(static_cast<Scalar>(step.gradient_scale)),
        decay_(static_cast<Scalar>(step.weight_decay)),
        is_l2_(rule.decay == RowDecay::l2) {}

  PLAIT_INLINE void operator()(Index dim, Scalar* values, const Scalar* gradient,
                               Scalar* state) const {
    auto squares = simd::broadcast(Scalar(0));
    simd::for_each_packet<Scalar>(dim, [&](Index d, const auto& memory) PLAIT_INLINE {
      auto q = memory.load(gradient + d) * scale_;
      if (is_l2_) q = q + memory.load(values + d) * decay_;
      squares = squares + q * q;
    });
    const Scalar m = *state + simd::sum<Scalar>(squares) / static_cast<Scalar>(dim);
    *state = m;
    const Scalar k = rate_ / (simd::sqrt(simd::broadcast(m))[0] + epsilon_);
    const Scalar keep = Scalar(1) - (is_l2_ ? k : rate_) * decay_;
    simd::for_each_packet<Scalar>(dim, [&](Index d, const auto& memory) PLAIT_INLINE {
      const auto g = memory.load(gradient + d) * scale_;
      memory.store(values + d, memory.load(values + d) * keep - g * k);
    });
  }

 private:
  Scalar rate_;
  Scalar epsilon_;
  Scalar scale_;
  Scalar decay_;
  bool is_l2_;
};

}  // namespace plait::kernels::PLAIT_SET
