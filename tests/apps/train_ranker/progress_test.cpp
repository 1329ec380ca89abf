#include "progress.hpp"

#include <sstream>

#include "support/catch.hpp"

using ranker::progress_line;

TEST_CASE("progress: a bar, the rate and the time left") {
  CHECK(progress_line("ple", 500, 1000, 2.0, 60, true) ==
        "ple [#############..............] 50%  250 rows/s  0:02 left");
  CHECK(progress_line("ple", 1000, 1000, 2.0, 60, true) ==
        "ple [##########################] 100%  500 rows/s  0:00 left");
}

TEST_CASE("progress: without a bar") {
  CHECK(progress_line("ple", 250000, 1000000, 100.0, 120, false) ==
        "ple 25%  2,500 rows/s  5:00 left");
}

TEST_CASE("progress: nothing is known at the start, and empty loops are done") {
  CHECK(progress_line("ple", 0, 1000, 0.0, 120, false) == "ple 0%  - rows/s  - left");
  CHECK(progress_line("ple", 0, 0, 0.0, 120, false) == "ple 100%  - rows/s  - left");
}

TEST_CASE("progress: never wider than the terminal") {
  for (int width = 1; width < 130; ++width)
    CHECK(progress_line("multi-level mmoe", 500, 1000, 2.0, width, true).size() <=
          static_cast<std::size_t>(width));
  CHECK(progress_line("ple", 500, 1000, 2.0, 35, true).find('[') == std::string::npos);
}

TEST_CASE("progress: short loops write nothing") {
  std::ostringstream out;
  {
    ranker::Progress progress(out, false, 80);
    progress.start("ple", 100);
    progress.update(50);
    progress.update(100);
  }
  CHECK(out.str().empty());
}
