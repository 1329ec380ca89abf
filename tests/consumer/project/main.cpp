#include <cstdio>
#include <plait/plait.hpp>

int main() {
  plait::Tensor<float> x(/*batch=*/2, /*slots=*/1, /*dim=*/3);
  x.view().of_slot(0).setOnes();
  if (x.view().of_slot(0).sum() != 6.0f) return 1;
  std::printf("consumer ran with plait %s\n", plait::version.data());
}
