// The model loader on arbitrary bytes, once as they are and once with checksums that fit, so that
// what lies behind them is reached. What it accepts is no larger than the bytes, and its
// descriptions are written again as they were.
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>

#include "plait/io/model_file.hpp"
#include "support/files.hpp"

namespace {

void exercise(const std::string& bytes) {
  const auto loaded = plait::load<float>(files::reader(bytes));
  const auto& model = loaded.model;
  for (const auto& entry : model.table().entries())
    if (model.values().of(entry.id).size() * sizeof(std::uint16_t) > bytes.size()) std::abort();
  const auto limit = std::numeric_limits<plait::Index>::max();
  const auto reader = files::reader(bytes);
  if (plait::detail::write_fields(model.trunk_config(), limit) !=
          *reader.header().meta("plait.config") ||
      plait::detail::write_fields(model.towers_config(), limit) !=
          *reader.header().meta("plait.towers"))
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    exercise(bytes);
  } catch (const plait::Error&) {
  }
  try {
    exercise(files::resealed(bytes, [](files::Parts&) {}));
  } catch (const plait::Error&) {
  }
  return 0;
}
