#include <catch2/catch.hpp>
#include <string>

using Catch::Matchers::Contains;

TEST_CASE("names that 3.x does not have, or has for something else") {
  CHECK_THAT(std::string("a view"), Contains("view") && Catch::EndsWith("view"));
}
