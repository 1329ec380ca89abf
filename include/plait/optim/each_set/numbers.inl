namespace plait::detail::PLAIT_SET {

// The moments of a packet of numbers.
template <class Scalar, class Memory>
class MomentsAt {
 public:
  PLAIT_INLINE MomentsAt(const Moments<Scalar>& moments, Index i, Memory memory)
      : moments_(moments), i_(i), memory_(memory) {}
  PLAIT_INLINE simd::Packet<Scalar> get(Index k) const {
    return memory_.load(moments_[k].data() + i_);
  }
  PLAIT_INLINE void set(Index k, const simd::Packet<Scalar>& v) const {
    memory_.store(moments_[k].data() + i_, v);
  }

 private:
  const Moments<Scalar>& moments_;
  Index i_;
  Memory memory_;
};

// Calls body(p, g, moments) for all numbers of a tensor, a packet at a time: p are their values,
// which body changes, g = scale * grad + decay * p, moments.get(k) is moment k, and
// moments.set(k, v) makes it v. Packets rather than plain numbers because compilers do not
// vectorise std::sqrt, which may set errno. Declare body PLAIT_INLINE.
template <class Scalar, class Body>
void for_each_number(std::span<Scalar> values, std::span<const Scalar> grad,
                     const Moments<Scalar>& moments, double scale, double decay, const Body& body) {
  const auto of_gradient = static_cast<Scalar>(scale);
  const auto of_value = static_cast<Scalar>(decay);
  simd::for_each_packet<Scalar>(std::ssize(values), [&](Index i, const auto& memory) PLAIT_INLINE {
    auto p = memory.load(values.data() + i);
    auto g = memory.load(grad.data() + i) * of_gradient;
    if (decay != 0) g = g + of_value * p;
    body(p, g, MomentsAt(moments, i, memory));
    memory.store(values.data() + i, p);
  });
}

}  // namespace plait::detail::PLAIT_SET
