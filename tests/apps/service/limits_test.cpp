// Every way into the service's memory has its bound.
#include <list>
#include <vector>

#include "served.hpp"
#include "support/catch.hpp"

using namespace served;
using Catch::Matchers::ContainsSubstring;

namespace {

std::string post(const std::string& path, const std::string& headers, const std::string& body) {
  return "POST " + path + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n" + body;
}

}  // namespace

TEST_CASE("bodies are bounded on every path, announced or in chunks") {
  Server server({}, {.max_body = 100000});
  const std::string megabyte(std::size_t{1} << 20, ' ');
  const std::string path = GENERATE("/score", "/reload");
  const std::string announced = "Content-Length: " + std::to_string(megabyte.size()) + "\r\n";
  CHECK(server.ask_raw(post(path, announced, megabyte)).status == 413);
  CHECK(server.ask_raw(post(path, announced, "")).status == 413);  // before a byte of it
  CHECK(server.ask_raw(post(path, "Transfer-Encoding: chunked\r\n", "100000\r\n" + megabyte))
            .status == 413);
  std::string chunks;
  for (int i = 0; i < 20000; ++i) chunks += "8\r\n        \r\n";
  CHECK(server.ask_raw(post(path, "Transfer-Encoding: chunked\r\n", chunks)).status == 413);
  CHECK(server.ask("GET", "/healthz").status == 200);
}

TEST_CASE("lines, headers and what surrounds chunks are bounded") {
  Server server;
  const std::string megabyte(std::size_t{1} << 20, 'a');
  CHECK(server.ask_raw("GET /" + megabyte).status == 431);
  CHECK(server.ask_raw(megabyte).status >= 400);
  CHECK(server.ask_raw(post("/score", "X: " + megabyte, "")).status == 431);
  std::string headers;
  for (int i = 0; i < 40000; ++i) headers += "X: y\r\n";
  CHECK(server.ask_raw(post("/score", headers, "")).status == 431);
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  CHECK(server.ask_raw(post("/score", chunked, "2;" + megabyte)).status >= 400);
  CHECK(server.ask_raw(post("/score", chunked, "0\r\n" + headers)).status >= 400);
  CHECK(server.ask("GET", "/healthz").status == 200);
}

TEST_CASE("headers are bounded however they come") {
  Server server;
  load::Connection client("127.0.0.1", server.port());
  REQUIRE(client.send("POST /score HTTP/1.1\r\nHost: x\r\na"));
  std::string fields;  // each piece ends within the next one's name
  for (int i = 0; i < 500; ++i) fields += ":\r\na";
  for (int i = 0; i < 200 && client.send(fields); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  const load::Answer* answer = client.receive();
  REQUIRE(answer != nullptr);
  CHECK(answer->status == 431);

  std::string many;
  for (int i = 0; i < 200; ++i) many += "a: b\r\n";
  CHECK(server.ask_raw(post("/score", many + "Content-Length: 2\r\n", "{}")).status == 431);
}

TEST_CASE("answers count as memory, too, until they are taken") {
  Server server({.max_wait = std::chrono::seconds(60), .max_rows = 100000},
                {.max_body = 10000000, .max_memory = 20000000});
  std::string body = R"({"user":[1,2,3],"candidates":[)";
  for (int i = 0; i < 100000; ++i) body += (i > 0 ? ",[" : "[") + std::string("1,2,3,4,5]");
  const std::string request = load::http_request("POST", "/score", body + "]}");
  std::list<load::Connection> clients;  // the system takes some of their answers, not all
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back("127.0.0.1", server.port());
    REQUIRE(clients.back().send(request));
  }
  int refused = 0;
  for (load::Connection& client : clients) {
    const load::Answer* answer = client.receive();
    REQUIRE(answer != nullptr);
    CHECK((answer->status == 200 || answer->status == 503));
    refused += answer->status == 503 ? 1 : 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(refused > 0 ? 0 : 300));
  }
  CHECK(refused > 0);
  CHECK(server.ask_raw(request).status == 200);
}

TEST_CASE("a range is not looked at") {
  Server server;
  const std::string body = Candidates(3).body();
  const auto whole = server.ask("POST", "/score", body);
  std::string ranges = "Range: bytes=0-0";
  for (int i = 0; i < 1000; ++i) ranges += ",0-0";
  CHECK(server
            .ask_raw(post("/score",
                          ranges + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n",
                          body))
            .body == whole.body);
}

TEST_CASE("the memory of all bodies together has a bound, and comes back") {
  Server server({}, {.max_body = 1000000, .max_memory = 2000000});
  const std::string body = Candidates(3).body();
  const std::string half(900000, ' ');
  const std::string request =
      post("/score", "Content-Length: " + std::to_string(half.size() + 1) + "\r\n", half);
  const auto used = [&] {
    const std::string text = server.ask("GET", "/metrics").body;
    return std::stoul(text.substr(text.find("\nranking_client_bytes ") + 22));
  };
  {
    load::Connection first("127.0.0.1", server.port());
    REQUIRE(first.send(request));
    for (int i = 0; i < 2000 && used() < half.size(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    CHECK(used() >= half.size());
    const auto second = server.ask_raw(request);
    CHECK(second.status == 503);
    CHECK_THAT(second.body, ContainsSubstring("too many bytes of requests"));
    CHECK(server.ask("POST", "/score", body).status == 200);  // a small one has room
    REQUIRE(first.send("x"));
    CHECK(first.receive()->status == 400);
    CHECK(used() < half.size());
    REQUIRE(first.send(request));
  }
  for (int i = 0; i < 2000 && used() > 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(used() == 0);
}

TEST_CASE("connections beyond the limit are asked GET and turned away otherwise") {
  Server server({}, {.connections = 1});
  load::Connection first("127.0.0.1", server.port());
  REQUIRE(first.send(load::http_request("GET", "/healthz", "")));
  REQUIRE(first.receive()->status == 200);
  const auto health = server.ask("GET", "/healthz");
  CHECK(health.status == 200);
  CHECK(health.close);
  const auto score = server.ask("POST", "/score", Candidates(1).body());
  CHECK(score.status == 503);
  CHECK(score.close);
  CHECK(score.body == "{\"error\":\"overloaded: too many connections\"}\n");
  REQUIRE(first.send(load::http_request("GET", "/healthz", "")));
  CHECK(first.receive()->status == 200);
}
