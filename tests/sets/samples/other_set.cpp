// A function of AVX2's that is compiled for AVX-512.
#define PLAIT_EACH_SET "sets/samples/other_set.inl"
#include "plait/kernels/each_set.hpp"

int main(int count, char**) {
  const auto number = static_cast<float>(count);
  return sample::avx2::wide(number) + sample::avx2::twice(number) + sample::avx512::twice(number) >
                 4
             ? 1
             : 0;
}
