// The service over HTTP/1.1.
//
//   POST /score    scores of a request        POST /reload   loads the model's file again
//   GET  /healthz  200, or 503 while draining GET  /model    what is served
//   GET  /metrics  for Prometheus
//
// Every error is {"error": "..."}. One thread reads and writes for all connections; it answers GET
// itself, so that health checks wait for no request.
#pragma once
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "service.hpp"

namespace service {

struct HttpOptions {
  using Time = std::chrono::milliseconds;

  std::string host = "127.0.0.1";
  int port = 8080;                               // 0: one that is free
  std::size_t connections = 256;                 // that may send requests for scores; see `spare`
  std::size_t max_body = std::size_t{16} << 20;  // bytes of a request
  // Of all requests that are read or wait, and all answers that are written, together.
  std::size_t max_memory = std::size_t{32} << 20;
  Time idle{5000};      // a connection between two requests
  Time request{10000};  // from a request's first byte to its last
  Time answer{10000};   // from an answer's first byte to its last
  // Beyond `connections`, so many are asked for GET alone and turned away otherwise, after one
  // answer; they have spare_time for their request. For a newer one the first of them makes room
  // that has sent nothing, or else the first of all.
  std::size_t spare = 16;
  Time spare_time{1000};
};

class HttpServer {
 public:
  // Listens from here on, and answers when run() runs. The service must outlive the server. Throws
  // UsageError when the port cannot be had.
  HttpServer(Service& service, const HttpOptions& options);
  // Ends when the service has no job of this server any more.
  ~HttpServer();

  int port() const;

  // Answers until what drain() began has ended.
  void run();

  // Begins to end run(), and returns. For `at_least` all goes on, but /healthz says that it drains
  // and answers ask clients to close their connections. Then idle connections are closed, and run()
  // ends when there is none, `at_most` from now. Any thread, any number of times.
  void drain(std::chrono::milliseconds at_least, std::chrono::milliseconds at_most);

 private:
  class Listener;  // Boost stays out of here
  std::unique_ptr<Listener> listener_;
};

}  // namespace service
