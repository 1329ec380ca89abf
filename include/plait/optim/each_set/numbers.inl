namespace plait::detail::PLAIT_SET {

// One step of a rule that moves every number alike, by packets because compilers do not vectorise
// std::sqrt, which may set errno. A rule that plait has specialises it:
//
//   NumberUpdate(rule, step)                   computes what is the same for all numbers
//   operator()(p, grad, moments)               moves the packet p, given its gradient;
//                                              moments.get(k) is moment k, moments.set(k, v) makes
//                                              it v
//
// Declare operator() PLAIT_INLINE.
template <class R, class Scalar>
class NumberUpdate;

// g = gradient_scale grad + decay p.
template <class Scalar>
class ScaledGradient {
  using Packet = simd::Packet<Scalar>;

 public:
  ScaledGradient(const UpdateStep& step, double decay)
      : scale_(static_cast<Scalar>(step.gradient_scale)),
        decay_(static_cast<Scalar>(decay)),
        decays_(decay != 0) {}
  PLAIT_INLINE Packet operator()(const Packet& grad, const Packet& p) const {
    const Packet g = grad * scale_;
    return decays_ ? g + decay_ * p : g;
  }

 private:
  Scalar scale_;
  Scalar decay_;
  bool decays_;
};

// The moments of a packet of numbers, which begin at first_of(k).
template <class FirstOf, class Memory>
class MomentsAt {
 public:
  PLAIT_INLINE MomentsAt(const FirstOf& first_of, Index i, const Memory& memory)
      : first_of_(first_of), i_(i), memory_(memory) {}
  PLAIT_INLINE auto get(Index k) const { return memory_.load(first_of_(k) + i_); }
  template <class Packet>
  PLAIT_INLINE void set(Index k, const Packet& v) const {
    memory_.store(first_of_(k) + i_, v);
  }

 private:
  const FirstOf& first_of_;
  Index i_;
  const Memory& memory_;
};

// Moves `count` numbers; moment k of them begins at first_of(k). Declare first_of PLAIT_INLINE.
template <class R, class Scalar, class FirstOf>
PLAIT_INLINE inline void move_numbers(const NumberUpdate<R, Scalar>& update, Index count,
                                      Scalar* values, const Scalar* grad, const FirstOf& first_of) {
  simd::for_each_packet<Scalar>(count, [&](Index i, const auto& memory) PLAIT_INLINE {
    auto p = memory.load(values + i);
    update(p, memory.load(grad + i), MomentsAt(first_of, i, memory));
    memory.store(values + i, p);
  });
}

template <class R, class Scalar>
void move_tensor(const R& rule, const UpdateStep& step, std::span<Scalar> values,
                 std::span<const Scalar> grad, const Moments<Scalar>& moments) {
  const NumberUpdate<R, Scalar> update(rule, step);
  move_numbers(update, std::ssize(values), values.data(), grad.data(),
               [&](Index k) PLAIT_INLINE { return moments[k].data(); });
}

}  // namespace plait::detail::PLAIT_SET
