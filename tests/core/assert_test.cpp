// PLAIT_ASSERT: replaceable, and present where an index could leave its view.
#include <stdexcept>

#define PLAIT_ASSERT(condition) \
  if (!(condition)) throw std::logic_error(#condition)

#include "plait/core/random.hpp"
#include "plait/core/tensor.hpp"
#include "plait/core/view.hpp"
#include "support/catch.hpp"

TEST_CASE("views assert that indices are inside", "[assert]") {
  plait::Tensor<float> tensor(2, 3, 4);
  const auto view = tensor.view();
  CHECK_NOTHROW(view(1, 2, 3));
  CHECK_THROWS_AS(view(2, 0, 0), std::logic_error);
  CHECK_THROWS_AS(view(0, 3, 0), std::logic_error);
  CHECK_THROWS_AS(view(0, 0, 4), std::logic_error);
  CHECK_THROWS_AS(view(0, 0, -1), std::logic_error);
  CHECK_THROWS_AS(view.rows(1, 2), std::logic_error);
  CHECK_THROWS_AS(view.slot_range(-1, 1), std::logic_error);
  CHECK_THROWS_AS(view.columns(3, 2), std::logic_error);
  CHECK_THROWS_AS(view.of_slot(3), std::logic_error);
  CHECK_THROWS_AS(view.of_sample(2), std::logic_error);
  CHECK_THROWS_AS(view.broadcast(2), std::logic_error);  // of three slots
}

TEST_CASE("negative sizes and empty ranges are asserted", "[assert]") {
  plait::Tensor<float> tensor;
  CHECK_THROWS_AS(tensor.resize(-1, 1, 1), std::logic_error);
  plait::Random random;
  CHECK_THROWS_AS(random.below(0), std::logic_error);
}
