// A product of the library's, and its version.
#include <cstdio>
#include <plait/layers/linear.hpp>
#include <plait/version.hpp>

int main() {
  plait::ParamTable table;
  const plait::Linear<float> layer(table, "layer", /*input_dim=*/3, /*output_dim=*/2);
  plait::ParamBuffer<float> theta(std::make_shared<const plait::ParamTable>(table));
  for (float& number : theta.flat()) number = 1;
  const plait::Matrix<float> x = plait::Matrix<float>::Ones(1, 3);
  plait::Matrix<float> y(1, 2);
  plait::Scratch scratch;
  layer.forward(theta, x, y, /*workspace=*/nullptr, scratch);
  if (y(0, 0) != 4 || y(0, 1) != 4) return 1;
  std::printf("plait %s\n", plait::version.data());
}
