// Real ids: MovieLens latest-small, whose folder PLAIT_MOVIELENS_DIR names (research use: it is not
// part of the project). Without it the test says so and passes.
#include "../../examples/movielens/rows.hpp"

#include <cstddef>
#include <cstdlib>
#include <map>
#include <string>

#include "support/catch.hpp"

using namespace plait;

TEST_CASE("MovieLens: the tables of the published protocol") {
  const char* const folder = std::getenv("PLAIT_MOVIELENS_DIR");
  if (folder == nullptr) {
    WARN("skipped: PLAIT_MOVIELENS_DIR is not set");
    return;
  }
  const movielens::Files files = movielens::read(folder);
  REQUIRE(files.movies.size() == 9742);
  REQUIRE(files.ratings.size() == 100'836);

  EncoderFit fit(movielens::features());
  const auto layout = fit.layout(movielens::columns);
  std::map<movielens::Part, Index> parts;
  movielens::for_each_row(files, [&](movielens::Part part, const auto&, RawRow row) {
    ++parts[part];
    if (part == movielens::Part::train) fit.add(row, layout);
  });
  CHECK(fit.rows() == 81'200);
  CHECK(parts[movielens::Part::validation] == 9818);
  CHECK(parts[movielens::Part::test] == 9818);
  const FeatureEncoder encoder = fit.finish();
  std::map<std::string, Index> rows;
  for (const TableConfig& table : encoder.embeddings().tables) rows[table.name] = table.rows;
  CHECK(rows == std::map<std::string, Index>{{"user", 612},
                                             {"movie", 5389},
                                             {"genre", 22},
                                             {"decade", 14},
                                             {"hour", 24},
                                             {"weekday", 7}});

  auto encoded = encoder.rows();
  movielens::for_each_row(files, [&](movielens::Part, const auto&, RawRow row) {
    encoder.encode(row, layout, encoded);
  });
  const auto batch = encoded.batch();
  CHECK(batch.batch() == 100'836);
  CHECK(batch.dense.dim() == 1);
  const auto lengths = batch.sparse.feature(6).offsets;
  for (std::size_t i = 0; i + 1 < lengths.size(); ++i) REQUIRE(lengths[i + 1] - lengths[i] <= 20);
  for (Index f = 0; f < batch.sparse.num_features(); ++f) {
    const FeatureConfig& feature = encoder.embeddings().features[static_cast<std::size_t>(f)];
    const auto limit =
        static_cast<std::uint64_t>(rows.at(feature.table.empty() ? feature.name : feature.table));
    for (const std::uint64_t id : batch.sparse.feature(f).ids) REQUIRE(id < limit);
  }
}
