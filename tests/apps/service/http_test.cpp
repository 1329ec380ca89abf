// The service as its clients see it.
#include "http.hpp"

#include <atomic>
#include <cmath>
#include <list>

#include "errors.hpp"
#include "served.hpp"
#include "support/catch.hpp"

using namespace served;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("scores over HTTP are the model's") {
  Server server({.threads = 2});
  const Candidates candidates(7);
  const auto answer = server.ask("POST", "/score", candidates.body());
  REQUIRE(answer.status == 200);
  const json reply = json::parse(answer.body);
  CHECK(reply.at("version") == 1);
  const auto scores = scores_of(reply);
  const auto same = candidates.scores(model(1));
  const auto plain = candidates.plain_scores(model(1));
  CHECK((scores.array() == same.array()).all());
  CHECK((scores - plain).cwiseAbs().maxCoeff() < 1e-5f);
  CHECK(plain.cwiseAbs().maxCoeff() > 0.1f);
  for (Index b = 0; b < 7; ++b) {
    double product = 1;
    for (Index c = 0; c < 5; ++c) product *= std::max(1e-9, double{scores(b, c)});
    CHECK(reply.at("rank").at(static_cast<std::size_t>(b)) == Approx(product).epsilon(1e-9));
  }

  json weighted = json::parse(candidates.body());
  weighted["weights"] = {{"click", 2}, {"stars.2", 0.5}};
  const json second = json::parse(server.ask("POST", "/score", weighted.dump()).body);
  CHECK(second.at("rank").at(3) ==
        Approx(std::pow(double{scores(3, 0)}, 2) * std::sqrt(double{scores(3, 4)})).epsilon(1e-9));
}

TEST_CASE("a request without candidates has no scores") {
  Server server;
  const auto answer = server.ask("POST", "/score", R"({"user":[1,2,3],"candidates":[]})");
  CHECK(answer.status == 200);
  CHECK(json::parse(answer.body).at("rank").empty());
}

TEST_CASE("every mistake has its status and a text") {
  Server server({.max_rows = 4}, {.max_body = 2000});
  const std::string good = Candidates(2).body();
  const auto check = [&](const load::Answer& answer, int status, const std::string& text) {
    CHECK(answer.status == status);
    CHECK_THAT(json::parse(answer.body).at("error").get<std::string>(), ContainsSubstring(text));
  };
  check(server.ask("POST", "/score", "{"), 400, "body: got no JSON at byte 2");
  check(server.ask("POST", "/score", ""), 400, "body: got no JSON");
  check(server.ask("POST", "/score", R"({"user":[1,2],"candidates":[]})"), 422,
        "user: got 2 features, expected 3");
  check(server.ask("POST", "/score", R"({"user":[1,2,3],"candidates":[[1,2,3,4,"x"]]})"), 422,
        "candidates[0][4]: got a string");
  check(server.ask("POST", "/score", Candidates(5).body()), 413, "candidates: got more than 4");
  check(server.ask("POST", "/score",
                   R"({"user":[3e38,3e38,3e38],"candidates":[[3e38,3e38,3e38,3e38,3e38]]})"),
        422, "candidates[0]: got features with a score of NaN or infinity");
  check(server.ask("POST", "/score", std::string(3000, ' ')), 413,
        "body: got more than 2000 bytes");
  check(server.ask("GET", "/score"), 404, "path: expected POST /score");
  check(server.ask("POST", "/scores", good), 404, "path: expected POST /score");
  check(server.ask_raw("POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; "
                       "boundary=x\r\nContent-Length: 2\r\n\r\n{}"),
        415, "body: got a form, expected JSON");
  check(server.ask_raw("nonsense\r\n\r\n"), 400, "request: got no HTTP");
  CHECK(server.ask("POST", "/score", good).status == 200);  // after all of them
}

TEST_CASE("a service says what it serves and what it did") {
  Server server({.weights = {{"click", 1}, {"dwell", 0.5}}});
  CHECK(server.ask("GET", "/healthz").body == "{\"status\":\"ok\"}\n");
  const json description = json::parse(server.ask("GET", "/model").body);
  CHECK(description.at("architecture") == "AdaTT");
  CHECK(description.at("instruction_set") == plait::name(plait::instruction_set()));
  CHECK(description.at("version") == 1);
  CHECK(description.at("user_features") == user_features);
  CHECK(description.at("candidate_features") == candidate_features);
  CHECK(description.at("scores") == json(columns));
  CHECK(description.at("weights").at("dwell") == 0.5);
  CHECK(description.at("weights").at("stars.0") == 0);
  CHECK(description.at("parameters") == model(1).table().num_parameters());

  server.ask("POST", "/score", Candidates(6).body());
  server.ask("POST", "/score", "{");
  const std::string metrics = server.ask("GET", "/metrics").body;
  CHECK_THAT(metrics, ContainsSubstring("ranking_requests_total{code=\"200\"} 1\n"));
  CHECK_THAT(metrics, ContainsSubstring("ranking_requests_total{code=\"400\"} 1\n"));
  CHECK_THAT(metrics, ContainsSubstring("ranking_rows_total 6\n"));
  CHECK_THAT(metrics, ContainsSubstring("ranking_request_seconds_count 2\n"));
  CHECK_THAT(metrics, ContainsSubstring("ranking_model_version 1\n"));
}

TEST_CASE("requests beyond the queue get 503 and the others their scores") {
  Server server({.threads = 1, .queue = 0, .max_rows = 2000});
  const Candidates candidates(2000);
  const auto expected = candidates.scores(model(1));
  const std::string request = load::http_request("POST", "/score", candidates.body());
  std::atomic<int> scored{0};
  std::atomic<int> refused{0};
  std::atomic<int> wrong{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 200 && (refused == 0 || scored == 0); ++k) {
        const auto answer = server.ask_raw(request);
        if (answer.status == 503) {
          ++refused;
          if (answer.body != "{\"error\":\"overloaded: 0 requests wait already\"}\n") ++wrong;
        } else if (answer.status == 200) {
          ++scored;
          if ((scores_of(json::parse(answer.body)).array() != expected.array()).any()) ++wrong;
        } else {
          ++wrong;
        }
      }
    });
  threads.clear();
  CHECK(scored > 0);
  CHECK(refused > 0);
  CHECK(wrong == 0);
}

TEST_CASE("requests that have waited too long get 503 and are not scored") {
  Server server({.threads = 1, .max_wait = std::chrono::milliseconds(20), .max_rows = 20000},
                {.max_memory = std::size_t{1} << 28});
  const std::string request = load::http_request("POST", "/score", Candidates(20000).body());
  std::list<load::Connection> clients;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back("127.0.0.1", server.port());
    REQUIRE(clients.back().send(request));
  }
  int scored = 0;
  int refused = 0;
  for (load::Connection& client : clients) {
    const load::Answer* answer = client.receive();
    REQUIRE(answer != nullptr);
    ++(answer->status == 200 ? scored : refused);
    if (answer->status != 200)
      CHECK(answer->body == "{\"error\":\"overloaded: waited too long\"}\n");
  }
  CHECK(scored > 0);
  CHECK(refused > 0);
}

TEST_CASE("weights for scores that the model has not are refused") {
  files::Directory directory;
  save(model(1), directory / "model");
  const auto start = [&](std::vector<std::pair<std::string, double>> weights) {
    service::Service({.model = directory / "model", .weights = std::move(weights)});
  };
  CHECK_THROWS_WITH(start({{"like", 1}}), "--weight: the model has no score 'like'");
  CHECK_THROWS_WITH(start({{"click", 33}}),
                    "--weight: expected weights whose magnitudes add up to at most 32");
}
