// Numbers shared with LibTorch, for the files that include it.
#pragma once
#include <torch/types.h>

#include <vector>

#include "plait/core/view.hpp"

namespace bench {

// A matrix as a tensor of this shape, which shows the matrix's own numbers.
inline torch::Tensor tensor_on(const plait::Matrix<float>& matrix,
                               const std::vector<std::int64_t>& shape) {
  return torch::from_blob(const_cast<float*>(matrix.data()), shape);
}
inline torch::Tensor tensor_on(const plait::Matrix<float>& matrix) {
  return tensor_on(matrix, {matrix.rows(), matrix.cols()});
}

// A copy, with the first dimension as rows.
inline plait::Matrix<float> matrix_of(const torch::Tensor& tensor) {
  const torch::Tensor rows = tensor.detach().flatten(1).contiguous();
  return Eigen::Map<const plait::Matrix<float>>(rows.data_ptr<float>(), rows.size(0), rows.size(1));
}

}  // namespace bench
