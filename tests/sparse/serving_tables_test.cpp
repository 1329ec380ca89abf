// Tables for serving: rows in 8 bits, and lookups from them.
#include "plait/sparse/serving_tables.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "plait/core/random.hpp"
#include "plait/core/tensor.hpp"
#include "sparse/batches.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

using namespace plait;

namespace {

using Tables = EmbeddingTables<float>;

EmbeddingConfig config_of(Index dim) {
  return {.tables = {{.name = "a", .rows = 50, .dim = dim, .bound = 1},
                     {.name = "b", .rows = 9, .dim = 2 * dim, .bound = 3}},
          .features = {{.name = "a"},
                       {.name = "b", .pooling = Pooling::mean},
                       {.name = "c", .table = "a", .side = Side::user, .weighted = true}},
          .dense = {Side::item, Side::user}};
}

}  // namespace

TEST_CASE("serving tables: rows in 8 bits are those of torch's embedding_bag_byte_prepack") {
  const std::vector<std::vector<float>> rows = {
      {0.5F, -1.2F, 2.0F, 0.3F}, {0.1F, 0.1F, 0.1F, 0.1F}, {-3.0F, 0.9F, 0.25F, 0.001F}};
  const std::vector<std::vector<int>> expected = {
      {135, 0, 255, 120, 103, 154, 77, 60, 154, 153, 153, 191},
      {0, 0, 0, 0, 0, 0, 0, 0, 205, 204, 204, 61},
      {0, 255, 212, 196, 46, 148, 122, 60, 0, 0, 64, 192}};
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::array<std::uint8_t, 12> bytes{};
    quantise_row(rows[r], bytes.data());
    for (std::size_t i = 0; i < bytes.size(); ++i) CHECK(int{bytes[i]} == expected[r][i]);
  }
}

TEST_CASE("serving tables: every number in 8 bits is within a 510th of its row's range") {
  for (const Index dim : {1, 3, 8, 16, 17, 64, 200}) {
    const Tables tables(config_of(dim), 3);
    const auto bytes = ServingTables<float>::quantised(tables);
    CHECK(bytes.is_quantised());
    CHECK(bytes.bytes() == static_cast<std::size_t>(50 * (dim + 8) + 9 * (2 * dim + 8)));
    std::vector<std::uint64_t> a, b;
    for (std::uint64_t i = 0; i < 50; ++i) a.push_back(i), b.push_back(i % 9);
    const std::vector<SparseFeature> features = {{a}, {b}, {a}};
    const Matrix<float> numbers = Matrix<float>::Zero(50, 2);
    Matrix<float> x(50, tables.width());
    bytes.lookup(bytes.layout(), {{50, features}, numbers}, x);
    for (Index r = 0; r < 50; ++r)
      for (const Index table : {0, 1}) {
        const auto row = tables.row(table, table == 0 ? r : r % 9);
        const auto [low, high] = std::ranges::minmax(row);
        for (Index d = 0; d < std::ssize(row); ++d) {
          const float got = x(r, bytes.layout().first_column(table) + d);
          CHECK(std::abs(got - row[static_cast<std::size_t>(d)]) <=
                (high - low) / 510 * 1.001F + 1e-6F);
        }
      }
  }
}

TEST_CASE("serving tables: pooled rows in 8 bits are the pooled rows that they stand for") {
  for (const Index dim : {3, 16, 40}) {
    const Tables tables(config_of(dim), 4);
    const auto bytes = ServingTables<float>::quantised(tables);
    // The same numbers as floats, read one by one.
    Tables unpacked = Tables::zeros(config_of(dim));
    for (Index t = 0; t < 2; ++t) {
      const Index width = tables.layout().table(t).dim;
      std::vector<std::uint8_t> packed(static_cast<std::size_t>(width) + 8);
      for (Index r = 0; r < tables.layout().table(t).rows; ++r) {
        quantise_row(tables.row(t, r), packed.data());
        float scale_and_bias[2];
        std::memcpy(scale_and_bias, packed.data() + width, sizeof(scale_and_bias));
        for (Index d = 0; d < width; ++d)
          unpacked.values(t)[static_cast<std::size_t>(r * width + d)] =
              scale_and_bias[0] * static_cast<float>(packed[static_cast<std::size_t>(d)]) +
              scale_and_bias[1];
      }
    }
    const auto batch = sparse_test::random_batch<float>(config_of(dim), 37, 20, 5);
    Matrix<float> got(37, tables.width()), expected(37, tables.width());
    bytes.lookup(bytes.layout(), batch, got);
    unpacked.lookup(batch, expected);
    CHECK((got - expected).cwiseAbs().maxCoeff() <= 1e-5F * expected.cwiseAbs().maxCoeff());
  }
}

TEST_CASE("serving tables: ids beyond a table name its first row, of floats and of bytes") {
  const auto tables = std::make_shared<Tables>(config_of(5), 6);
  for (const auto& serving :
       {ServingTables<float>(tables), ServingTables<float>::quantised(*tables)}) {
    const std::vector<std::uint64_t> beyond = {50, ~std::uint64_t{0}}, first = {0, 0};
    const std::vector<SparseFeature> unknown = {{beyond}, {beyond}, {beyond}};
    const std::vector<SparseFeature> known = {{first}, {first}, {first}};
    const Matrix<float> numbers = Matrix<float>::Ones(2, 2);
    Matrix<float> got(2, tables->width()), expected(2, tables->width());
    serving.lookup(serving.layout(), {{2, unknown}, numbers}, got);
    serving.lookup(serving.layout(), {{2, known}, numbers}, expected);
    CHECK(got == expected);
  }
}

TEST_CASE("serving tables: a side's part has its numbers and features in their order") {
  const Tables tables(config_of(4), 7);
  const EmbeddingLayout user = tables.layout().part(Side::user);
  const EmbeddingLayout item = tables.layout().part(Side::item);
  CHECK(user.width() == 1 + 4);
  CHECK(item.width() == 1 + 4 + 8);
  CHECK(user.feature(0).name == "c");
  CHECK(tables.layout().shared_columns() == std::vector<Index>{1, 14, 15, 16, 17});
}
