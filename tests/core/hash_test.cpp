#include "plait/core/hash.hpp"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "plait/core/random.hpp"
#include "support/catch.hpp"
#if __has_include(<xxhash.h>)
#define XXH_INLINE_ALL  // nothing to link
#include <xxhash.h>
#endif

using namespace plait;

namespace {

std::string random_text(Random& random, std::size_t size) {
  std::string text(size, ' ');
  for (char& c : text) c = static_cast<char>(random.below(256));
  return text;
}

}  // namespace

// What xxHash's own sanity check and documentation give.
TEST_CASE("xxh64 gives the published hashes") {
  CHECK(xxh64("") == 0xef46db3751d8e999u);
  CHECK(xxh64("a") == 0xd24ec4f1a98c6e5bu);
  CHECK(xxh64("as") == 0x1c330fb2d66be179u);
  CHECK(xxh64("asd") == 0x631c37ce72a97393u);
  CHECK(xxh64("asdf") == 0x415872f599cea71eu);
  CHECK(xxh64("Call me Ishmael. Some years ago--never mind how long precisely-") ==
        0x02a2e85470d6fd96u);

  constexpr std::uint64_t prime32 = 2654435761u, prime64 = 11400714785074694797u;
  std::string buffer;
  std::uint64_t generator = prime32;
  for (int i = 0; i < 222; ++i, generator *= prime64) buffer += static_cast<char>(generator >> 56);
  const auto hash = [&](std::size_t size, std::uint64_t seed) {
    return xxh64(std::string_view(buffer).substr(0, size), seed);
  };
  CHECK(hash(0, prime32) == 0xac75fda2929b17efu);
  CHECK(hash(1, 0) == 0xe934a84adb052768u);
  CHECK(hash(1, prime32) == 0x5014607643a9b4c3u);
  CHECK(hash(14, 0) == 0x8282dcc4994e35c8u);
  CHECK(hash(14, prime32) == 0xc3bd6bf63deb6df0u);
  CHECK(hash(222, 0) == 0xb641ae8cb691c174u);
  CHECK(hash(222, prime32) == 0x20cb8ab7ae10c14au);
}

#ifdef XXH_INLINE_ALL
TEST_CASE("xxh64 is the library's on random texts of every small size") {
  Random random(1);
  for (std::size_t size = 0; size < 300; ++size)
    for (int repeat = 0; repeat < 10; ++repeat) {
      const std::string text = random_text(random, size);
      const std::uint64_t seed =
          repeat == 0 ? 0 : mix64(static_cast<std::uint64_t>(random.below(1 << 30)));
      REQUIRE(xxh64(text, seed) == XXH64(text.data(), text.size(), seed));
    }
}
#endif

TEST_CASE("in_range is the high half of the product") {
  CHECK(in_range(0, 1) == 0);
  CHECK(in_range(~std::uint64_t{0}, 1) == 0);
  CHECK(in_range(~std::uint64_t{0}, std::uint64_t{1} << 32) == 0xffffffffu);
  CHECK(in_range(0x0123456789abcdefu, std::uint64_t{1} << 32) == 0x01234567u);
  for (const std::uint64_t count : {2u, 3u, 10u, 4294967295u})
    for (std::uint64_t n = 0; n < 1000; ++n) {
      const std::uint64_t hash = mix64(n);
      // Long multiplication in 32 bits, with carries.
      const std::uint64_t high = (hash >> 32) * count, low = (hash & 0xffffffffu) * count;
      const std::uint64_t middle = (high & 0xffffffffu) + (low >> 32);
      CHECK(in_range(hash, count) == (high >> 32) + (middle >> 32));
    }
}

// The sum of squares has mean n - 1 and variance 2 (n - 1) for n buckets.
TEST_CASE("texts spread over buckets as chance would have it") {
  constexpr std::size_t buckets = std::size_t{1} << 20;
  constexpr int texts = 10'000'000;
  const auto chi_square = [&](auto text_of) {
    std::vector<std::uint32_t> counts(buckets);
    for (int i = 0; i < texts; ++i) ++counts[in_range(xxh64(text_of(i), 7), buckets)];
    const double expected = double{texts} / double{buckets};
    double sum = 0;
    for (const auto count : counts) sum += (count - expected) * (count - expected) / expected;
    return sum;
  };
  const double degrees = double{buckets} - 1, sigma = std::sqrt(2 * degrees);
  Random random(2);
  std::string text(12, ' ');
  CHECK(std::abs(chi_square([&](int) {
                   for (std::size_t i = 0; i < text.size(); i += 4) {
                     const auto bits =
                         static_cast<std::uint32_t>(random.below(std::int64_t{1} << 30));
                     std::memcpy(text.data() + i, &bits, 4);
                   }
                   return std::string_view(text);
                 }) -
                 degrees) < 5 * sigma);
  CHECK(std::abs(chi_square([&](int i) {  // ids that count upwards
                   text = std::to_string(i);
                   return std::string_view(text);
                 }) -
                 degrees) < 5 * sigma);
}
