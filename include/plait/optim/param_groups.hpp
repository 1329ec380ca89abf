// Parameter groups: other learning rates or weight decay for some parameters, or none at all.
#pragma once
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/glob.hpp"
#include "plait/core/param_buffer.hpp"

namespace plait {

// Applies to every parameter whose name matches the pattern, in which * stands for any characters
// and ? for one. What is left unset is left as it was.
struct ParamGroup {
  std::string pattern;
  std::optional<double> learning_rate = {};
  std::optional<double> weight_decay = {};
  std::optional<bool> frozen = {};  // values and moments keep every bit
};

// What one tensor is trained with.
struct ParamSettings {
  double learning_rate = 0;
  double weight_decay = 0;
  bool frozen = false;
};

// The settings of all that has a name, in the order of the names: `defaults`, then every matching
// group in order, so that later groups win. Throws ConfigError for a pattern that matches no name,
// "expected `match`", and for a learning rate or weight decay that is negative or not finite.
PLAIT_COLD inline std::vector<ParamSettings> resolve_groups(
    std::span<const std::string_view> names, std::span<const ParamGroup> groups,
    const ParamSettings& defaults, std::string_view match = "one that matches a parameter") {
  std::vector<ParamSettings> settings(names.size(), defaults);
  for (const ParamGroup& group : groups) {
    const auto require = [&](const char* argument, const std::optional<double>& value) {
      if (value)
        require_config(std::isfinite(*value) && *value >= 0, "ParamGroup",
                       text(argument, " of ", in_quotes(group.pattern)), text(*value),
                       "a finite number of at least 0");
    };
    require("learning_rate", group.learning_rate);
    require("weight_decay", group.weight_decay);

    bool matched = false;
    for (std::size_t i = 0; i < settings.size(); ++i) {
      if (!glob_match(group.pattern, names[i])) continue;
      matched = true;
      ParamSettings& s = settings[i];
      s.learning_rate = group.learning_rate.value_or(s.learning_rate);
      s.weight_decay = group.weight_decay.value_or(s.weight_decay);
      s.frozen = group.frozen.value_or(s.frozen);
    }
    require_config(matched, "ParamGroup", "pattern", in_quotes(group.pattern), match);
  }
  return settings;
}
// The same of every parameter of a table.
PLAIT_COLD inline std::vector<ParamSettings> resolve_groups(const ParamTable& table,
                                                            std::span<const ParamGroup> groups,
                                                            const ParamSettings& defaults) {
  std::vector<std::string_view> names;
  for (const ParamEntry& entry : table.entries()) names.push_back(entry.name);
  return resolve_groups(names, groups, defaults);
}

}  // namespace plait
