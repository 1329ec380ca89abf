// An inline function of everybody's that is compiled for AVX2.
#define PLAIT_EACH_SET "sets/samples/shared_inline.inl"
#include "plait/kernels/each_set.hpp"

int main(int count, char**) {
  const auto number = static_cast<float>(count);
  return sample::avx2::twice(number) + sample::avx512::twice(number) > 4 ? 1 : 0;
}
