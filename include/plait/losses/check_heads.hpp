// What a list of heads must be to have a meaning.
#pragma once
#include <charconv>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/losses/head.hpp"

namespace plait {

namespace detail {

// The column c of a name "<task>.<c>" as column_names() writes it.
struct ColumnName {
  std::string_view task;
  Index column = 0;
};
inline std::optional<ColumnName> parse_column_name(std::string_view name) {
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  ColumnName result{name.substr(0, dot)};
  const std::string_view digits = name.substr(dot + 1);
  const char* const end = digits.data() + digits.size();
  const auto [after, error] = std::from_chars(digits.data(), end, result.column);
  if (error != std::errc() || after != end || text(result.column) != digits) return std::nullopt;
  return result;
}

// Names are keys, of metrics, columns and replies.
PLAIT_COLD inline void check_head_names(const std::string& where, std::span<const Head> heads) {
  std::unordered_map<std::string, Index> tasks;
  for (Index t = 0; t < std::ssize(heads); ++t) {
    const auto [other, added] = tasks.emplace(task_name(heads, t), t);
    require_config(added, where, text("name of head ", t), in_quotes(other->first),
                   text("another than that of head ", other->second));
  }
  for (Index t = 0; t < std::ssize(heads); ++t) {
    const std::string name = task_name(heads, t);
    const auto column = parse_column_name(name);
    const auto owner = column ? tasks.find(std::string(column->task)) : tasks.end();
    if (owner == tasks.end()) continue;
    const Index width = heads[static_cast<std::size_t>(owner->second)].width();
    require_config(width == 1 || column->column < 0 || column->column >= width, where,
                   text("name of head ", t), in_quotes(name),
                   text("another than that of a column of head ", owner->second));
  }
}

}  // namespace detail

// Throws ConfigError, in the name of `where`, for a list of heads that has no meaning: a setting
// out of its domain, or one that the head's kind has no use for and that is not at its default; a
// name that two heads have, or a head and another's column ("a.0" beside a multi-class "a"), where
// a head without a name is called "task<t>".
PLAIT_COLD inline void check_heads(const std::string& where, std::span<const Head> heads) {
  require_config(!heads.empty(), where, "heads", "none", "at least one");
  const Head defaults;
  for (Index t = 0; t < std::ssize(heads); ++t) {
    const Head& head = heads[static_cast<std::size_t>(t)];
    const std::string of_task = " of " + shown(task_name(heads, t), 100);
    const auto one_of = [&](auto... kinds) { return ((head.kind == kinds) || ...); };
    const auto at_least_0 = [](double value) { return std::isfinite(value) && value >= 0; };
    const auto above_0 = [](double value) { return std::isfinite(value) && value > 0; };
    const auto require = [&](bool condition, const char* setting, const auto& got,
                             const std::string& expected) {
      require_config(condition, where, setting + of_task, text(got), expected);
    };
    // A setting of some kinds only.
    const auto require_if = [&](bool used, bool valid, const char* setting, const auto& got,
                                const auto& otherwise, const char* expected, const char* kinds) {
      require(used ? valid : got == otherwise, setting, got,
              used ? expected : text(otherwise, " unless ", kinds));
    };
    require_if(one_of(HeadKind::multiclass, HeadKind::ordinal), head.classes >= 2, "classes",
               head.classes, defaults.classes, "at least 2", "multiclass or ordinal");
    require_if(one_of(HeadKind::binary, HeadKind::conditional, HeadKind::focal),
               above_0(head.pos_weight), "pos_weight", head.pos_weight, defaults.pos_weight,
               "a finite number above 0", "binary, conditional or focal");
    require_if(one_of(HeadKind::huber), above_0(head.delta), "delta", head.delta, defaults.delta,
               "a finite number above 0", "huber");
    require_if(one_of(HeadKind::focal), at_least_0(head.gamma), "gamma", head.gamma, defaults.gamma,
               "a finite number of at least 0", "focal");
    require_if(one_of(HeadKind::jrc), head.alpha >= 0 && head.alpha <= 1, "alpha", head.alpha,
               defaults.alpha, "a number in [0, 1]", "jrc");

    const auto earlier = [&](std::optional<Index> task, const auto& condition) {
      return task && *task >= 0 && *task < t && condition(heads[static_cast<std::size_t>(*task)]);
    };
    const auto task_text = [](std::optional<Index> task) {
      return task ? text("task ", *task) : std::string("none");
    };
    if (head.kind == HeadKind::conditional) {
      const auto may_come_first = [](const Head& other) {
        return other.kind == HeadKind::binary || other.kind == HeadKind::conditional;
      };
      require(earlier(head.given, may_come_first), "given", task_text(head.given),
              "an earlier task that is binary or conditional");
    } else {
      require(!head.given, "given", task_text(head.given), "none unless conditional");
    }
    const auto has_its_own = [](const Head& other) { return !other.labels_of; };
    require(!head.labels_of || earlier(head.labels_of, has_its_own), "labels_of",
            task_text(head.labels_of), "an earlier task that reads its own labels");

    require(above_0(head.in_space), "in_space", head.in_space, "a finite number above 0");
    require(at_least_0(head.out_of_space), "out_of_space", head.out_of_space,
            "a finite number of at least 0");
    require(at_least_0(head.weight), "weight", head.weight, "a finite number of at least 0");
  }
  detail::check_head_names(where, heads);
}

}  // namespace plait
