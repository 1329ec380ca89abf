// Routes: what tells one architecture of fusion levels from another, as plain data. An
// architecture's plan() writes them, FusionStack computes by them (fusion/level.hpp has the
// equations).
//
// A route can say which slot an expert reads (its owner's, another task's, slot 0), and that it is
// a network of another kind than the level's; which slots a gate reads, one or several side by
// side; which experts a unit weighs, with a gate, with static weights or both, and from which of
// them the unit takes what they are without teaching them. It cannot say that a unit computes
// anything but a weighted sum (joins, products, attention), that an expert reads more than one slot
// or is wider than the others of its level, that gates of a level differ in kind, or that levels
// are skipped: that is a Layer of one's own, which a Model takes as well
// (docs/adding_an_architecture.md).
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/param_table.hpp"
#include "plait/core/view.hpp"
#include "plait/layers/body.hpp"
#include "plait/layers/gate.hpp"

namespace plait {

// One expert: the prefix of its parameters' names, the slot that it reads and, instead of the
// level's description, one of its own that is as wide.
struct ExpertRoute {
  std::string name;
  Index slot = 0;
  std::optional<Body> own{};
};

// A unit's gate: the prefixes of its parameters' names and the slot that it reads; with more of
// them their numbers side by side, in this order.
struct GateRoute {
  std::string body;
  std::string linear;
  Index slot = 0;
  std::vector<Index> more_slots{};
};

// A unit's static weights on positions first ... first + count - 1 of its selection: row `row` of
// the parameter, or ones when there is no parameter.
struct StaticRoute {
  Index first = 0;
  Index count = 0;
  std::optional<ParamId> weights{};
  Index row = 0;
};

// A unit has a gate, static weights or both.
struct UnitRoute {
  std::vector<Index> experts;  // the selection, in the order of the gate's outputs
  std::optional<GateRoute> gate{};
  std::optional<StaticRoute> statics{};
  // Positions of the selection with a stop-gradient: the unit weighs these experts, and its gate
  // learns how much, but passes them no gradient.
  std::vector<Index> stopped{};
};

struct LevelRoute {
  std::vector<ExpertRoute> experts{};
  std::vector<UnitRoute> units{};
  bool gates_read_input = false;  // gates read the model's input instead of the level's state
};

// A level, its gates alike and its experts, but for those that have a description of their own.
struct LevelPlan {
  LevelRoute route{};
  Body expert{};
  GateConfig gate{};
};

// A trunk of fusion levels: the shape of its input, and its levels from there on.
struct Plan {
  Shape in{};
  std::vector<LevelPlan> levels{};
};

}  // namespace plait
