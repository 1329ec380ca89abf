// One row of a column-major matrix is a row-major vector whose numbers lie apart.
#include "plait/core/view.hpp"

plait::View3<const float> strided_row(const Eigen::MatrixXf& matrix) {
  return plait::View3<const float>(matrix.row(0));
}
