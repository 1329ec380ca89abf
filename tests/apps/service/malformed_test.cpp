// Requests that are wrong at random. The seeds are fixed; ranking_load --malformed sends more.
#include "load/malformed.hpp"

#include <map>

#include "served.hpp"
#include "support/catch.hpp"

using namespace served;

TEST_CASE("10,000 malformed bodies are answered with 200, 400, 413 or 422") {
  Server server({.max_rows = 10});
  const std::string good = Candidates(3).body();
  const auto before = score(server.service(), good);
  plait::Random random(11);
  std::map<int, int> statuses;
  for (int i = 0; i < 10000; ++i) {
    const std::string body = load::malformed_body(good, random);
    const auto reply = score(server.service(), body);
    ++statuses[reply.status];
    INFO(i);
    const json parsed = json::parse(reply.body);  // an answer is JSON, whatever the body was
    CHECK(parsed.contains(reply.status == 200 ? "rank" : "error"));
    // nlohmann's parser is the judge of what is JSON.
    if (reply.status == 200) CHECK(json::accept(body));
    if (reply.status == 400) CHECK(!json::accept(body));
  }
  for (const auto& [status, count] : statuses) {
    INFO(status << ": " << count);
    CHECK((status == 200 || status == 400 || status == 413 || status == 422));
  }
  CHECK(statuses[400] > 1000);
  CHECK(statuses[422] > 1000);
  CHECK(score(server.service(), good).body == before.body);
}

TEST_CASE("1,000 malformed requests over TCP are answered without 500, or closed") {
  // A request that announces more than it sends has no answer until the service gives it up.
  constexpr std::chrono::milliseconds patience(50);
  Server server({.max_rows = 10});
  const std::string good = Candidates(3).body();
  const auto before = server.ask("POST", "/score", good);
  plait::Random random(12);
  int answered = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto answer = server.ask_raw(load::malformed_request(good, random), patience);
    INFO(i << ": " << answer.body);
    CHECK(answer.status != 500);
    answered += answer.status >= 400 ? 1 : 0;
  }
  CHECK(answered > 500);
  CHECK(server.ask("POST", "/score", good).body == before.body);
}
