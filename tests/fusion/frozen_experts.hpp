// A route with stop-gradients against finite differences of the function that it differentiates:
// the outputs of stopped experts are constants, taken where the gradient is.
#pragma once
#include <algorithm>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "plait/fusion/bank.hpp"
#include "plait/fusion/stack.hpp"
#include "plait/layers/gate.hpp"
#include "plait/testing/gradcheck.hpp"
#include "support/own_trunk.hpp"

namespace zoo {

// The plan's function written out, over a table of its own with the same parameters in the same
// places. Experts at stopped positions give what `frozen` holds.
class FrozenExperts {
 public:
  FrozenExperts(plait::ParamTable& table, const plait::Plan& plan) {
    plait::Shape state = plan.in;
    for (const plait::LevelPlan& level : plan.levels) {
      Level built{{table, level.route.experts, state, level.expert}, {}, level.route.units};
      for (const plait::UnitRoute& unit : level.route.units)
        built.gates.emplace_back(table, unit.gate->body, unit.gate->linear, state.dim,
                                 std::ssize(unit.experts), level.gate);
      state = {std::ssize(built.units), built.bank.out_shape().dim};
      levels_.push_back(std::move(built));
    }
  }

  // Freezes all experts' outputs at x and theta.
  void freeze(const plait::ParamBuffer<double>& theta, plait::View3<const double> x) {
    frozen_.clear();
    run(theta, x,
        [this](std::size_t, const plait::Tensor<double>& experts) { frozen_.push_back(experts); });
  }
  plait::Tensor<double> operator()(const plait::ParamBuffer<double>& theta,
                                   plait::View3<const double> x) {
    return run(theta, x, [](std::size_t, const plait::Tensor<double>&) {});
  }

 private:
  struct Level {
    plait::ExpertBank<double> bank;
    std::vector<plait::Gate<double>> gates;
    std::vector<plait::UnitRoute> units;
  };

  template <class See>
  plait::Tensor<double> run(const plait::ParamBuffer<double>& theta, plait::View3<const double> x,
                            const See& see) {
    plait::Tensor<double> state(x.batch(), x.slots(), x.dim());
    for (plait::Index s = 0; s < x.slots(); ++s) state.view().of_slot(s) = x.of_slot(s);
    for (std::size_t l = 0; l < levels_.size(); ++l) {
      const Level& level = levels_[l];
      const plait::Shape shape = level.bank.out_shape();
      plait::Tensor<double> experts(x.batch(), shape.slots, shape.dim);
      level.bank.forward(theta, state, experts, nullptr, scratch_);
      see(l, experts);
      plait::Tensor<double> next(x.batch(), std::ssize(level.units), shape.dim);
      for (std::size_t u = 0; u < level.units.size(); ++u) {
        const plait::UnitRoute& unit = level.units[u];
        plait::Tensor<double> weights(x.batch(), 1, std::ssize(unit.experts));
        level.gates[u].forward(theta, state.view().slot(unit.gate->slot), weights, nullptr,
                               scratch_);
        for (std::size_t j = 0; j < unit.experts.size(); ++j) {
          const auto position = static_cast<plait::Index>(j);
          const bool stopped = std::ranges::count(unit.stopped, position) > 0;
          const auto& from = stopped ? frozen_[l] : experts;
          double s = 0;
          if (unit.statics)
            s = theta.of(*unit.statics->weights)[static_cast<std::size_t>(
                unit.statics->row * unit.statics->weights->cols + position)];
          for (plait::Index b = 0; b < x.batch(); ++b)
            for (plait::Index d = 0; d < shape.dim; ++d)
              next.view()(b, static_cast<plait::Index>(u), d) +=
                  (weights.view()(b, 0, position) + s) * from.view()(b, unit.experts[j], d);
        }
      }
      state = std::move(next);
    }
    return state;
  }

  std::vector<Level> levels_;
  std::vector<plait::Tensor<double>> frozen_;  // of every level
  plait::Scratch scratch_;
};

// The gradient check of the frozen function, and of the layer's output against its.
inline plait::testing::GradientReport check_frozen(const own::Stem& stem) {
  constexpr plait::Index batch = 4;
  auto table = std::make_shared<plait::ParamTable>();
  const plait::FusionStack<double> layer(*table, stem.plan(*table, ""));
  plait::ParamTable same;
  FrozenExperts function(same, stem.plan(same, ""));
  if (!std::ranges::equal(same.entries(), table->entries(),
                          [](const plait::ParamEntry& a, const plait::ParamEntry& b) {
                            return a.name == b.name && a.id.offset == b.id.offset;
                          }))
    throw std::logic_error("the frozen function has other parameters");

  plait::Random random(5);
  plait::ParamBuffer<double> theta(table), grad(table);
  initialise(theta, random);
  auto x = plait::testing::normal_tensor<double>(batch, layer.in_shape(), random);
  auto r = plait::testing::random_projection(batch, layer.out_shape(), random);
  plait::Tensor<double> y0(batch, layer.out_shape().slots, layer.out_shape().dim);
  plait::Tensor<double> dx(batch, 1, stem.input_dim);
  plait::Scratch scratch;
  plait::FusionStack<double>::Workspace workspace;
  layer.forward(theta, x, y0, &workspace, scratch);
  layer.backward(theta, x, y0.view(), r.view(), dx, workspace, grad, scratch);

  function.freeze(theta, x);
  auto y = function(theta, x);
  if (!(plait::testing::distance<double>(plait::testing::flat(y), plait::testing::flat(y0)) <
        1e-14))
    throw std::logic_error("the frozen function is another one");
  const auto loss = [&] { return plait::testing::project(r, function(theta, x).view(), y0); };
  plait::testing::GradientCheck gradients;
  gradients.compare("x", plait::testing::flat(x), plait::testing::flat(dx), loss);
  for (const auto& entry : table->entries())
    gradients.compare(entry.name, theta.of(entry.id), grad.of(entry.id), loss);
  return gradients.report();
}

// The routes that the check runs on.
inline std::vector<own::Stem> frozen_stems() {
  const auto smooth = [](plait::Index width) {
    return plait::Body{{width}, plait::Activation::tanh};
  };
  const std::vector<plait::Body> one{smooth(3)};
  const std::vector<plait::Body> two{smooth(4), smooth(2)};
  return {{3, 2, one, {1}, 0},
          {3, 2, one, {2, 1}, 1},
          {3, 3, one, {1}, 2},
          {3, 2, two, {2, 1}, 1},
          {3, 3, two, {1}, 0},
          {3, 2, two, {1, 2}, 1, {.body = smooth(3)}, true},
          {2, 2, {smooth(3), smooth(2), smooth(2)}, {1}, 1}};
}

}  // namespace zoo
