// The model that the tests of scoring share.
#pragma once
#include <cstdint>

#include "support/models.hpp"

namespace serve {

inline const models::Sizes sizes;

inline plait::Model<double> small_model(std::uint64_t seed = 1) {
  return models::make<double>(
      plait::PLE{
          .input_dim = sizes.input_dim, .num_tasks = sizes.num_tasks, .levels = sizes.levels()},
      sizes, seed);
}

}  // namespace serve
