// The command line.
#pragma once
#include <chrono>
#include <optional>
#include <ostream>

#include "http.hpp"
#include "plait/core/instruction_set.hpp"
#include "service.hpp"

namespace service {

struct Options {
  ServiceOptions service;
  HttpOptions http;
  std::chrono::milliseconds watch{1000};      // between looks at the model's file; 0: none
  std::chrono::milliseconds lame_duck{1000};  // from SIGTERM to the end, at least
  std::chrono::milliseconds drain{10000};     // at most
  plait::InstructionSet instruction_set = plait::most_instruction_set;  // at most
};

// Nothing when help was asked for and written to `out`. Throws UsageError.
std::optional<Options> parse_options(int argc, const char* const* argv, std::ostream& out);

}  // namespace service
