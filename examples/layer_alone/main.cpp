// An architecture as a layer of a program of one's own: over its table of parameters, with its
// loss, and without Model or Trainer. Every architecture, and every other layer (MLP, Gate, Towers,
// Sequential), can be used so: all have this forward and backward.
#include <cstdio>
#include <memory>
#include <plait/plait.hpp>

int main() {
  using plait::Index;
  constexpr Index batch = 256;

  // What is built over a table adds its parameters there.
  plait::ParamTable table;
  const plait::Network<float> trunk = plait::build<float>(
      table, "trunk", plait::AdaTT{.input_dim = 4, .num_tasks = 2, .levels = {{16}, {8}}});
  const plait::Towers<float> towers(table, "towers", trunk.out_shape(), {});

  // Values, gradients and what an optimizer keeps are buffers over the table.
  const auto shared_table = std::make_shared<const plait::ParamTable>(std::move(table));
  plait::ParamBuffer<float> theta(shared_table), grad(shared_table);
  plait::Random random(1);
  plait::initialise(theta, random);
  plait::Optimizer<float> optimizer(shared_table, plait::Adam{.learning_rate = 1e-2});

  plait::Matrix<float> x(batch, 4), label(batch, 1);
  for (float& number : x.reshaped()) number = static_cast<float>(random.normal());
  label.col(0) = (x.col(0) - x.col(1)).cwiseAbs();

  // What a pass needs is the caller's: outputs and their gradients, for each layer a workspace from
  // forward to backward, scratch within the calls. After the first pass nothing allocates.
  const plait::Shape state = trunk.out_shape();
  plait::Tensor<float> h(batch, state.slots, state.dim), dh(batch, state.slots, state.dim);
  plait::Matrix<float> y(batch, 2), dy(batch, 2);
  plait::Network<float>::Workspace trunk_workspace;
  plait::Towers<float>::Workspace towers_workspace;
  plait::Scratch scratch;

  for (int step = 0; step <= 200; ++step) {
    trunk.forward(theta, x, h, &trunk_workspace, scratch);
    towers.forward(theta, h, y, &towers_workspace, scratch);

    // loss = mean (y_0 - y_1 - label)², which no head has
    const plait::Matrix<float> error = y.col(0) - y.col(1) - label.col(0);
    dy.col(0) = 2 / static_cast<float>(batch) * error;
    dy.col(1) = -dy.col(0);

    grad.set_zero();  // gradients are added to it
    towers.backward(theta, h, y, dy, dh, towers_workspace, grad, scratch);
    trunk.backward(theta, x, h, dh, /*dx=*/{}, trunk_workspace, grad, scratch);
    optimizer.step(theta, grad);
    if (step % 50 == 0) std::printf("step %3d  loss %.4f\n", step, error.squaredNorm() / batch);
  }

  // Without a workspace no backward follows, and nothing is kept for it.
  trunk.forward(theta, x, h, nullptr, scratch);
  towers.forward(theta, h, y, nullptr, scratch);
  for (Index b = 0; b < 3; ++b)
    std::printf("label %.2f, predicted %.2f\n", label(b, 0), y(b, 0) - y(b, 1));
}
