// Runs a fuzz target on every file of the given folders, for compilers without libFuzzer.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iostream>

#include "support/files.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
  int count = 0;
  for (int i = 1; i < argc; ++i)
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      const std::string bytes = files::contents(entry.path().string());
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
      ++count;
    }
  std::cout << count << " inputs replayed\n";
  return count > 0 ? 0 : 1;
}
