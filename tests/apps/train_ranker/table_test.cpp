#include "table.hpp"

#include "support/catch.hpp"

namespace {

const ranker::Table table{{"model", "AUC", "gain %"},
                          {{"mmoe", "0.9367", "+0.10"}, {"shared-bottom", "0.9 ± 0.1", "-"}}};

}  // namespace

TEST_CASE("table: aligned text, whatever a character's bytes") {
  CHECK(ranker::to_text(table) ==
        "model                AUC  gain %\n"
        "--------------------------------\n"
        "mmoe              0.9367   +0.10\n"
        "shared-bottom  0.9 ± 0.1       -\n");
}

TEST_CASE("table: no rows leave the header") {
  CHECK(ranker::to_text({{"a", "bc"}, {}}) == "a  bc\n-----\n");
}

TEST_CASE("table: CSV quotes what needs it") {
  CHECK(ranker::to_csv({{"a", "b"}, {{"1,5", "say \"x\""}, {"", "line\nbreak"}}}) ==
        "a,b\r\n\"1,5\",\"say \"\"x\"\"\"\r\n,\"line\nbreak\"\r\n");
}
