// Tensor: a value that owns its numbers and reuses its memory.
#include "plait/core/tensor.hpp"

#include <cstdint>

#include "support/allocations.hpp"
#include "support/catch.hpp"

using plait::Tensor;

TEST_CASE("a new tensor is zero, contiguous and on a cache line", "[tensor]") {
  const Tensor<double> tensor(2, 3, 5);
  const auto view = tensor.view();
  CHECK(view.batch_stride() == 15);
  CHECK(view.slot_stride() == 5);
  CHECK(reinterpret_cast<std::uintptr_t>(view.data()) % plait::buffer_alignment == 0);
  for (plait::Index b = 0; b < 2; ++b) CHECK(view.of_sample(b).cwiseAbs().maxCoeff() == 0.0);
}

TEST_CASE("copies of a tensor are independent", "[tensor]") {
  Tensor<float> original(1, 1, 2);
  original.view()(0, 0, 0) = 1.0f;
  Tensor<float> copy = original;
  copy.view()(0, 0, 0) = 2.0f;
  CHECK(original.view()(0, 0, 0) == 1.0f);
  CHECK(copy.view()(0, 0, 0) == 2.0f);
}

TEST_CASE("a tensor allocates only when it has never been that large", "[tensor]") {
  Tensor<float> tensor;
  tensor.resize(8, 2, 16);
  const float* data = tensor.view().data();
  const auto before = allocations::count();
  tensor.resize(3, 2, 16);
  tensor.resize(0, 2, 16);
  tensor.resize(16, 1, 16);
  CHECK(allocations::count() == before);
  CHECK(tensor.view().data() == data);
  CHECK(tensor.batch() == 16);
  CHECK(tensor.view().batch_stride() == 16);
  tensor.resize(32, 1, 16);
  CHECK(allocations::count() > before);
}
