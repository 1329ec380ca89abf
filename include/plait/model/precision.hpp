// The precision that a model's products are computed in when it scores, and that its weights are
// stored in.
#pragma once
#include <cstddef>
#include <string>
#include <type_traits>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/glob.hpp"
#include "plait/core/param_table.hpp"

namespace plait {

// full   the numbers that the model is made of
// bf16   products of experts and hidden layers are those of rounded weights with rounded inputs, 8
//        bits of precision each, added up in float (kernels/bf16.hpp). Layers that make logits, of
//        towers and of gates, softmax, mixing and activations stay as they are. For float models.
enum class Precision { full, bf16 };

// Which weights of a table are reduced to `precision`, by index: of linear layers, but for those
// that make logits and those whose name matches a pattern of `keep` (* any characters, ? one).
// Throws ConfigError for a pattern that matches no weight, and for bf16 of another scalar than
// float.
template <class Scalar>
PLAIT_COLD std::vector<bool> reduced_weights(const ParamTable& table, Precision precision,
                                             const std::vector<std::string>& keep = {}) {
  require_config(precision == Precision::full || std::is_same_v<Scalar, float>, "Scorer",
                 "precision", "bf16 for a model of another scalar than float", "full");
  const auto& entries = table.entries();
  std::vector<bool> reduced(entries.size(), false);
  for (std::size_t i = 0; i < entries.size(); ++i)
    reduced[i] = precision != Precision::full && entries[i].is_weight && !entries[i].is_last;
  for (const std::string& pattern : keep) {
    bool matched = false;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (!entries[i].is_weight || !glob_match(pattern, entries[i].name)) continue;
      reduced[i] = false;
      matched = true;
    }
    require_config(matched, "Scorer", "keep", in_quotes(pattern),
                   "a pattern that matches a weight");
  }
  return reduced;
}

}  // namespace plait
