// Options that would be accepted and change nothing.
#pragma once
#include <span>

#include "options.hpp"

namespace CLI {
class App;
}

namespace ranker {

// That no list was given with an empty entry, "64,,32". Throws UsageError, which names the option.
void require_entries(const CLI::App& app, std::span<const char* const> arguments);

// That no seed was given twice, and that every option that was given has an effect together with
// the others. Throws UsageError, which names the option and what it is for.
void require_effect(const CLI::App& app, const Options& options);

}  // namespace ranker
