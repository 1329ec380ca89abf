namespace plait::kernels::PLAIT_SET {

template <class Scalar>
class RowUpdate<RowwiseAdam, Scalar> {
 public:
  RowUpdate(const RowwiseAdam& rule, const UpdateStep& step, Index)
      : beta1_(static_cast<Scalar>(rule.beta1)),
        beta2_(static_cast<Scalar>(rule.beta2)),
        rest1_(static_cast<Scalar>(1 - rule.beta1)),
        rest2_(static_cast<Scalar>(1 - rule.beta2)),
        epsilon_(static_cast<Scalar>(rule.epsilon)),
        scale_(static_cast<Scalar>(step.gradient_scale)),
        keep_(static_cast<Scalar>(1 - step.learning_rate * step.weight_decay)) {
    const auto n = static_cast<double>(step.number);
    rate_ = static_cast<Scalar>(step.learning_rate / (1 - std::pow(rule.beta1, n)));
    correction_ = static_cast<Scalar>(1 / (1 - std::pow(rule.beta2, n)));
  }

  PLAIT_INLINE void operator()(Index dim, Scalar* values, const Scalar* gradient,
                               Scalar* state) const {
    auto squares = simd::broadcast(Scalar(0));
    simd::for_each_packet<Scalar>(dim, [&](Index d, const auto& memory) PLAIT_INLINE {
      const auto g = memory.load(gradient + d) * scale_;
      squares = squares + g * g;
    });
    const Scalar v =
        beta2_ * state[dim] + rest2_ * (simd::sum<Scalar>(squares) / static_cast<Scalar>(dim));
    state[dim] = v;
    const Scalar k = rate_ / (simd::sqrt(simd::broadcast(v * correction_))[0] + epsilon_);
    simd::for_each_packet<Scalar>(dim, [&](Index d, const auto& memory) PLAIT_INLINE {
      const auto m = memory.load(state + d) * beta1_ + memory.load(gradient + d) * scale_ * rest1_;
      memory.store(state + d, m);
      memory.store(values + d, memory.load(values + d) * keep_ - m * k);
    });
  }

 private:
  Scalar beta1_;
  Scalar beta2_;
  Scalar rest1_;
  Scalar rest2_;
  Scalar epsilon_;
  Scalar scale_;
  Scalar keep_;
  Scalar rate_;
  Scalar correction_;
};

}  // namespace plait::kernels::PLAIT_SET
