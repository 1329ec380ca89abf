// The tasks of --tasks: columns of labels.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plait/features/raw_value.hpp"
#include "plait/losses/head.hpp"

namespace ranker {

// "click" or "watch:regression", binary by default: heads whose names are columns. Throws
// UsageError for another kind, no name, and a name twice.
std::vector<plait::Head> task_columns(std::span<const std::string> tasks);

// Nothing where there is none: empty, missing, or one of `missing`. Of a binary task 0, 1, false or
// true, of a regression a number. Throws plait::ColumnError for anything else.
std::optional<float> label_of(const plait::Head& task, const plait::RawValue& value,
                              std::span<const std::string> missing);

}  // namespace ranker
