// Limits a test program to the instruction set that PLAIT_TEST_INSTRUCTION_SET names; without that
// it runs what the machine has. Ends with code 77, "skipped", where the machine lacks the set.
#include "plait/core/instruction_set.hpp"

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

const bool limited = [] {
  const char* asked = std::getenv("PLAIT_TEST_INSTRUCTION_SET");
  if (asked == nullptr) return false;
  for (const auto set : {plait::InstructionSet::baseline, plait::InstructionSet::avx2,
                         plait::InstructionSet::avx512})
    if (plait::name(set) == std::string_view(asked) && plait::limit_instruction_set(set) == set)
      return true;
  std::fprintf(stderr, "no instruction set %s here\n", asked);
  std::_Exit(77);
}();

}  // namespace
