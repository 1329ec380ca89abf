// The model loader on arbitrary bytes, once as they are and once with checksums that fit, so that
// what lies behind them is reached. What it accepts, it must save and load again.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <variant>

#include "plait/io/model_file.hpp"
#include "support/files.hpp"

namespace {

void exercise(const std::string& bytes) {
  const auto loaded = plait::load<float>(files::reader(bytes));
  std::visit(
      [&](const auto& model) {
        for (const auto& entry : model.table().entries())
          if (model.values().of(entry.id).size() * sizeof(std::uint16_t) > bytes.size())
            std::abort();
      },
      loaded.model);
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
