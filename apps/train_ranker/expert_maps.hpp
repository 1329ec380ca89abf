// What the units of a trained model's levels give their experts, with names: AdaTT's figure 3.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "dataset.hpp"
#include "plait/core/drawn_routes.hpp"
#include "plait/core/view.hpp"
#include "plait/inspect/expert_report.hpp"
#include "plait/losses/head.hpp"

namespace plait {
template <class Scalar>
class Model;
template <class Scalar>
class EmbeddingTables;
}  // namespace plait

namespace ranker {

enum class Owners;  // models.hpp

// What the model's gates and experts do on some rows; no tables where the data have no ids.
plait::ExpertReport watch_experts(const plait::Model<float>& model, const Dataset& data,
                                  std::span<const Index> rows,
                                  const plait::EmbeddingTables<float>* tables = nullptr);

struct LevelMap {
  Index level = 0;                   // from 1; 0: of a network's blocks
  std::vector<std::string> units;    // the task, "shared", or the expert of the next level
  std::vector<std::string> experts;  // the owner and a number, "expert" or "block" and a number
  // [units, experts]; empty where the level has none.
  plait::Matrix<double> gates;    // the mean weight by the gate
  plait::Matrix<double> statics;  // native-expert weights, stitches
  plait::Matrix<double> drawn;    // the probability that a connection is there, or a block executed
};

// Of the levels where some unit has a gate, mixes several experts by static weights or draws which
// it takes; in the others there is nothing to choose. And of blocks that are drawn. Experts and
// units are numbered from 1, task by task, `shared_experts` last where the owners are
// tasks_and_shared.
std::vector<LevelMap> expert_maps(const plait::ExpertReport& report, Owners owners,
                                  Index shared_experts, std::span<const plait::Head> heads,
                                  const plait::DrawnRoutes& drawn = {});

}  // namespace ranker
