// Sums of rows' gradients: their order, to the last bit, and tables of every size.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "plait/embeddings.hpp"
#include "sparse/ordered_sums.hpp"
#include "support/catch.hpp"

using plait::Index;

TEMPLATE_TEST_CASE("rows' gradients are added in the order of lanes, features and rows", "", float,
                   double) {
  std::uint64_t seed = 1;
  for (const Index table_rows : {1, 2, 63, 64, 65, 300, 4097, 200'000})
    for (const auto& lane_ends : std::vector<std::vector<Index>>{
             {40}, {900}, {1, 2, 3}, {0, 10, 10, 30}, {5, 500, 501, 900}, {2000}})
      for (const Index dim : {1, 5, 40}) {
        if (table_rows * dim > 1'000'000) continue;
        INFO(table_rows << " rows of " << dim << ", " << lane_ends.size() << " lanes to "
                        << lane_ends.back());
        CHECK(sparse_test::check_order<TestType>(table_rows, dim, lane_ends, seed++) == "");
      }
}

TEST_CASE("ids of rows beyond 2^31 are told apart") {
  if constexpr (sizeof(Index) > 4) {
    const std::vector<std::uint64_t> ids{(std::uint64_t{1} << 32) - 1, 1, std::uint64_t{1} << 31,
                                         1};
    const std::vector<plait::SparseFeature> features{{.ids = ids}};
    plait::RowEntries entries;
    const std::vector<plait::RowEntries::Feature> of_table{{0, 0}};
    const std::vector<Index> lane_ends{4};
    entries.collect(plait::SparseBatch(4, features), of_table, Index{1} << 32, lane_ends, 3);
    std::vector<Index> rows;
    std::vector<std::size_t> places;
    for (Index i = 0; i < entries.size(); ++i) {
      rows.push_back(entries.row(entries.key(i)));
      places.push_back(entries.place(i));
    }
    CHECK(rows == std::vector<Index>{Index{1} << 31, 1, 1, (Index{1} << 32) - 1});
    CHECK(places == std::vector<std::size_t>{6, 3, 9, 0});
    CHECK(entries.shard_begin(0) == 0);
    CHECK(entries.shard_begin(1) == 1);
    CHECK(entries.shard_begin(2) == 3);
    CHECK(entries.shard_begin(63) == 3);
    CHECK(entries.shard_begin(64) == 4);
  }
}
