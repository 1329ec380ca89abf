// Trunks of one's own, as a user may describe them: one of routes, one with a layer.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "plait/core/fields.hpp"
#include "plait/fusion/route.hpp"
#include "plait/fusion/units.hpp"
#include "plait/layers/linear.hpp"

namespace own {

using plait::Body;
using plait::Index;
using plait::ParamTable;

// PLE in which a task also sees the other tasks' experts, without teaching them (as in STEM: Su et
// al., AAAI 2024). `stops` = false lets the gradient through.
struct Stem {
  Index input_dim = 0;
  Index num_tasks = 0;
  std::vector<Body> levels{};
  std::vector<Index> task_experts{1};
  Index shared_experts = 1;
  plait::GateConfig gate{};
  bool statics = false;  // learned static weights beside the gates
  bool stops = true;

  plait::Plan plan(ParamTable& table, const std::string& prefix) const {
    plait::check_trunk(table, "Stem", input_dim, num_tasks, levels.size());
    const plait::UnitExperts experts(table, num_tasks, task_experts, shared_experts, "Stem");
    plait::Plan result{{1, input_dim}, {}};
    for (std::size_t l = 0; l < levels.size(); ++l) {
      const Index units = l + 1 == levels.size() ? num_tasks : experts.units();
      plait::LevelPlan& level = result.levels.emplace_back();
      level.expert = levels[l];
      level.gate = gate;
      level.route.experts = experts.routes(prefix, l, l == 0);
      plait::ParamId weights{};
      if (statics)
        weights = table.add_matrix(plait::join_name(prefix, plait::text("statics.", l)), units,
                                   experts.total(), plait::Init::uniform(0.5));
      for (Index u = 0; u < units; ++u) {
        plait::UnitRoute unit{.experts = experts.all(),
                              .gate = plait::unit_gate(prefix, l, u, l == 0)};
        if (statics) unit.statics = plait::StaticRoute{0, experts.total(), weights, u};
        for (Index other = 0; stops && u < num_tasks && other < num_tasks; ++other)
          for (const Index e : experts.of({other}))
            if (other != u) unit.stopped.push_back(e);
        level.route.units.push_back(std::move(unit));
      }
    }
    return result;
  }
};

// y_t = x A_tᵀ, with the layer and nothing that is optional for one.
template <class S>
class SpreadLayer;

struct Spread {
  Index input_dim = 0;
  Index num_tasks = 0;
  Index width = 1;

  template <class S>
  using Layer = SpreadLayer<S>;
  static constexpr std::string_view name = "Spread";
  void fields(plait::FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("width", width);
  }
};

template <class S>
class SpreadLayer {
 public:
  using Scalar = S;
  struct Workspace {};

  SpreadLayer(ParamTable& table, const std::string& prefix, const Spread& config)
      : linear_(table, plait::join_name(prefix, "spread"), config.input_dim,
                config.num_tasks * config.width, /*bias=*/false),
        out_{config.num_tasks, config.width} {}

  plait::Shape in_shape() const { return linear_.in_shape(); }
  plait::Shape out_shape() const { return out_; }
  void forward(plait::ParamView<S> theta, plait::View3<const S> x, plait::View3<S> y, Workspace*,
               plait::Scratch& scratch) const {
    const plait::Scratch::Frame frame(scratch);
    const auto together = scratch.take<S>(x.batch(), 1, linear_.out_shape().dim);
    linear_.apply(theta, x, together, plait::Activation::identity);
    for (Index t = 0; t < y.slots(); ++t)
      y.of_slot(t) = together.columns(t * out_.dim, out_.dim).of_slot(0);
  }
  void backward(plait::ParamView<S> theta, plait::View3<const S> x, plait::View3<const S>,
                plait::View3<const S> dy, plait::View3<S> dx, const Workspace&,
                plait::GradView<S> grad, plait::Scratch& scratch) const {
    const plait::Scratch::Frame frame(scratch);
    const auto together = scratch.take<S>(x.batch(), 1, linear_.out_shape().dim);
    for (Index t = 0; t < dy.slots(); ++t)
      together.columns(t * out_.dim, out_.dim).of_slot(0) = dy.of_slot(t);
    linear_.backward(theta, x, together, together, dx, {}, grad, scratch);
  }

 private:
  plait::Linear<S> linear_;
  plait::Shape out_;
};

}  // namespace own
