// Dropout: numbers that a layer does without, at random, in training.
//
//   h'_j = m_j h_j             m_j = 0 with probability p, else 1 / (1 - p)
//
// so that E[h'] = h, and scoring takes h. m of a row and column depends on the stream, the row's
// place in the batch and the column alone: on no tile, lane or thread. Backward: dh = m ⊙ dh'.
// Source: Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting",
// JMLR 15 (2014); scaled in training as torch.nn.Dropout.
#pragma once
#include <cstdint>

#include "plait/core/config.hpp"
#include "plait/core/counter_random.hpp"
#include "plait/core/view.hpp"

namespace plait {

// h [B, 1, n] to h', in place; m goes to mask [B, 1, n], which may be empty. `first_row` is the
// first of them in the batch.
template <class Scalar>
void dropout(double rate, const CounterRandom& stream, Index first_row, View3<Scalar> h,
             View3<Scalar> mask) {
  const auto scale = static_cast<Scalar>(1 / (1 - rate));
  const auto dropped = static_cast<std::uint64_t>(rate * 0x1.0p32);
  for (Index b = 0; b < h.batch(); ++b) {
    const CounterRandom of_row = stream.at(static_cast<std::uint64_t>(first_row + b));
    Scalar* const row = h.row(b);
    Scalar* const m = mask ? mask.row(b) : nullptr;
    std::uint64_t bits = 0;  // 32 of them for a number
    for (Index j = 0; j < h.dim(); ++j) {
      bits = j % 2 == 0 ? of_row.at(static_cast<std::uint64_t>(j / 2)).bits() : bits >> 32;
      const bool keeps = (bits & 0xffffffffu) >= dropped;
      row[j] = keeps ? scale * row[j] : Scalar(0);
      if (m != nullptr) m[j] = keeps ? scale : Scalar(0);
    }
  }
}

}  // namespace plait
