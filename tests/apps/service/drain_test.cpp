// The end of a service: seen by health checks, in time, and without a request lost.
#include <atomic>
#include <list>

#include "served.hpp"
#include "support/catch.hpp"

using namespace served;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

TEST_CASE("draining answers what comes, asks to close and ends") {
  Server server({.threads = 2});
  const Candidates candidates(50);
  const std::string request = load::http_request("POST", "/score", candidates.body());
  std::atomic<int> connected{0};
  std::atomic<int> lost{0};
  std::atomic<int> asked_to_close{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      load::Connection connection("127.0.0.1", server.port());
      for (bool first = true;; first = false) {
        const load::Answer* answer = connection.send(request) ? connection.receive() : nullptr;
        if (answer == nullptr || answer->status != 200) {
          ++lost;
          return;
        }
        if (first) ++connected;
        if (!answer->close) continue;
        ++asked_to_close;
        return;
      }
    });
  auto opened = std::make_unique<load::Connection>("127.0.0.1", server.port());
  REQUIRE(opened->send(load::http_request("GET", "/healthz", "")));
  REQUIRE(opened->receive()->status == 200);
  while (connected < 4) std::this_thread::sleep_for(std::chrono::milliseconds(1));

  std::jthread drain([&] { server.drain(std::chrono::seconds(30), milliseconds(500)); });
  int status = 200;
  for (int i = 0; i < 1000 && status == 200; ++i) {
    REQUIRE(opened->send(load::http_request("GET", "/healthz", "")));
    const load::Answer* answer = opened->receive();
    REQUIRE(answer != nullptr);
    status = answer->status;
    CHECK((status == 200 || answer->close));
    // Draining may begin between an answer's status and its headers.
    if (status == 200 && answer->close)
      opened = std::make_unique<load::Connection>("127.0.0.1", server.port());
  }
  CHECK(status == 503);
  threads.clear();
  opened.reset();
  drain.join();
  CHECK(lost == 0);
  CHECK(asked_to_close == 4);
  CHECK_THROWS(server.ask("GET", "/healthz"));  // nobody listens
}

TEST_CASE("while it drains new connections are served, and health checks say so") {
  Server server;
  const std::string body = Candidates(3).body();
  const auto expected = server.ask("POST", "/score", body);
  std::jthread drain([&] { server.drain(milliseconds(3000), milliseconds(500)); });
  const auto start = Clock::now();
  int draining = 0;
  while (Clock::now() - start < milliseconds(300)) {
    draining += server.ask("GET", "/healthz").status == 503 ? 1 : 0;
    CHECK(server.ask("POST", "/score", body).body == expected.body);
  }
  CHECK(draining > 3);
  drain.join();
  CHECK(Clock::now() - start >= milliseconds(500));
  CHECK(Clock::now() - start < milliseconds(2000));
}

TEST_CASE("who connects while it drains has time to ask, and an answer") {
  Server server;
  load::Connection unfinished("127.0.0.1", server.port());
  REQUIRE(unfinished.send("POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{"));
  std::jthread drain([&] { server.drain(milliseconds(20000), milliseconds(20)); });
  std::this_thread::sleep_for(milliseconds(50));
  for (int i = 0; i < 20; ++i) {
    load::Connection client("127.0.0.1", server.port());
    std::this_thread::sleep_for(milliseconds(30));
    REQUIRE(client.send(load::http_request("GET", "/healthz", "")));
    const load::Answer* answer = client.receive();
    REQUIRE(answer != nullptr);
    CHECK(answer->status == 503);
  }
  REQUIRE(unfinished.send("}"));
  CHECK(unfinished.receive() != nullptr);
}

TEST_CASE("no client keeps the end from coming") {
  Server server({}, {.answer = std::chrono::seconds(60)});
  std::list<load::Connection> clients;
  for (const char* sent : {"", "P", "POST /score HTTP/1.1\r\n",
                           "POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{",
                           "POST /score HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
                           "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"}) {
    clients.emplace_back("127.0.0.1", server.port());
    if (*sent != '\0') REQUIRE(clients.back().send(sent));
  }
  // One that trickles, and one that does not read what it asked for.
  std::atomic<bool> ended{false};
  std::jthread trickle([&] {
    load::Connection client("127.0.0.1", server.port());
    client.send("GET /healthz HTTP/1.1\r\nX: ");
    while (!ended && client.send("x")) std::this_thread::sleep_for(milliseconds(5));
  });
  clients.emplace_back("127.0.0.1", server.port());
  std::string asks;
  for (int i = 0; i < 20000; ++i) asks += "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
  std::jthread deaf([&] { clients.back().send(asks); });
  std::this_thread::sleep_for(milliseconds(50));
  const auto start = Clock::now();
  server.drain(milliseconds(300));
  ended = true;
  CHECK(Clock::now() - start < milliseconds(1300));
  clients.pop_back();
}

TEST_CASE("a drain before the first request, and one without time, end") {
  Server server;
  const milliseconds time = GENERATE(milliseconds(0), milliseconds(50));
  const auto start = Clock::now();
  server.drain(time);
  CHECK(Clock::now() - start < milliseconds(1000));
}
