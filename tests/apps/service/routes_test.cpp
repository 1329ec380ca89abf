#include "routes.hpp"

#include "support/catch.hpp"

using service::Action;
using service::find_action;

TEST_CASE("an action has a method and a path, whatever the query") {
  CHECK(find_action("POST", "/score") == Action::score);
  CHECK(find_action("POST", "/reload?x=1") == Action::reload);
  CHECK(find_action("GET", "/healthz?") == Action::health);
  CHECK(find_action("HEAD", "/healthz") == Action::health);
  CHECK(find_action("POST", "http://host:80/score?x") == Action::score);
  CHECK(find_action("GET", "/model") == Action::describe);
  CHECK(find_action("GET", "/metrics?name=a/b") == Action::metrics);
  for (const char* method : {"GET", "HEAD", "PUT", "OPTIONS", "post", ""})
    CHECK(!find_action(method, "/score"));
  for (const char* target : {"", "/", "/score/", "//score", "/Score", "score", "/%73core",
                             "http://host", "https://host/score", "*", "/scores", "?/score"})
    CHECK(!find_action("POST", target));
}
