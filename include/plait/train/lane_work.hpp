// LaneWork: what lanes run, a batch cut into tiles, through a network with its numbers, into a
// loss.
#pragma once
#include <span>

#include "plait/core/options.hpp"
#include "plait/core/param_view.hpp"
#include "plait/core/view.hpp"
#include "plait/layers/sequential.hpp"
#include "plait/losses/multi_task_loss.hpp"
#include "plait/sparse/input_tables.hpp"
#include "plait/train/tiles.hpp"

namespace plait {

// With tables the batch is one of features, whose rows are looked up tile by tile, and passes that
// make gradients write those of the network's input to dx, too.
template <class Scalar>
struct LaneWork {
  const Sequential<Scalar>& network;
  ParamView<Scalar> theta;
  const MultiTaskLoss<Scalar>& loss;
  View3<const Scalar> x;
  const Targets<Scalar>& targets;
  std::span<const double> normaliser;  // of the loss, on the whole batch
  const Tiles& tiles;
  ForwardOptions options;
  const InputTables<Scalar>* tables = nullptr;  // null: x are the rows
  SparseBatch sparse = {};                      // beside x, which are the numbers then
  View3<Scalar> dx = {};                        // [B, 1, width] of the tables

  // Of one tile.
  Targets<Scalar> targets_of(Index tile) const {
    return targets.rows(tiles.first(tile), tiles.rows(tile));
  }
  ForwardOptions options_of(Index tile) const {
    ForwardOptions result = options;
    result.first_row = tiles.first(tile);
    return result;
  }
};

}  // namespace plait
