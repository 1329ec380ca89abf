// Errors: their texts and their types.
#include "plait/core/error.hpp"

#include <type_traits>

#include "support/catch.hpp"

TEST_CASE("an error names where, which argument, what was got and what was expected", "[error]") {
  const plait::ShapeError error("Towers", "x", plait::text("[", 2, ", ", 3, "]"), "[batch, 4]");
  CHECK(error.what() == std::string("plait::Towers: x: got [2, 3], expected [batch, 4]"));
}

TEST_CASE("require_config throws only when the condition fails", "[error]") {
  CHECK_NOTHROW(plait::require_config(true, "AdaTT", "levels", "1 level", "at least one"));
  CHECK_THROWS_AS(plait::require_config(false, "AdaTT", "levels", "0 levels", "at least one"),
                  plait::ConfigError);
  CHECK_THROWS_WITH(plait::require_config(false, "AdaTT", "levels", "0 levels", "at least one"),
                    "plait::AdaTT: levels: got 0 levels, expected at least one");
}

// One base to catch, and kinds that do not catch each other.
static_assert(std::is_base_of_v<std::runtime_error, plait::Error>);
static_assert(std::is_base_of_v<plait::Error, plait::ConfigError>);
static_assert(std::is_base_of_v<plait::Error, plait::ShapeError>);
static_assert(std::is_base_of_v<plait::Error, plait::ValueError>);
static_assert(!std::is_convertible_v<plait::ShapeError*, plait::ValueError*>);
