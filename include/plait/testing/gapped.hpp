// Gapped: memory that tells when somebody reads or writes between the rows of a view.
#pragma once
#include <algorithm>
#include <cstring>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/view.hpp"

namespace plait::testing {

// Numbers in a view with gaps after every row, slot and sample, and around the whole. The gaps hold
// one value; whoever reads or writes beyond a row's end is found out.
template <class Scalar>
class Gapped {
 public:
  Gapped(Index batch, Shape shape, Scalar gap)
      : shape_(shape),
        batch_(batch),
        slot_stride_(shape.dim + 3),
        batch_stride_(shape.slots * slot_stride_ + 5),
        gap_(gap),
        storage_(static_cast<std::size_t>(2 * margin + batch * batch_stride_), gap) {}

  View3<Scalar> view() {
    return {
        storage_.data() + margin, batch_, shape_.slots, shape_.dim, batch_stride_, slot_stride_};
  }
  void fill(Scalar value) {
    for_each([&](Scalar& number) { number = value; });
  }
  std::vector<Scalar> contents() {
    std::vector<Scalar> result;
    for_each([&](const Scalar& number) { result.push_back(number); });
    return result;
  }
  // Compared bit by bit, since the gap may be NaN.
  bool gaps_intact() const {
    Gapped expected = *this;
    std::fill(expected.storage_.begin(), expected.storage_.end(), gap_);
    Gapped found = *this;
    found.fill(gap_);
    return std::memcmp(found.storage_.data(), expected.storage_.data(),
                       storage_.size() * sizeof(Scalar)) == 0;
  }

 private:
  static constexpr Index margin = 16;

  template <class F>
  void for_each(const F& f) {
    const auto all = view();
    for (Index b = 0; b < all.batch(); ++b)
      for (Index s = 0; s < all.slots(); ++s)
        for (Index d = 0; d < all.dim(); ++d) f(all(b, s, d));
  }

  Shape shape_;
  Index batch_;
  Index slot_stride_;
  Index batch_stride_;
  Scalar gap_;
  std::vector<Scalar> storage_;
};

}  // namespace plait::testing
