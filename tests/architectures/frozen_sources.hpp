// AsymmetricSharing with stop-gradient against finite differences of the function it
// differentiates: the sources' outputs are constants, taken where the gradient is.
#pragma once
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "plait/architectures/asymmetric.hpp"
#include "plait/architectures/asymmetric_networks.hpp"
#include "plait/fusion/bank.hpp"
#include "plait/testing/gradcheck.hpp"

namespace zoo {

using plait::AsymmetricSharing;
using Networks = plait::AsymmetricNetworks<double>;

// y_t = fuse(own_t, sources), written out. own [B, T, H] moves, frozen [B, T, H] does not.
inline void fuse_frozen(const AsymmetricSharing& config, const plait::ParamBuffer<double>& theta,
                        plait::View3<const double> own, plait::View3<const double> frozen,
                        plait::View3<double> y) {
  for (plait::Index t = 0; t < config.num_tasks; ++t) {
    const auto& sources = config.sources[static_cast<std::size_t>(t)];
    const bool projects = config.fusion == plait::Fusion::concat && !sources.empty();
    const auto parameter = [&](const char* name) {
      return projects ? theta.of(plait::text("projections.", t, ".", name))
                      : std::span<const double>();
    };
    const auto weight = parameter("weight");
    const auto bias = parameter("bias");
    const double count = 1 + static_cast<double>(sources.size());
    for (plait::Index b = 0; b < y.batch(); ++b)
      for (plait::Index h = 0; h < y.dim(); ++h) {
        double& out = y(b, t, h);
        if (!projects) {
          out = own(b, t, h);
          for (const plait::Index s : sources) out += frozen(b, s, h);
          if (config.fusion == plait::Fusion::mean) out /= count;
          continue;
        }
        auto column = static_cast<std::size_t>(h) * weight.size() / bias.size();
        out = bias[static_cast<std::size_t>(h)];
        for (plait::Index d = 0; d < y.dim(); ++d) out += weight[column++] * own(b, t, d);
        for (const plait::Index s : sources)
          for (plait::Index d = 0; d < y.dim(); ++d) out += weight[column++] * frozen(b, s, d);
      }
  }
}

// The gradient check of the frozen function, and of the layer's output against its.
inline plait::testing::GradientReport check_frozen(const AsymmetricSharing& config) {
  constexpr plait::Index batch = 5;
  auto table = std::make_shared<plait::ParamTable>();
  const Networks layer(*table, "", config);
  // The networks alone: the first parameters of the layer, in the same places.
  plait::ParamTable networks_table;
  std::vector<plait::ExpertRoute> routes;
  for (plait::Index t = 0; t < config.num_tasks; ++t)
    routes.push_back({plait::text("bottoms.", t), 0});
  const plait::ExpertBank<double> networks(networks_table, routes, {1, config.input_dim},
                                           config.expert);
  for (const auto& entry : networks_table.entries())
    if (table->at(entry.name).id.offset != entry.id.offset)
      throw std::logic_error(entry.name + " has moved");

  plait::Random random(3);
  plait::ParamBuffer<double> theta(table);
  initialise(theta, random);
  auto x = plait::testing::normal_tensor<double>(batch, layer.in_shape(), random);
  const auto [slots, dim] = layer.out_shape();
  plait::Tensor<double> y(batch, slots, dim), y0(batch, slots, dim), own(batch, slots, dim),
      frozen(batch, slots, dim), dx(batch, 1, config.input_dim);
  auto r = plait::testing::random_projection(batch, layer.out_shape(), random);

  plait::Scratch scratch;
  Networks::Workspace workspace;
  plait::ParamBuffer<double> grad(table);
  layer.forward(theta, x, y0, &workspace, scratch);
  layer.backward(theta, x, y0.view(), r.view(), dx, workspace, grad, scratch);

  networks.forward(theta, x, frozen, nullptr, scratch);
  fuse_frozen(config, theta, frozen, frozen, y);
  if (!(plait::testing::distance<double>(plait::testing::flat(y), plait::testing::flat(y0)) <
        1e-14))
    throw std::logic_error("the frozen function is another one");

  const auto loss = [&] {
    networks.forward(theta, x, own, nullptr, scratch);
    fuse_frozen(config, theta, own, frozen, y);
    return plait::testing::project(r, y, y0);
  };
  plait::testing::GradientCheck gradients;
  gradients.compare("x", plait::testing::flat(x), plait::testing::flat(dx), loss);
  for (const auto& entry : table->entries())
    gradients.compare(entry.name, theta.of(entry.id), grad.of(entry.id), loss);
  return gradients.report();
}

// The sharings that the check runs on: every fusion over every graph.
inline std::vector<AsymmetricSharing> stopped_configs() {
  const plait::MLPConfig expert{{4, 3}, plait::Activation::tanh};
  const std::vector<std::vector<std::vector<plait::Index>>> graphs{{{}},
                                                                   {{}, {0}},
                                                                   {{1}, {0}},
                                                                   {{}, {0}, {1}},
                                                                   {{}, {}, {1, 0}},
                                                                   {{}, {}, {}},
                                                                   {{2}, {}, {}},
                                                                   {{1, 2}, {2, 0}, {0, 1}}};
  std::vector<AsymmetricSharing> result;
  for (const auto fusion : {plait::Fusion::concat, plait::Fusion::sum, plait::Fusion::mean})
    for (const auto& sources : graphs)
      result.push_back(
          {3, static_cast<plait::Index>(sources.size()), expert, sources, fusion, true});
  return result;
}

}  // namespace zoo
