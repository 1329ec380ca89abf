// Errors: their texts and their types.
#include "plait/core/error.hpp"

#include <cstdint>
#include <limits>
#include <sstream>
#include <string_view>
#include <type_traits>

#include "support/catch.hpp"

TEST_CASE("an error names where, which argument, what was got and what was expected", "[error]") {
  const plait::ShapeError error("Towers", "x", plait::text("[", 2, ", ", 3, "]"), "[batch, 4]");
  CHECK(error.what() == std::string("plait::Towers: x: got [2, 3], expected [batch, 4]"));
}

TEST_CASE("text() joins its arguments as a stream would print them", "[error]") {
  const auto check = [](const auto&... parts) {
    std::ostringstream stream;
    (stream << ... << parts);
    CHECK(plait::text(parts...) == stream.str());
  };
  check("words, ", std::string("a string, "), std::string_view("a view, "), 'c', true);
  check(0, ' ', -1, ' ', (std::numeric_limits<std::int64_t>::min)(), ' ',
        (std::numeric_limits<std::uint64_t>::max)(), ' ', short{-7}, ' ', 8u);
  check(0.1f, ' ', 0.1, ' ', 1.0, ' ', -2.5e-300, ' ', 123456789.0, ' ', 1e6, ' ', 100000.0f);
  check((std::numeric_limits<double>::lowest)(), ' ', -std::numeric_limits<double>::infinity(), ' ',
        std::numeric_limits<float>::quiet_NaN(), ' ', std::numeric_limits<double>::denorm_min());
  CHECK(plait::text().empty());
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
