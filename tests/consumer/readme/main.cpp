#include <cstdio>
#include <plait/core/tensor.hpp>
#include <plait/version.hpp>

int main() {
  const plait::Tensor<float> x(/*batch=*/2, /*slots=*/1, /*dim=*/3);
  if (x.view().of_slot(0).sum() != 0.0f) return 1;
  std::printf("consumer ran with plait %s\n", plait::version.data());
}
