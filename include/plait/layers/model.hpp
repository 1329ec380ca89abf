// Model: a trunk, its towers and their numbers, as one value.
//
//   logits = towers(trunk(x))              x [B, S, D], logits [B, 1, Σ_t C_t]
//
// Copies are independent models with equal numbers. Scoring reads a model through a const reference
// and may do so from any number of threads; training changes its values and needs it alone.
// Parameters: mtl_arch.* (trunk) and task_modules.* (towers), the state_dict keys of the
// reference's CentralTaskArch.
#pragma once
#include <cstdint>
#include <memory>
#include <utility>

#include "plait/core/layer.hpp"
#include "plait/core/params.hpp"
#include "plait/core/random.hpp"
#include "plait/layers/mlp.hpp"
#include "plait/layers/sequential.hpp"
#include "plait/layers/towers.hpp"

namespace plait {

template <Layer Trunk_, Body TowerBody_ = MLP<typename Trunk_::Scalar>>
class Model {
 public:
  using Trunk = Trunk_;
  using Scalar = typename Trunk::Scalar;
  using TowersLayer = Towers<Scalar, TowerBody_>;
  using Network = Sequential<Trunk, TowersLayer>;

  // Builds the network and draws its starting numbers from the seed. Equal seeds give equal models
  // on every compiler. Throws ConfigError for sizes that cannot be built.
  Model(const typename Trunk::Config& trunk, const typename TowersLayer::Config& towers,
        std::uint64_t seed)
      : Model(zeros(trunk, towers)) {
    Random random(seed);
    initialise(values_, random);
  }

  // The model with all parameters zero, for numbers that come from elsewhere. Throws ConfigError.
  static Model zeros(const typename Trunk::Config& trunk,
                     const typename TowersLayer::Config& towers) {
    return Model(ParamTable(), trunk, towers);
  }

  // The network alone, over a table of the caller's. Throws ConfigError.
  static Network build(ParamTable& table, const typename Trunk::Config& trunk,
                       const typename TowersLayer::Config& towers) {
    Trunk built(table, "mtl_arch", trunk);
    TowersLayer built_towers(table, "task_modules", built.out_shape(), towers);
    return Network(std::move(built), std::move(built_towers));
  }

  // What it was built from.
  const typename Trunk::Config& trunk_config() const { return trunk_config_; }
  const typename TowersLayer::Config& towers_config() const { return towers_config_; }

  const Network& network() const { return network_; }
  const Trunk& trunk() const { return network_.template layer<0>(); }
  const TowersLayer& towers() const { return network_.template layer<1>(); }
  const ParamTable& table() const { return values_.table(); }
  ParamBuffer<Scalar>& values() { return values_; }
  const ParamBuffer<Scalar>& values() const { return values_; }

  Shape in_shape() const { return network_.in_shape(); }
  Shape out_shape() const { return network_.out_shape(); }
  Index num_tasks() const { return towers().num_tasks(); }

 private:
  Model(ParamTable&& table, const typename Trunk::Config& trunk,
        const typename TowersLayer::Config& towers)
      : trunk_config_(trunk),
        towers_config_(towers),
        network_(build(table, trunk, towers)),
        values_(std::make_shared<const ParamTable>(std::move(table))) {}

  typename Trunk::Config trunk_config_;
  typename TowersLayer::Config towers_config_;
  Network network_;
  ParamBuffer<Scalar> values_;
};

}  // namespace plait
