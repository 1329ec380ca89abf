// Prints the instruction set that runs.
#include <cstdio>

#include "plait/core/instruction_set.hpp"

int main() {
  const auto name = plait::name(plait::instruction_set());
  std::printf("%.*s\n", static_cast<int>(name.size()), name.data());
}
