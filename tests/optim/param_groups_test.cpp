#include "plait/optim/param_groups.hpp"

#include <vector>

#include "plait/core/param_buffer.hpp"
#include "support/catch.hpp"

using Catch::Matchers::Message;
using namespace plait;

TEST_CASE("globs match whole names") {
  CHECK(glob_match("*", ""));
  CHECK(glob_match("*", "towers.0.bias"));
  CHECK(glob_match("*.bias", "towers.0.bias"));
  CHECK(glob_match("towers.?.*", "towers.0.bias"));
  CHECK(glob_match("*o*s*", "towers.0.bias"));
  CHECK(glob_match("*ab", "aab"));  // needs the second try
  CHECK(glob_match("a*b*c", "a.b.b.xc"));
  CHECK(glob_match("towers.0.bias", "towers.0.bias"));
  CHECK(glob_match("a**", "a"));
  CHECK_FALSE(glob_match("", "a"));
  CHECK_FALSE(glob_match("?", ""));
  CHECK_FALSE(glob_match("*.bias", "towers.0.bias.x"));
  CHECK_FALSE(glob_match("towers.?.*", "towers.10.bias"));
  CHECK_FALSE(glob_match("bias", "towers.0.bias"));
  CHECK_FALSE(glob_match("a*b*c", "a.b.b.x"));
}

TEST_CASE("later groups win, field by field") {
  ParamTable table;
  for (const char* name : {"trunk.weight", "trunk.bias", "tower.weight", "tower.bias"})
    table.add_vector(name, 2, Init::constant(0));
  const std::vector<ParamGroup> groups = {
      {.pattern = "*", .frozen = true},
      {.pattern = "tower.*", .learning_rate = 0.5, .frozen = false},
      {.pattern = "*.bias", .weight_decay = 0},
      {.pattern = "tower.bias", .learning_rate = 0.25}};
  const auto settings = resolve_groups(table, groups, {.learning_rate = 1, .weight_decay = 0.1});
  REQUIRE(settings.size() == 4);
  const double learning_rates[] = {1, 1, 0.5, 0.25}, decays[] = {0.1, 0, 0.1, 0};
  const bool frozen[] = {true, true, false, false};
  for (std::size_t i = 0; i < 4; ++i) {
    CAPTURE(i);
    CHECK(settings[i].learning_rate == learning_rates[i]);
    CHECK(settings[i].weight_decay == decays[i]);
    CHECK(settings[i].frozen == frozen[i]);
  }
}

TEST_CASE("groups that match nothing or have impossible rates are refused") {
  ParamTable table;
  table.add_vector("trunk.weight", 2, Init::constant(0));
  const auto resolve = [&](std::vector<ParamGroup> groups) { resolve_groups(table, groups, {}); };
  CHECK_THROWS_MATCHES(
      resolve({{.pattern = "*"}, {.pattern = "trunk.bias"}}), ConfigError,
      Message("plait::ParamGroup: pattern: got 'trunk.bias', expected one that matches a "
              "parameter"));
  CHECK_THROWS_MATCHES(resolve({{.pattern = "*", .learning_rate = -1}}), ConfigError,
                       Message("plait::ParamGroup: learning_rate of '*': got -1, expected a finite "
                               "number of at least 0"));
  CHECK_THROWS_MATCHES(resolve({{.pattern = "*", .weight_decay = -2}}), ConfigError,
                       Message("plait::ParamGroup: weight_decay of '*': got -2, expected a finite "
                               "number of at least 0"));
}
