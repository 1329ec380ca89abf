// Torn and corrupt model files: equal tensors or the typed error, never anything else.
#include <algorithm>
#include <string>

#include "plait/core/random.hpp"
#include "plait/io/model_file.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

namespace {

plait::Model<float> model() {
  return {plait::AdaTT{.input_dim = 3, .num_tasks = 2, .levels = {{4}, {2}}}, {.hidden = {{2}}}, 1};
}

std::string saved() {
  const files::Directory directory;
  const std::vector<float> x{1, 2, 3, -1, 0, 1};
  plait::save(model(), directory / "model", {.heads = {{}, {}}, .metadata = {{"run", "7"}}},
              plait::View3<const float>(x.data(), 2, 1, 3));
  return files::contents(directory / "model");
}

// Loads the bytes and returns whether they gave the model that was saved; fails when they gave
// another, another error than the typed one, or took memory out of proportion.
bool loads_equal_or_throws(const std::string& bytes) {
  allocations::forget_largest();
  bool loaded = false;
  try {
    const auto file = plait::load<float>(files::reader(bytes));
    loaded = true;
    const auto expected = model();
    if (!std::ranges::equal(file.model.values().flat(), expected.values().flat()) ||
        file.heads.size() != 2 || file.metadata != plait::Metadata{{"run", "7"}})
      FAIL("a silent change");
  } catch (const plait::Error&) {
  }
  // 64 KiB: the first block of any scratch memory.
  if (allocations::largest() > std::max(2 * bytes.size(), std::size_t{1} << 16))
    FAIL("an allocation of " << allocations::largest() << " bytes for a file of " << bytes.size());
  return loaded;
}

}  // namespace

TEST_CASE("corruption: every truncation is refused") {
  const std::string whole = saved();
  REQUIRE(loads_equal_or_throws(whole));
  for (std::size_t length = 0; length < whole.size(); ++length)
    if (loads_equal_or_throws(whole.substr(0, length))) FAIL("accepted " << length << " bytes");
  CHECK_FALSE(loads_equal_or_throws(whole + '\0'));
}

TEST_CASE("corruption: every byte counts") {
  const std::string whole = saved();
  std::string bytes = whole;
  std::size_t accepted = 0;
  for (char& byte : bytes) {
    byte = static_cast<char>(byte ^ 0x10);
    accepted += loads_equal_or_throws(bytes) ? 1 : 0;
    byte = static_cast<char>(byte ^ 0x10);
  }
  CHECK(accepted == 0);
}

TEST_CASE("corruption: 10,000 random flips of one to four bytes") {
  const std::string whole = saved();
  plait::Random random(2024);
  std::size_t accepted = 0;
  for (int i = 0; i < 10'000; ++i) {
    std::string bytes = whole;
    for (plait::Index flips = 1 + random.below(4); flips > 0; --flips) {
      char& byte = bytes[static_cast<std::size_t>(random.below(std::ssize(bytes)))];
      byte = static_cast<char>(byte ^ static_cast<char>(1 + random.below(255)));
    }
    accepted += loads_equal_or_throws(bytes) ? 1 : 0;
  }
  // A space of the header's padding may become another.
  CHECK(accepted < 10);
}

TEST_CASE("corruption: changed headers under fitting checksums keep memory in proportion") {
  const std::string whole = saved();
  plait::Random random(7);
  for (int i = 0; i < 3'000; ++i) {
    std::string changed;
    try {
      changed = files::resealed(whole, [&](files::Parts& parts) {
        auto& metadata = parts.header.metadata;
        auto& text = metadata[static_cast<std::size_t>(random.below(std::ssize(metadata)))].second;
        for (plait::Index changes = 1 + random.below(3); changes > 0 && !text.empty(); --changes)
          text[static_cast<std::size_t>(random.below(std::ssize(text)))] =
              static_cast<char>('0' + random.below(10));
      });
    } catch (const plait::Error&) {
      continue;
    }
    allocations::forget_largest();
    try {
      plait::load<float>(files::reader(changed));
    } catch (const plait::Error&) {
    }
    REQUIRE(allocations::largest() <= std::max(2 * changed.size(), std::size_t{1} << 16));
  }
}

TEST_CASE("corruption: a large file loads within its own size") {
  const files::Directory directory;
  const plait::Model<float> large(
      plait::SharedBottom{.input_dim = 500, .num_tasks = 2, .expert = {1000, 500}}, {}, 1);
  plait::save(large, directory / "model");
  const auto size = std::filesystem::file_size(directory / "model");
  allocations::forget_largest();
  plait::load<float>(directory / "model");
  CHECK(allocations::largest() <= size);
}
