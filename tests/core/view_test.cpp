// View3: strides, sub-views, broadcast and conversions from Eigen.
#include "plait/core/view.hpp"

#include "support/catch.hpp"

using plait::Index;
using plait::View3;

TEST_CASE("a contiguous view strides over slots and samples", "[view]") {
  float data[24] = {};
  const View3<float> view(data, 2, 3, 4);
  CHECK(view.batch_stride() == 12);
  CHECK(view.slot_stride() == 4);
  CHECK(&view(1, 2, 3) == data + 23);
  CHECK(view.row(1) == data + 12);
  CHECK(view.shape() == plait::Shape{3, 4});
}
