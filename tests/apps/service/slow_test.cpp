// Clients that take their time.
#include <list>

#include "served.hpp"
#include "support/catch.hpp"

using namespace served;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

namespace {

// Until the service closes, or for three seconds.
milliseconds until_closed(load::Connection& connection, const std::string& bytes,
                          milliseconds between) {
  const auto start = Clock::now();
  for (const char byte : bytes) {
    if (!connection.send(std::string(1, byte)) || Clock::now() - start > milliseconds(3000)) break;
    std::this_thread::sleep_for(between);
  }
  return std::chrono::duration_cast<milliseconds>(Clock::now() - start);
}

}  // namespace

TEST_CASE("a request has its time, however steadily its bytes come") {
  Server server({}, {.idle = milliseconds(200), .request = milliseconds(200)});
  const std::string trickle = GENERATE(
      std::string(2000, 'G'), "GET /healthz HTTP/1.1\r\nX: " + std::string(2000, 'x'),
      "POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n" + std::string(2000, ' '),
      "POST /score HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2000\r\n" +
          std::string(2000, ' '));
  load::Connection connection("127.0.0.1", server.port());
  CHECK(until_closed(connection, trickle, milliseconds(20)) < milliseconds(1500));
}

TEST_CASE("an idle connection is closed, one that never asked too") {
  Server server({}, {.idle = milliseconds(100)});
  load::Connection silent("127.0.0.1", server.port(), milliseconds(3000));
  load::Connection once("127.0.0.1", server.port(), milliseconds(3000));
  REQUIRE(once.send(load::http_request("GET", "/healthz", "")));
  REQUIRE(once.receive()->status == 200);
  const auto start = Clock::now();
  CHECK(silent.receive() == nullptr);
  CHECK(once.receive() == nullptr);
  CHECK(Clock::now() - start < milliseconds(2000));
}

TEST_CASE("an answer that nobody reads is given up") {
  Server server({.max_rows = 100000}, {.answer = milliseconds(200)});
  std::string body = R"({"user":[1,2,3],"candidates":[)";
  for (int i = 0; i < 100000; ++i) body += (i > 0 ? ",[" : "[") + std::string("1,2,3,4,5]");
  load::Connection deaf("127.0.0.1", server.port());
  REQUIRE(deaf.send(load::http_request("POST", "/score", body + "]}")));
  const auto connections = [&] {
    const std::string text = server.ask("GET", "/metrics").body;
    return std::stoi(text.substr(text.find("\nranking_connections ") + 21));
  };
  int open = 2;
  for (int i = 0; i < 3000 && open > 1; ++i) {
    std::this_thread::sleep_for(milliseconds(10));
    open = connections();
  }
  CHECK(open == 1);  // the one that asks
}

TEST_CASE("health checks do not wait for clients that fill all connections") {
  Server server({}, {.connections = 8, .spare = 4});
  std::list<load::Connection> clients;
  for (int i = 0; i < 40; ++i) {
    clients.emplace_back("127.0.0.1", server.port());
    clients.back().send("POST /score HTTP/1.1\r\n");
  }
  for (int i = 0; i < 20; ++i) {
    const auto start = Clock::now();
    CHECK(server.ask("GET", "/healthz").status == 200);
    CHECK(Clock::now() - start < milliseconds(500));
  }
}

TEST_CASE("health checks do not wait for requests that are scored or wait") {
  Server server({.threads = 1, .max_wait = milliseconds(60000), .max_rows = 20000},
                {.max_memory = std::size_t{1} << 28});
  const std::string request = load::http_request("POST", "/score", Candidates(20000).body());
  std::list<load::Connection> clients;
  for (int i = 0; i < 16; ++i) {
    clients.emplace_back("127.0.0.1", server.port());
    REQUIRE(clients.back().send(request));
  }
  const auto start = Clock::now();
  CHECK(server.ask("GET", "/healthz").status == 200);
  const auto asked = Clock::now() - start;
  for (load::Connection& client : clients) {
    const load::Answer* answer = client.receive();
    REQUIRE(answer != nullptr);
    CHECK(answer->status == 200);
  }
  CHECK(asked < (Clock::now() - start) / 4);
}
