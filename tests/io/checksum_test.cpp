#include "plait/io/checksum.hpp"

#include <vector>

#include "plait/core/random.hpp"
#include "support/catch.hpp"

namespace {

std::vector<std::byte> random_bytes(std::size_t count) {
  plait::Random random(1);
  std::vector<std::byte> result(count);
  for (auto& byte : result) byte = static_cast<std::byte>(random.below(256));
  return result;
}

std::uint64_t checksum(std::span<const std::byte> bytes) {
  plait::Checksum result;
  result.update(bytes);
  return result.value();
}

}  // namespace

TEST_CASE("checksum: the same however the bytes are cut") {
  const auto bytes = random_bytes(1000);
  const std::span all(bytes);
  for (std::size_t first = 0; first <= 200; ++first) {
    plait::Checksum parts;
    parts.update(all.first(first));
    parts.update(all.subspan(first, 3));
    parts.update(all.subspan(first + 3));
    CHECK(parts.value() == checksum(all));
  }
}

TEST_CASE("checksum: every change of one byte and every length counts") {
  auto bytes = random_bytes(200);
  const std::uint64_t whole = checksum(bytes);
  for (auto& byte : bytes) {
    for (int bits = 1; bits < 256; ++bits) {
      byte ^= static_cast<std::byte>(bits);
      REQUIRE(checksum(bytes) != whole);
      byte ^= static_cast<std::byte>(bits);
    }
  }
  const std::vector<std::byte> zeros(300);
  for (std::size_t count = 1; count <= zeros.size(); ++count)
    CHECK(checksum(std::span(zeros).first(count)) != checksum(std::span(zeros).first(count - 1)));
}

TEST_CASE("checksum: the values that stored files hold") {
  CHECK(plait::hex(checksum({})) == "6adc6cdf86ac4d79");
  CHECK(plait::hex(checksum(random_bytes(1000))) == "b6546a4f794014c1");
}
