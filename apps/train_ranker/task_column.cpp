#include "task_column.hpp"

#include <algorithm>
#include <string_view>

#include "errors.hpp"
#include "plait/core/csv.hpp"
#include "plait/core/error.hpp"
#include "plait/features/column_error.hpp"

namespace ranker {

std::vector<plait::Head> task_columns(std::span<const std::string> tasks) {
  std::vector<plait::Head> heads;
  for (const std::string& task : tasks) {
    const auto colon = std::min(task.rfind(':'), task.size());
    const std::string kind = colon < task.size() ? task.substr(colon + 1) : "binary";
    plait::Head head{.name = task.substr(0, colon)};
    if (kind == "regression") head.kind = plait::HeadKind::regression;
    if (head.name.empty() || (kind != "regression" && kind != "binary"))
      throw UsageError("--tasks: got " + plait::in_quotes(task) +
                       ", expected a column, or one with :binary or :regression");
    if (std::ranges::count(heads, head.name, &plait::Head::name) > 0)
      throw UsageError("--tasks: got " + plait::in_quotes(head.name) + " twice, expected it once");
    heads.push_back(head);
  }
  return heads;
}

std::optional<float> label_of(const plait::Head& task, const plait::RawValue& value,
                              std::span<const std::string> missing) {
  const std::string_view text = value.text();
  if (!value.is_list() && (text.empty() || std::ranges::count(missing, text) > 0)) return {};
  const bool binary = task.kind == plait::HeadKind::binary;
  const char* const expected = binary ? "0, 1 or nothing" : "a number or nothing";
  if (value.is_list()) throw plait::ColumnError(task.name, "a list", expected);
  if (binary && text == "true") return 1.0f;
  if (binary && text == "false") return 0.0f;
  const auto number = plait::parse_csv_number<float>(text);
  if (!number || (binary && *number != 0 && *number != 1))
    throw plait::ColumnError(task.name, plait::in_quotes(text), expected);
  return number;
}

}  // namespace ranker
