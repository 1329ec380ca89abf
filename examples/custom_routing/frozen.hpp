// How to test a stop-gradient. Finite differences of a layer do not see it, for its output is the
// same: they have to be those of the function whose gradient it claims to be, in which the stopped
// experts are constants, frozen where the gradient is taken. What a level's experts and weights
// are, watch() tells.
#pragma once
#include <algorithm>
#include <cstddef>
#include <plait/plait.hpp>
#include <plait/testing/build.hpp>
#include <plait/testing/gradcheck.hpp>

namespace frozen {

using plait::Index;
using plait::Tensor;
using plait::View3;
using Built = plait::testing::Built<plait::Network<double>>;

// E [B, E, H] and the weights of all units side by side [B, 1, columns].
struct Level {
  Tensor<double> experts, weights;
};

inline Level level_of(const Built& built, const Tensor<double>& x) {
  const plait::Shape out = built.layer.out_shape();
  Tensor<double> y(x.batch(), out.slots, out.dim);
  plait::Network<double>::Workspace workspace;
  plait::Scratch scratch;
  built.layer.forward(built.theta, x, y, &workspace, scratch);
  Level level;
  built.layer.watch(built.theta, workspace, scratch,
                    [&](Index, View3<const double> experts, View3<const double> gates,
                        View3<const double> statics) {
                      level.experts.resize(x.batch(), experts.slots(), experts.dim());
                      plait::kernels::copy(experts, level.experts.view());
                      level.weights.resize(x.batch(), 1, gates.dim());
                      level.weights.view().of_slot(0) =
                          gates.of_slot(0).rowwise() + statics.of_slot(0).row(0);
                    });
  return level;
}

// y_u = Σ_j weight_u,j E_j, where a unit takes the experts that it stops from `constant`.
inline Tensor<double> mix(const plait::LevelRoute& route, const Level& level,
                          const Level& constant) {
  const Index batch = level.weights.batch();
  Tensor<double> y(batch, std::ssize(route.units), level.experts.dim());
  Index column = 0;
  for (Index u = 0; u < y.slots(); ++u) {
    const plait::UnitRoute& unit = route.units[static_cast<std::size_t>(u)];
    for (Index j = 0; j < std::ssize(unit.experts); ++j, ++column) {
      const bool stops = std::ranges::count(unit.stopped, j) > 0;
      const auto& from = stops ? constant.experts : level.experts;
      const Index e = unit.experts[static_cast<std::size_t>(j)];
      for (Index b = 0; b < batch; ++b)
        for (Index d = 0; d < y.dim(); ++d)
          y.view()(b, u, d) += level.weights.view()(b, 0, column) * from.view()(b, e, d);
    }
  }
  return y;
}

// The gradients of a trunk of one level against finite differences of the function with the stops
// of `route`.
inline plait::testing::GradientReport check_gradients(const plait::Trunk<double>& trunk,
                                                      const plait::LevelRoute& route) {
  Built built = plait::testing::build<double>(7, trunk);
  Tensor<double> x = built.input(/*batch=*/5);
  const Tensor<double> r = built.output(5);  // L = Σ r y

  Tensor<double> y(5, r.slots(), r.dim()), dx(5, x.slots(), x.dim());
  plait::ParamBuffer<double> grad(built.theta.shared_table());
  plait::Network<double>::Workspace workspace;
  plait::Scratch scratch;
  built.layer.forward(built.theta, x, y, &workspace, scratch);
  built.layer.backward(built.theta, x, y.view(), r, dx, workspace, grad, scratch);

  const Level constant = level_of(built, x);
  const auto loss = [&] {
    const Tensor<double> moved = mix(route, level_of(built, x), constant);
    return plait::testing::project(r, moved, y);
  };
  plait::testing::GradientCheck check;
  check.compare("x", plait::testing::flat(x), plait::testing::flat(dx), loss);
  for (const auto& entry : built.theta.table().entries())
    check.compare(entry.name, built.theta.of(entry.id), grad.of(entry.id), loss);
  return check.report();
}
template <plait::HasPlan Description>
plait::testing::GradientReport check_gradients(const Description& description) {
  plait::ParamTable table;
  return check_gradients(description, description.plan(table, "").levels.at(0).route);
}

}  // namespace frozen
