// Cross-entropy of one sample's class logits.
#pragma once
#include <algorithm>
#include <cmath>
#include <string>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/view.hpp"
#include "plait/kernels/softmax.hpp"
#include "plait/losses/loss.hpp"

namespace plait {

// Loss of the logits z [classes] against the class `label`:
//
//   loss  = log Σ_k exp(z_k) - z_label
//   dz_k  = p_k - [k = label],  p = softmax(z)
//
// (torch.nn.CrossEntropyLoss). dz [classes] may be null and must not overlap z. Shifted by the
// largest logit, so nothing overflows; the largest term is kept out of the logarithm and the label
// out of its own gradient, so a sample that is almost right keeps its small loss and gradient.
template <class Scalar>
Scalar softmax_cross_entropy(const Scalar* z, Index classes, Index label, Scalar* dz) {
  PLAIT_ASSERT(0 <= label && label < classes);
  const Index top = std::max_element(z, z + classes) - z;
  Scalar rest = 0;  // Σ_{k ≠ top} exp(z_k - z_top)
  for (Index k = 0; k < classes; ++k)
    if (k != top) rest += std::exp(z[k] - z[top]);
  if (dz) {
    Scalar others = 0;  // Σ_{k ≠ label} p_k
    for (Index k = 0; k < classes; ++k) {
      dz[k] = std::exp(z[k] - z[top]) / (1 + rest);
      if (k != label) others += dz[k];
    }
    dz[label] = -others;
  }
  return (z[top] - z[label]) + std::log1p(rest);
}

// Labels are the indices of classes. Predicts softmax(z).
struct SoftmaxLoss {
  Index classes = 2;

  Index width() const { return classes; }
  bool accepts(double y) const {
    return y >= 0 && y < static_cast<double>(classes) && y == std::floor(y);
  }
  std::string label_domain() const { return text("the index of a class below ", classes); }
  template <class Scalar>
  Scalar operator()(const Scalar* z, Scalar y, Scalar* dz) const {
    return softmax_cross_entropy(z, classes, static_cast<Index>(y), dz);
  }
  template <class Scalar>
  void predict(const Scalar* z, Scalar* out) const {
    if (out != z) std::copy(z, z + classes, out);
    kernels::softmax(1, View3<Scalar>(out, 1, 1, classes));
  }
};

static_assert(SampleLoss<SoftmaxLoss, float>);

}  // namespace plait
