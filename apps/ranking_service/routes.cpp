#include "routes.hpp"

#include <algorithm>

namespace service {

std::optional<Action> find_action(std::string_view method, std::string_view target) {
  constexpr std::string_view scheme = "http://";  // as to a proxy, which clients may do
  if (target.starts_with(scheme)) {
    target.remove_prefix(std::min(target.find('/', scheme.size()), target.size()));
  }
  const std::string_view path = target.substr(0, target.find('?'));
  if (method == "POST") {
    if (path == "/score") return Action::score;
    if (path == "/reload") return Action::reload;
  } else if (method == "GET" || method == "HEAD") {
    if (path == "/healthz") return Action::health;
    if (path == "/model") return Action::describe;
    if (path == "/metrics") return Action::metrics;
  }
  return std::nullopt;
}

}  // namespace service
