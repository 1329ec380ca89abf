// A sluice network of one subspace whose tasks take their last level alone is cross-stitch.
#include <algorithm>
#include <string>
#include <vector>

#include "plait/architectures/cross_stitch.hpp"
#include "plait/architectures/sluice.hpp"
#include "plait/architectures/sluice_layer.hpp"
#include "plait/testing/build.hpp"
#include "plait/testing/data.hpp"
#include "support/catch.hpp"

namespace {

using plait::Body;
using plait::Index;
using plait::ParamBuffer;
using plait::Tensor;

// Outputs, dx and the parameters' gradients for random dy.
struct Pass {
  Tensor<double> y, dx;
  ParamBuffer<double> grad;
};

Pass pass(const plait::Network<double>& layer, const ParamBuffer<double>& theta,
          const Tensor<double>& x, const Tensor<double>& dy) {
  const plait::Shape in = layer.in_shape(), out = layer.out_shape();
  Pass result{Tensor<double>(x.batch(), out.slots, out.dim),
              Tensor<double>(x.batch(), in.slots, in.dim),
              ParamBuffer<double>(theta.shared_table())};
  plait::Network<double>::Workspace workspace;
  plait::Scratch scratch;
  layer.forward(theta, x, result.y, &workspace, scratch);
  layer.backward(theta, x, result.y, dy, result.dx, workspace, result.grad, scratch);
  return result;
}

// The same parameter's name in cross-stitch.
std::string in_cross_stitch(const std::string& name) {
  if (!name.starts_with("alphas.")) return name;
  return "stitchs." + name.substr(std::string("alphas.").size()) + ".weight";
}

void check_equal(const plait::Sluice& sluice) {
  const plait::CrossStitch cross{
      .input_dim = sluice.input_dim, .num_tasks = sluice.num_tasks, .levels = sluice.levels};
  auto a = plait::testing::build<double>(/*seed=*/1, sluice);
  auto b = plait::testing::build<double>(/*seed=*/2, cross);
  plait::Random random(3);
  for (const auto& entry : a.theta.table().entries()) {
    const auto numbers = a.theta.of(entry.id);
    if (entry.name == "betas") {
      for (std::size_t i = 0; i < numbers.size(); ++i)
        numbers[i] = (i + 1) % sluice.levels.size() == 0 ? 1 : 0;
      continue;
    }
    for (double& p : numbers) p = random.normal();
    std::ranges::copy(numbers, b.theta.of(in_cross_stitch(entry.name)).begin());
  }
  const auto x = plait::testing::normal_tensor<double>(9, a.layer.in_shape(), random);
  const auto dy = plait::testing::normal_tensor<double>(9, a.layer.out_shape(), random);
  Pass got = pass(a.layer, a.theta, x, dy), expected = pass(b.layer, b.theta, x, dy);
  CHECK(plait::testing::distance<double>(plait::testing::flat(got.y),
                                         plait::testing::flat(expected.y)) <= 1e-14);
  CHECK(plait::testing::distance<double>(plait::testing::flat(got.dx),
                                         plait::testing::flat(expected.dx)) <= 1e-14);
  for (const auto& entry : a.theta.table().entries()) {
    if (entry.name == "betas") continue;
    INFO(entry.name);
    CHECK(plait::testing::distance<double>(got.grad.of(entry.id),
                                           expected.grad.of(in_cross_stitch(entry.name))) <= 1e-14);
  }
}

}  // namespace

TEST_CASE("sluice network: of one subspace and the last level alone it is cross-stitch") {
  const Body wide({5}, plait::Activation::tanh), narrow({3}, plait::Activation::tanh);
  for (const Index tasks : {1, 2, 3}) {
    INFO(tasks << " tasks");
    check_equal({4, tasks, {wide}, 1});
    check_equal({4, tasks, {wide, wide, wide}, 1});
    check_equal({4, tasks, {wide, narrow}, 1, /*skips=*/false});
  }
}
