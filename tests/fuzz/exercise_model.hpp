// What holds of every model that the loader accepts, whatever the bytes.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "plait/io/model_file.hpp"
#include "support/files.hpp"

namespace fuzz {

// Loads the file and scores a row: what it accepts is no larger than the bytes, its descriptions
// are written again as they were, and a row takes time and memory in proportion to them.
inline void exercise_model(const std::string& bytes) {
  const auto loaded = plait::load<float>(files::reader(bytes));
  const auto& model = loaded.model;
  for (const auto& entry : model.table().entries())
    if (model.values().of(entry.id).size() * sizeof(std::uint16_t) > bytes.size()) std::abort();
  const auto limit = std::numeric_limits<plait::Index>::max();
  const auto reader = files::reader(bytes);
  if (plait::detail::write_fields(model.trunk_config(), limit) !=
          *reader.header().meta("plait.config") ||
      plait::detail::write_fields(model.towers_config(), limit) !=
          *reader.header().meta("plait.towers"))
    std::abort();
  const plait::Shape in = model.in_shape();
  const plait::Tensor<float> x(1, in.slots, in.dim);
  plait::Tensor<float> logits(1, 1, model.out_shape().dim);
  plait::detail::compute_logits<float>(model, x, logits);
}

}  // namespace fuzz
