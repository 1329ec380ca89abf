// The model that the tests of scoring share.
#pragma once
#include "support/models.hpp"

namespace serve {

inline const models::Sizes sizes;

inline plait::Model<plait::PLE<double>> small_model() {
  return models::make<plait::PLE<double>>(
      {.input_dim = sizes.input_dim, .num_tasks = sizes.num_tasks, .levels = sizes.levels()},
      sizes);
}

}  // namespace serve
