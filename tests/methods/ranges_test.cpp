#include "plait/core/ranges.hpp"

#include <memory>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using plait::Index;
using plait::ParamRange;

namespace {

using Pairs = std::vector<std::pair<Index, Index>>;

Pairs complement(const std::vector<ParamRange>& ranges, Index size) {
  Pairs result;
  for (const ParamRange& range : plait::detail::complement(ranges, size))
    result.emplace_back(range.offset, range.size);
  return result;
}

}  // namespace

TEST_CASE("the complement is what lies between ranges, without empty ones") {
  CHECK(complement({}, 10) == Pairs{{0, 10}});
  CHECK(complement({}, 0) == Pairs{});
  CHECK(complement({{0, 10}}, 10) == Pairs{});
  CHECK(complement({{0, 4}}, 10) == Pairs{{4, 6}});
  CHECK(complement({{4, 6}}, 10) == Pairs{{0, 4}});
  CHECK(complement({{2, 3}, {5, 1}, {8, 1}}, 10) == Pairs{{0, 2}, {6, 2}, {9, 1}});
  CHECK(complement({{3, 0}}, 10) == Pairs{{0, 3}, {3, 7}});
}

TEST_CASE("ranges in order, apart and inside are accepted, others refused") {
  const auto check = [](const std::vector<ParamRange>& ranges) {
    plait::detail::check_ranges("Test", ranges, 10);
  };
  CHECK_NOTHROW(check({}));
  CHECK_NOTHROW(check({{0, 3}, {3, 0}, {3, 7}}));
  CHECK_THROWS_AS(check({{-1, 3}}), plait::ConfigError);
  CHECK_THROWS_AS(check({{0, 3}, {2, 1}}), plait::ConfigError);
  CHECK_THROWS_AS(check({{0, -1}}), plait::ConfigError);
  CHECK_THROWS_AS(check({{8, 3}}), plait::ConfigError);
  CHECK_THROWS_WITH(check({{8, 3}}),
                    "plait::Test: shared: got 3 numbers from 8 on, expected ranges in order, apart "
                    "and within 10 numbers");
}

TEST_CASE("a squared length is over the ranges alone, in double") {
  auto table = std::make_shared<plait::ParamTable>();
  table->add_vector("p", 6, plait::Init::constant(0));
  plait::ParamBuffer<float> gradient(table);
  for (std::size_t i = 0; i < 6; ++i) gradient.flat()[i] = static_cast<float>(i + 1) * 1e25f;
  const std::vector<ParamRange> ranges{{0, 2}, {3, 1}};
  CHECK_THAT(plait::detail::squared_length<float>(gradient, ranges) / 1e50,
             Catch::Matchers::WithinRel(1.0 + 4 + 16, 1e-6));
}
