// Hash of numbers by their bits.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace redesign {

// FNV-1a over the bytes of numbers.
class Hash {
 public:
  template <class Scalar>
  void add(std::span<const Scalar> numbers) {
    for (const std::byte byte : std::as_bytes(numbers)) {
      value_ ^= static_cast<std::uint64_t>(byte);
      value_ *= 1099511628211u;
    }
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 14695981039346656037u;
};

}  // namespace redesign
