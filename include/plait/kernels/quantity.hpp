// Quantity: a packet that is written as the number it stands for, for formulas that are the same
// for every number of a tensor.
#pragma once
#include <type_traits>

#include "plait/core/config.hpp"
#include "plait/kernels/packet.hpp"

namespace plait::simd {

template <class Scalar>
struct Quantity {
  Packet<Scalar> packet;

  Quantity(const Packet<Scalar>& p) : packet(p) {}
  Quantity(std::type_identity_t<Scalar> number) requires(!std::is_same_v<Packet<Scalar>, Scalar>)
      : packet(broadcast(number)) {}

  friend PLAIT_INLINE inline Quantity operator+(const Quantity& a, const Quantity& b) {
    return Eigen::internal::padd(a.packet, b.packet);
  }
  friend PLAIT_INLINE inline Quantity operator-(const Quantity& a, const Quantity& b) {
    return Eigen::internal::psub(a.packet, b.packet);
  }
  friend PLAIT_INLINE inline Quantity operator*(const Quantity& a, const Quantity& b) {
    return Eigen::internal::pmul(a.packet, b.packet);
  }
  friend PLAIT_INLINE inline Quantity operator/(const Quantity& a, const Quantity& b) {
    return Eigen::internal::pdiv(a.packet, b.packet);
  }
  friend PLAIT_INLINE inline Quantity sqrt(const Quantity& a) { return simd::psqrt(a.packet); }
  friend PLAIT_INLINE inline Quantity larger(const Quantity& a, const Quantity& b) {
    return simd::pmax(a.packet, b.packet);
  }
};

// As of packets.
template <class Scalar>
requires std::is_floating_point_v<Scalar> Scalar larger(Scalar a, Scalar b) {
  return a < b ? b : a;
}

}  // namespace plait::simd
