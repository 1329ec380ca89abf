// Where a request ends: nothing of a body is ever taken for the next request.
#include <thread>
#include <vector>

#include "served.hpp"
#include "support/catch.hpp"

using namespace served;
using Catch::Matchers::ContainsSubstring;

namespace {

// What hides in bodies here.
const std::string hidden = load::http_request("POST", "/reload", "");

// The statuses of all answers on one connection until the service closes it, which it must.
std::vector<int> statuses(const Server& server, const std::string& bytes) {
  load::Connection connection("127.0.0.1", server.port(), std::chrono::seconds(8));
  connection.send(bytes);
  std::vector<int> all;
  while (const load::Answer* answer = connection.receive()) {
    all.push_back(answer->status);
    if (!answer->close) continue;
    CHECK(connection.receive() == nullptr);
    break;
  }
  return all;
}

bool reloaded(const Server& server) {
  return server.ask("GET", "/metrics").body.find("ranking_reloads_total{result=\"loaded\"} 0\n") ==
         std::string::npos;
}

std::string with_body(const std::string& line, const std::string& headers,
                      const std::string& body) {
  return line + " HTTP/1.1\r\nHost: x\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string chunk(const std::string& bytes) {
  char size[20];
  std::snprintf(size, sizeof size, "%zx", bytes.size());
  return size + ("\r\n" + bytes) + "\r\n";
}

}  // namespace

TEST_CASE("a body where none belongs is refused and its bytes are no request") {
  Server server;
  const std::string method = GENERATE("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE");
  const std::string path = GENERATE("/healthz", "/score", "/nowhere");
  INFO(method << ' ' << path);
  const auto expected = std::vector<int>{400};
  if (method != "HEAD") {
    CHECK(statuses(server, with_body(method + " " + path, "", hidden + hidden)) == expected);
    CHECK(statuses(server, method + " " + path +
                               " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
                               chunk(hidden) + "0\r\n\r\n" + hidden) == expected);
  } else {
    server.ask_raw(with_body("HEAD " + path, "", hidden + hidden));
  }
  CHECK(!reloaded(server));
}

TEST_CASE("what is refused before its body is read closes the connection") {
  Server server({.threads = 1, .queue = 0}, {.max_body = 2000});
  const std::string big(3000, ' ');
  CHECK(statuses(server, with_body("POST /score", "Content-Type: multipart/form-data\r\n",
                                   hidden)) == std::vector<int>{415});
  for (const char* headers :
       {"Content-Encoding: gzip\r\n", "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n",
        "Content-Type: Multipart/Form-Data\r\n"})
    CHECK(statuses(server, with_body("POST /score", headers, hidden)) == std::vector<int>{415});
  CHECK(statuses(server, with_body("POST /score", "", hidden + big + hidden)) ==
        std::vector<int>{413});
  CHECK(statuses(server, with_body("POST /reload", "", hidden + big + big)) ==
        std::vector<int>{413});
  CHECK(statuses(server, with_body("POST /nowhere", "", hidden)) == std::vector<int>{404});
  CHECK(statuses(server, with_body("POST /score", "Expect: wonders\r\n", hidden)) ==
        std::vector<int>{417});
  CHECK(!reloaded(server));
}

TEST_CASE("lengths that could be read in two ways are refused") {
  Server server;
  const auto post = [&](const std::string& headers) {
    return statuses(server,
                    "POST /score HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n" + hidden + hidden);
  };
  const auto refused = std::vector<int>{400};
  CHECK(post("Content-Length: 2\r\nContent-Length: 80\r\n") == refused);
  CHECK(post("Content-Length: 2\r\nContent-Length: 2\r\n") == refused);
  CHECK(post("Content-Length: 2, 2\r\n") == refused);
  CHECK(post("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n") == refused);
  CHECK(post("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n") == refused);
  CHECK(post("Transfer-Encoding: gzip, chunked\r\n") == refused);
  CHECK(post("Transfer-Encoding: identity\r\n") == refused);
  CHECK(post("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n") == refused);
  CHECK(post("Transfer-Encoding: chunked, identity\r\n") == refused);
  CHECK(post("Transfer-Encoding : chunked\r\n") == refused);
  CHECK(post("Transfer-Encoding: xchunked\r\n") == refused);
  for (const char* length : {"+2", "-2", "0x2", "2 2", "ten", "1e1", "", "99999999999999999999"})
    CHECK(post("Content-Length: " + std::string(length) + "\r\n") == refused);
  CHECK(post("Transfer-Encoding:\r\n chunked\r\n") == refused);
  CHECK(post("Content-Length:\r\n\t2\r\n") == refused);
  CHECK(post("X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: 2\r\n") == refused);
  CHECK(post("Host: y\r\nContent-Length: 2\r\n") == refused);
  CHECK(statuses(server, "POST /score HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + hidden) ==
        refused);
  CHECK(statuses(server, "POST /score HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}") == refused);
  CHECK(statuses(server, "POST /score HTTP/2.0\r\nContent-Length: 2\r\n\r\n{}") == refused);
  for (const char* size :
       {"-1", "+1", "0x5", "g", "", " 5", "ffffffffffffffff1", "5;a=\"\n0\n\n\""})
    CHECK(post("Transfer-Encoding: chunked\r\n\r\n" + std::string(size) + "\r\n") == refused);
  CHECK(!reloaded(server));
}

TEST_CASE("chunks of any size make one body") {
  Server server;
  const Candidates candidates(5);
  const std::string body = candidates.body();
  const auto expected = server.ask("POST", "/score", body);
  REQUIRE(expected.status == 200);
  const std::size_t size = GENERATE(1, 7, 100000);
  std::string request = "POST /score HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n";
  for (std::size_t at = 0; at < body.size(); at += size) request += chunk(body.substr(at, size));
  request += "0\r\nTrailer: x\r\n\r\n";
  load::Connection connection("127.0.0.1", server.port());
  REQUIRE(connection.send(request + request));
  for (int i = 0; i < 2; ++i) {
    const load::Answer* answer = connection.receive();
    REQUIRE(answer != nullptr);
    CHECK(answer->body == expected.body);
  }
}

TEST_CASE("pipelined requests are answered in order, each its own") {
  Server server({.threads = 2});
  std::string all;
  std::vector<std::string> expected;
  for (Index rows = 1; rows <= 20; ++rows) {
    const std::string body = Candidates(rows).body();
    expected.push_back(server.ask("POST", "/score", body).body);
    all += load::http_request("POST", "/score", body) + load::http_request("GET", "/healthz", "");
  }
  load::Connection connection("127.0.0.1", server.port());
  REQUIRE(connection.send(all));
  for (const std::string& body : expected) {
    const load::Answer* answer = connection.receive();
    REQUIRE(answer != nullptr);
    CHECK(answer->body == body);
    answer = connection.receive();
    REQUIRE(answer != nullptr);
    CHECK(answer->body == "{\"status\":\"ok\"}\n");
  }
}

TEST_CASE(
    "pipelined requests that end anywhere in what is read at once are answered, all of them") {
  Server server;
  const std::string request = load::http_request("GET", "/healthz", "");
  std::string all;
  for (int i = 0; i < 3000; ++i) all += request;
  load::Connection connection("127.0.0.1", server.port());
  std::jthread send([&] {
    for (std::size_t at = 0; at < all.size(); at += 5003)
      if (!connection.send(std::string_view(all).substr(at, 5003))) break;
  });
  int answers = 0;
  while (answers < 3000) {
    const load::Answer* answer = connection.receive();
    if (answer == nullptr || answer->status != 200) break;
    ++answers;
  }
  CHECK(answers == 3000);
}

TEST_CASE("a reload needs no body, takes a small one, and HEAD has an answer's head") {
  Server server;
  for (const char* request :
       {"POST /reload HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /reload HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
        "POST /reload HTTP/1.0\r\n\r\n", "\r\nPOST http://x/reload HTTP/1.1\r\nHost: x\r\n\r\n"})
    CHECK(server.ask_raw(request, std::chrono::seconds(3)).status == 200);
  load::Connection connection("127.0.0.1", server.port());
  const auto length = [](const std::string& body) {
    return "Content-Length: " + std::to_string(body.size());
  };
  const std::string head =
      connection.send("HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n") ? connection.receive_head() : "";
  CHECK_THAT(head, ContainsSubstring("200 OK"));
  CHECK_THAT(head, ContainsSubstring(length("{\"status\":\"ok\"}\n")));
  REQUIRE(connection.send(load::http_request("GET", "/healthz", "")));
  REQUIRE(connection.receive() != nullptr);  // nothing of a body was between them
}

TEST_CASE("empty lines before a request are passed over, however many") {
  Server server;
  std::string lines;
  for (int i = 0; i < 32000; ++i) lines += "\r\n";
  CHECK(server.ask_raw(lines + load::http_request("GET", "/healthz", "")).status == 200);
}

TEST_CASE("what is refused after an answer to HEAD has its text") {
  Server server;
  load::Connection connection("127.0.0.1", server.port());
  REQUIRE(connection.send("HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
  CHECK_THAT(connection.receive_head(), ContainsSubstring("200 OK"));
  REQUIRE(connection.send("nonsense\r\n\r\n"));
  const load::Answer* answer = connection.receive();
  REQUIRE(answer != nullptr);
  CHECK(answer->status == 400);
}

TEST_CASE("who expects it is told to go on with a body") {
  Server server({}, {.max_body = 2000});
  const std::string body = R"({"user":[1,2,3],"candidates":[]})";
  load::Connection connection("127.0.0.1", server.port(), std::chrono::seconds(3));
  const auto head = [](std::size_t length) {
    return "POST /score HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: " +
           std::to_string(length) + "\r\n\r\n";
  };
  REQUIRE(connection.send(head(body.size())));
  CHECK(connection.receive_head() == "HTTP/1.1 100 Continue");
  REQUIRE(connection.send(body));
  const load::Answer* answer = connection.receive();
  REQUIRE(answer != nullptr);
  CHECK(answer->status == 200);
  REQUIRE(connection.send(head(3000)));
  answer = connection.receive();
  REQUIRE(answer != nullptr);
  CHECK(answer->status == 413);
}
