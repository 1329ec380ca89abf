namespace plait::kernels::PLAIT_SET {

template <class Scalar>
class RowUpdate<LazyAdam, Scalar> {
 public:
  RowUpdate(const LazyAdam& rule, const UpdateStep& step, Index)
      : rest1_(static_cast<Scalar>(1 - rule.beta1)),
        rest2_(static_cast<Scalar>(1 - rule.beta2)),
        epsilon_(static_cast<Scalar>(rule.epsilon)),
        scale_(static_cast<Scalar>(step.gradient_scale)),
        keep_(static_cast<Scalar>(1 - step.learning_rate * step.weight_decay)) {
    const auto n = static_cast<double>(step.number);
    rate_ = static_cast<Scalar>(step.learning_rate * std::sqrt(1 - std::pow(rule.beta2, n)) /
                                (1 - std::pow(rule.beta1, n)));
  }

  PLAIT_INLINE void operator()(Index dim, Scalar* values, const Scalar* gradient,
                               Scalar* state) const {
    simd::for_each_packet<Scalar>(dim, [&](Index d, const auto& memory) PLAIT_INLINE {
      const auto g = memory.load(gradient + d) * scale_;
      auto m = memory.load(state + d);
      auto v = memory.load(state + dim + d);
      m = m + (g - m) * rest1_;
      v = v + (g * g - v) * rest2_;
      memory.store(state + d, m);
      memory.store(state + dim + d, v);
      memory.store(values + d,
                   memory.load(values + d) * keep_ - m * rate_ / (simd::sqrt(v) + epsilon_));
    });
  }

 private:
  Scalar rest1_;
  Scalar rest2_;
  Scalar epsilon_;
  Scalar scale_;
  Scalar keep_;
  Scalar rate_;
};

}  // namespace plait::kernels::PLAIT_SET
