// What is asked for, by a request's head.
#pragma once
#include <optional>
#include <string_view>

namespace service {

enum class Action { score, reload, health, describe, metrics };

// Of a method and a target, a path or with http:// and a host before it; its query is not looked
// at. HEAD is GET without the answer's body. Nothing for what is not served.
std::optional<Action> find_action(std::string_view method, std::string_view target);

// Whether its requests may have a body.
inline bool takes_body(Action action) {
  return action == Action::score || action == Action::reload;
}

}  // namespace service
