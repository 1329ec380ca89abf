// Model: a trunk, its towers and their numbers, as one value.
//
//   logits = towers(trunk(x))              x [B, S, D], logits [B, 1, Σ_t C_t]
//
//   Model<float> ranker(AdaTT{.input_dim = 256, .num_tasks = 3, .levels = {{256}, {128}}},
//                       {.hidden = {{64}}}, /*seed=*/7);
//
// Copies are independent models with equal numbers. Scoring reads a model through a const reference
// and may do so from any number of threads; training changes its values and needs it alone.
// Parameters: mtl_arch.* (trunk) and task_modules.* (towers), the state_dict keys of the
// reference's CentralTaskArch; auxiliary_modules.* (small towers, which come last and leave the
// starting numbers of the others as they would be without them).
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "plait/core/layer.hpp"
#include "plait/core/lifetime.hpp"
#include "plait/core/network.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/core/random.hpp"
#include "plait/layers/sequential.hpp"
#include "plait/layers/towers.hpp"
#include "plait/model/trunk.hpp"

namespace plait {

template <class Scalar>
class Trainer;

namespace detail {
template <class M>
class ModelLink;
}

template <class Scalar_>
class Model {
 public:
  using Scalar = Scalar_;

  // Builds the network and draws its starting numbers from the seed. Equal seeds give equal models
  // on every compiler. Throws ConfigError for sizes that cannot be built.
  PLAIT_COLD Model(Trunk<Scalar> trunk, TowersConfig towers, std::uint64_t seed);

  // The model with all parameters zero, for numbers that come from elsewhere. Throws ConfigError.
  static Model zeros(Trunk<Scalar> trunk, TowersConfig towers);

  // The network alone, over a table of the caller's. Throws ConfigError.
  PLAIT_COLD static Sequential<Scalar> build(ParamTable& table, const Trunk<Scalar>& trunk,
                                             const TowersConfig& towers);

  // What it was built from.
  const Trunk<Scalar>& trunk_config() const { return trunk_config_; }
  const TowersConfig& towers_config() const { return towers_config_; }

  const Sequential<Scalar>& network() const { return network_; }
  const Network<Scalar>& trunk() const { return network_.layer(0); }
  const Towers<Scalar>& towers() const;

  Shape in_shape() const { return network_.in_shape(); }
  Shape out_shape() const { return network_.out_shape(); }
  // Small towers are tasks as well.
  Index num_tasks() const { return network_.num_outputs(); }

  const ParamTable& table() const { return values_.table(); }
  const std::shared_ptr<const ParamTable>& shared_table() const { return values_.shared_table(); }
  const ParamBuffer<Scalar>& values() const { return values_; }
  // One parameter's numbers, row-major, to be written. Throws ConfigError for a name that is not
  // there.
  std::span<Scalar> values_of(std::string_view name) { return values_.of(name); }
  std::span<Scalar> values_of(ParamId id) { return values_.of(id); }
  // Takes the numbers of another model with these parameters, or of a state that was kept. Throws
  // ShapeError for other parameters, and has changed nothing then.
  void load(const ParamBuffer<Scalar>& values);

  // The model without small towers, with the present numbers.
  Model serving() const;

 private:
  friend class Trainer<Scalar>;  // moves the values in place
  template <class M>
  friend class detail::ModelLink;

  Model(ParamTable&& table, Trunk<Scalar> trunk, TowersConfig towers)
      : trunk_config_(std::move(trunk)),
        towers_config_(std::move(towers)),
        network_(build(table, trunk_config_, towers_config_)),
        values_(std::make_shared<const ParamTable>(std::move(table))) {}

  Trunk<Scalar> trunk_config_;
  TowersConfig towers_config_;
  Sequential<Scalar> network_;
  ParamBuffer<Scalar> values_;
  detail::Lifetime lifetime_;
};

template <class Scalar>
Model<Scalar>::Model(Trunk<Scalar> trunk, TowersConfig towers, std::uint64_t seed)
    : Model(zeros(std::move(trunk), std::move(towers))) {
  Random random(seed);
  initialise(values_, random);
}

template <class Scalar>
Model<Scalar> Model<Scalar>::zeros(Trunk<Scalar> trunk, TowersConfig towers) {
  return Model(ParamTable(), std::move(trunk), std::move(towers));
}

template <class Scalar>
Sequential<Scalar> Model<Scalar>::build(ParamTable& table, const Trunk<Scalar>& trunk,
                                        const TowersConfig& towers) {
  Network<Scalar> built = trunk.build(table, "mtl_arch");
  Towers<Scalar> built_towers(table, "task_modules", built.out_shape(), towers,
                              "auxiliary_modules");
  return Sequential<Scalar>({std::move(built), std::move(built_towers)});
}

template <class Scalar>
const Towers<Scalar>& Model<Scalar>::towers() const {
  return *network_.layer(1).template target<Towers<Scalar>>();
}

template <class Scalar>
void Model<Scalar>::load(const ParamBuffer<Scalar>& values) {
  require_schema("Model", "values", values.shared_table(), values_.shared_table());
  std::ranges::copy(values.flat(), values_.flat().begin());
}

template <class Scalar>
Model<Scalar> Model<Scalar>::serving() const {
  TowersConfig towers = towers_config_;
  towers.small.clear();
  Model result = zeros(trunk_config_, std::move(towers));
  for (const ParamEntry& entry : result.table().entries())
    std::ranges::copy(values_.of(entry.name), result.values_.of(entry.id).begin());
  return result;
}

#ifdef PLAIT_COMPILED
extern template class Model<float>;
extern template class Model<double>;
#endif

}  // namespace plait
