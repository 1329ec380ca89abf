// Every golden file of a folder: PLAIT_GOLDEN_DIR in the environment, or tests/golden.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "golden/embeddings_case.hpp"
#include "golden/golden_case.hpp"
#include "golden/module_case.hpp"
#include "golden/training_case.hpp"

namespace {

std::vector<std::filesystem::path> golden_files() {
  const char* chosen = std::getenv("PLAIT_GOLDEN_DIR");
  std::vector<std::filesystem::path> result;
  for (const auto& entry :
       std::filesystem::directory_iterator(chosen != nullptr ? chosen : PLAIT_GOLDEN_FILES))
    if (entry.path().extension() == ".safetensors") result.push_back(entry.path());
  std::sort(result.begin(), result.end());
  return result;
}

template <class Scalar>
void check(plait::SafetensorsReader& reader) {
  const golden::Case<Scalar> file(reader);
  const std::string kind = file.string("kind");
  INFO((sizeof(Scalar) == sizeof(float) ? "float" : "double"));
  if (kind == "module") {
    golden::check_module(file);
  } else if (kind == "training") {
    golden::check_training(file);
  } else if (kind == "embeddings") {
    golden::check_embeddings(file);
  } else {
    FAIL("no kind " << kind);
  }
}

}  // namespace

TEST_CASE("golden") {
  const auto files = golden_files();
  if (files.empty()) FAIL("no golden files");
  for (const auto& path : files) DYNAMIC_SECTION(path.stem().string()) {
      plait::SafetensorsReader reader(path.string());
      check<double>(reader);
      check<float>(reader);
    }
}
