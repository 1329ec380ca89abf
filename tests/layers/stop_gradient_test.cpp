// AsymmetricSharing with stop-gradient against finite differences of the function it
// differentiates: the sources' outputs are constants, taken where the gradient is.
#include "layers/zoo.hpp"
#include "plait/layers/asymmetric.hpp"
#include "plait/testing/gradcheck.hpp"
#include "support/catch.hpp"

namespace {

using plait::Fusion;
using plait::Index;
using plait::ParamBuffer;
using plait::ParamTable;
using plait::Random;
using plait::Scratch;
using plait::Tensor;
using plait::View3;
using Sharing = plait::AsymmetricSharing<double>;

// y_t = fuse(own_t, sources), written out. own [B, T, H] moves, frozen [B, T, H] does not.
void fuse_frozen(const Sharing::Config& config, const ParamBuffer<double>& theta,
                 View3<const double> own, View3<const double> frozen, View3<double> y) {
  for (Index t = 0; t < config.num_tasks; ++t) {
    const auto& sources = config.sources[static_cast<std::size_t>(t)];
    const bool projects = config.fusion == Fusion::concat && !sources.empty();
    const auto parameter = [&](const char* name) {
      return projects ? theta.of(plait::text("projections.", t, ".", name))
                      : std::span<const double>();
    };
    const auto weight = parameter("weight");
    const auto bias = parameter("bias");
    const double count = 1 + static_cast<double>(sources.size());
    for (Index b = 0; b < y.batch(); ++b)
      for (Index h = 0; h < y.dim(); ++h) {
        double& out = y(b, t, h);
        if (!projects) {
          out = own(b, t, h);
          for (const Index s : sources) out += frozen(b, s, h);
          if (config.fusion == Fusion::mean) out /= count;
          continue;
        }
        auto column = static_cast<std::size_t>(h) * weight.size() / bias.size();
        out = bias[static_cast<std::size_t>(h)];
        for (Index d = 0; d < y.dim(); ++d) out += weight[column++] * own(b, t, d);
        for (const Index s : sources)
          for (Index d = 0; d < y.dim(); ++d) out += weight[column++] * frozen(b, s, d);
      }
  }
}

void check(const Sharing::Config& config) {
  constexpr Index batch = 5;
  auto table = std::make_shared<ParamTable>();
  const Sharing layer(*table, "", config);
  // The networks alone: the first parameters of the layer, in the same places.
  ParamTable networks_table;
  std::vector<plait::ExpertRoute> routes;
  for (Index t = 0; t < config.num_tasks; ++t) routes.push_back({plait::text("bottoms.", t), 0});
  const plait::ExpertBank<plait::MLP<double>> networks(networks_table, routes,
                                                       {1, config.input_dim}, config.expert);
  for (std::size_t i = 0; i < networks_table.entries().size(); ++i) {
    const auto& entry = networks_table.entries()[i];
    REQUIRE(table->at(entry.name).id.offset == entry.id.offset);
  }

  Random random(3);
  ParamBuffer<double> theta(table);
  initialise(theta, random);
  auto x = plait::testing::normal_tensor<double>(batch, layer.in_shape(), random);
  const auto [slots, dim] = layer.out_shape();
  Tensor<double> y(batch, slots, dim), y0(batch, slots, dim), own(batch, slots, dim),
      frozen(batch, slots, dim), dx(batch, 1, config.input_dim);
  auto r = plait::testing::random_projection(batch, layer.out_shape(), random);

  Scratch scratch;
  Sharing::Workspace workspace;
  ParamBuffer<double> grad(table);
  layer.forward(theta, x, y0, workspace, scratch);
  layer.backward(theta.view(), x.view(), y0.view(), r.view(), dx, workspace, grad, scratch);

  networks.infer(theta, x, frozen, scratch);
  fuse_frozen(config, theta, frozen, frozen, y);
  CHECK(plait::testing::distance<double>(plait::testing::flat(y), plait::testing::flat(y0)) <
        1e-14);

  const auto loss = [&] {
    networks.infer(theta, x, own, scratch);
    fuse_frozen(config, theta, own, frozen, y);
    return plait::testing::project(r, y, y0);
  };
  plait::testing::GradientCheck gradients;
  gradients.compare("x", plait::testing::flat(x), plait::testing::flat(dx), loss);
  for (const auto& entry : table->entries())
    gradients.compare(entry.name, theta.of(entry.id), grad.of(entry.id), loss);
  const auto report = gradients.report();
  INFO(report.text());
  CHECK(report.passed());
}

}  // namespace

TEST_CASE("gradients: AsymmetricSharing with stop-gradient") {
  const plait::MLPConfig expert{{4, 3}, plait::Activation::tanh};
  const std::vector<std::vector<std::vector<Index>>> graphs{{{}},
                                                            {{}, {0}},
                                                            {{1}, {0}},
                                                            {{}, {0}, {1}},
                                                            {{}, {}, {1, 0}},
                                                            {{}, {}, {}},
                                                            {{2}, {}, {}},
                                                            {{1, 2}, {2, 0}, {0, 1}}};
  for (const Fusion fusion : {Fusion::concat, Fusion::sum, Fusion::mean})
    for (std::size_t g = 0; g < graphs.size(); ++g) {
      INFO("fusion " << static_cast<int>(fusion) << ", graph " << g);
      check({3, static_cast<Index>(graphs[g].size()), expert, graphs[g], fusion, true});
    }
}

TEST_CASE("stop-gradient changes gradients and not outputs") {
  constexpr Index batch = 3;
  Random random(4);
  std::vector<double> outputs[2];
  std::vector<double> source_gradient[2];
  for (const bool stop : {false, true}) {
    random = Random(4);
    auto table = std::make_shared<ParamTable>();
    const Sharing layer(*table, "", {3, 2, {{2}, plait::Activation::tanh}, {{}, {0}}, {}, stop});
    ParamBuffer<double> theta(table), grad(table);
    initialise(theta, random);
    const auto x = plait::testing::normal_tensor<double>(batch, layer.in_shape(), random);
    Tensor<double> y(batch, 2, 2), dy(batch, 2, 2);
    for (Index b = 0; b < batch; ++b) dy.view().of_slot(1).setOnes();  // the target's loss alone
    Scratch scratch;
    Sharing::Workspace workspace;
    layer.forward(theta, x, y, workspace, scratch);
    layer.backward(theta.view(), x.view(), y.view(), dy.view(), {}, workspace, grad, scratch);
    const auto numbers = plait::testing::flat(y);
    outputs[stop].assign(numbers.begin(), numbers.end());
    const auto gradient = grad.of("bottoms.0.mlp_net.0.weight");
    source_gradient[stop].assign(gradient.begin(), gradient.end());
  }
  CHECK(outputs[false] == outputs[true]);
  CHECK(source_gradient[true] == std::vector<double>(6, 0.0));
  CHECK(source_gradient[false] != source_gradient[true]);
}
