// Rows of a column-major matrix are not contiguous.
#include "plait/core/view.hpp"

plait::View3<const float> column_major(const Eigen::MatrixXf& matrix) {
  return plait::View3<const float>(matrix);
}
