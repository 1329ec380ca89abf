// The model loader on arbitrary bytes, once as they are and once with checksums that fit, so that
// what lies behind them is reached.
#include <cstdint>
#include <string>

#include "exercise_model.hpp"
#include "support/files.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    fuzz::exercise_model(bytes);
  } catch (const plait::Error&) {
  }
  try {
    fuzz::exercise_model(files::resealed(bytes, [](files::Parts&) {}));
  } catch (const plait::Error&) {
  }
  return 0;
}
