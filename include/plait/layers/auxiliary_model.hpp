// AuxiliaryModel: a Model with small auxiliary towers, to be trained in its place.
//
//   AuxiliaryModel<AdaTT<float>> model(trunk, {.towers = towers}, seed);
//   Trainer trainer(model, with_auxiliary(heads, 0.3), Adam{});     // 2 T heads, T label columns
//   ... trainer.step(x, labels) ...
//   Model<AdaTT<float>> ranker = model.serving();                   // T heads
//
// A value like Model, and used like one. Parameters: those of Model, in the same order and from the
// same random numbers, then auxiliary_modules.* (the small towers).
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "plait/core/layer.hpp"
#include "plait/core/params.hpp"
#include "plait/core/random.hpp"
#include "plait/layers/auxiliary_towers.hpp"
#include "plait/layers/mlp.hpp"
#include "plait/layers/model.hpp"
#include "plait/layers/sequential.hpp"

namespace plait {

template <Layer Trunk_, Body TowerBody_ = MLP<typename Trunk_::Scalar>>
class AuxiliaryModel {
 public:
  using Trunk = Trunk_;
  using Scalar = typename Trunk::Scalar;
  using TowersLayer = AuxiliaryTowers<Scalar, TowerBody_>;
  using Network = Sequential<Trunk, TowersLayer>;
  using Served = Model<Trunk, TowerBody_>;

  // Builds the network and draws its starting numbers from the seed; the parts that a Model has
  // start as a Model with that seed. Throws ConfigError for sizes that cannot be built.
  AuxiliaryModel(const typename Trunk::Config& trunk, const typename TowersLayer::Config& towers,
                 std::uint64_t seed)
      : AuxiliaryModel(ParamTable(), trunk, towers) {
    Random random(seed);
    initialise(values_, random);
  }

  // The model without the small towers, with the present numbers.
  Served serving() const {
    auto result = Served::zeros(trunk_config_, towers_config_.towers);
    for (const ParamEntry& entry : result.table().entries())
      std::ranges::copy(values_.of(entry.name), result.values().of(entry.id).begin());
    return result;
  }

  const Network& network() const { return network_; }
  const Trunk& trunk() const { return network_.template layer<0>(); }
  const TowersLayer& towers() const { return network_.template layer<1>(); }
  const ParamTable& table() const { return values_.table(); }
  ParamBuffer<Scalar>& values() { return values_; }
  const ParamBuffer<Scalar>& values() const { return values_; }

  Shape in_shape() const { return network_.in_shape(); }
  Shape out_shape() const { return network_.out_shape(); }
  // 2 T: the small towers are tasks as well.
  Index num_tasks() const { return towers().num_tasks(); }

 private:
  AuxiliaryModel(ParamTable&& table, const typename Trunk::Config& trunk,
                 const typename TowersLayer::Config& towers)
      : trunk_config_(trunk),
        towers_config_(towers),
        network_(build(table, trunk, towers)),
        values_(std::make_shared<const ParamTable>(std::move(table))) {}

  static Network build(ParamTable& table, const typename Trunk::Config& trunk,
                       const typename TowersLayer::Config& towers) {
    Trunk built(table, "mtl_arch", trunk);
    TowersLayer built_towers(table, "task_modules", "auxiliary_modules", built.out_shape(), towers);
    return Network(std::move(built), std::move(built_towers));
  }

  typename Trunk::Config trunk_config_;
  typename TowersLayer::Config towers_config_;
  Network network_;
  ParamBuffer<Scalar> values_;
};

}  // namespace plait
