#include "interface.hpp"

#include "errors.hpp"
#include "support/catch.hpp"

using namespace service;

TEST_CASE("columns are read from ranges") {
  CHECK(parse_columns("").empty());
  CHECK(parse_columns("7") == std::vector<Index>{7});
  CHECK(parse_columns("4-6,0,2-2") == std::vector<Index>{4, 5, 6, 0, 2});
}

TEST_CASE("other texts are refused") {
  for (const char* text :
       {",", "1,", "a", "1-", "-1", "3-2", "1--2", "1 ,2", "99999999999999999999"})
    CHECK_THROWS_WITH(parse_columns(text), "--user-columns: got '" + std::string(text) +
                                               "', expected columns such as 0-31,40");
}
