#include "table.hpp"

#include "support/catch.hpp"

namespace {

const ranker::Table table{{"model", "AUC", "gain %"},
                          {{"mmoe", "0.9367", "+0.10"}, {"shared-bottom", "0.9 ± 0.1", "-"}}};

}  // namespace

TEST_CASE("table: aligned text, whatever a character's bytes") {
  CHECK(ranker::to_text(table, 80) ==
        "model                AUC  gain %\n"
        "--------------------------------\n"
        "mmoe              0.9367   +0.10\n"
        "shared-bottom  0.9 ± 0.1       -\n");
}

TEST_CASE("table: no rows leave the header") {
  CHECK(ranker::to_text({{"a", "bc"}, {}}, 80) == "a  bc\n-----\n");
}

TEST_CASE("table: columns that do not fit follow below, beside the first column") {
  CHECK(ranker::to_text(table, 32) == ranker::to_text(table, 80));
  const std::string blocks =
      "model                AUC\n"
      "------------------------\n"
      "mmoe              0.9367\n"
      "shared-bottom  0.9 ± 0.1\n"
      "\n"
      "model          gain %\n"
      "---------------------\n"
      "mmoe            +0.10\n"
      "shared-bottom       -\n";
  for (const int width : {31, 24, 1}) CHECK(ranker::to_text(table, width) == blocks);
  CHECK(ranker::to_text({{"a"}, {{"b"}}}, 80) == "a\n-\nb\n");
}

TEST_CASE("table: CSV quotes what needs it") {
  CHECK(ranker::to_csv({{"a", "b"}, {{"1,5", "say \"x\""}, {"", "line\nbreak"}}}) ==
        "a,b\r\n\"1,5\",\"say \"\"x\"\"\"\r\n,\"line\nbreak\"\r\n");
}
