#include "plait/losses/auxiliary_heads.hpp"

#include <limits>
#include <vector>

#include "support/catch.hpp"

using plait::Head;
using plait::HeadKind;
using plait::with_auxiliary;

TEST_CASE("auxiliary heads repeat the heads on the same labels, with lambda times the weight") {
  const std::vector<Head> heads{{.weight = 2, .name = "click"},
                                {.kind = HeadKind::conditional, .given = 0},
                                {.kind = HeadKind::huber, .delta = 3, .labels_of = 1}};
  const auto all = with_auxiliary(heads, 0.3);
  REQUIRE(all.size() == 6);
  CHECK(all[0].name == "click");
  CHECK(all[3].name == "click (auxiliary)");
  CHECK(all[4].name == "task1 (auxiliary)");
  CHECK(all[0].weight == 2);
  CHECK(all[3].weight == 0.6);
  CHECK(all[4].kind == HeadKind::conditional);
  CHECK(all[1].given == 0);
  CHECK(all[4].given == 3);
  CHECK(all[5].delta == 3);
  CHECK(all[3].labels_of == 0);
  CHECK(all[4].labels_of == 1);
  CHECK(all[5].labels_of == 1);
  CHECK(plait::num_label_columns(all) == 2);
  CHECK_NOTHROW(plait::check_heads("Loss", all));
}

TEST_CASE("auxiliary heads of nothing, and impossible weights, are refused") {
  CHECK_THROWS_WITH(with_auxiliary({}, 0.3),
                    "plait::with_auxiliary: heads: got none, expected at least one");
  CHECK_THROWS_WITH(
      with_auxiliary(std::vector<Head>(1), -1),
      "plait::with_auxiliary: lambda: got -1, expected a finite number of at least 0");
  CHECK_THROWS_AS(with_auxiliary(std::vector<Head>(1), std::numeric_limits<double>::infinity()),
                  plait::ConfigError);
}
