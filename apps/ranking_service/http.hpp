// The service over HTTP.
//
//   POST /score    scores of a request        POST /reload   loads the model's file again
//   GET  /healthz  200, or 503 while draining GET  /model    what is served
//   GET  /metrics  for Prometheus
//
// Every error is {"error": "..."}.
#pragma once
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "service.hpp"

namespace service {

struct HttpOptions {
  std::string host = "127.0.0.1";
  int port = 8080;               // 0: one that is free
  std::size_t connections = 64;  // served at the same time; requests on more get 503
  std::size_t max_body = std::size_t{16} << 20;  // bytes, after decompression
  int keep_alive_seconds = 5;                    // that a connection may be idle
};

class HttpServer {
 public:
  // Listens from here on, and answers when run() runs. The service must outlive the server. Throws
  // UsageError when the port cannot be had.
  HttpServer(Service& service, const HttpOptions& options);
  ~HttpServer();

  int port() const;

  // Answers until drain() has ended.
  void run();

  // Asks clients to close their connections and answers until none is left or the time is over,
  // then ends run(). Requests that are under way are answered in any case. Another thread than
  // run's.
  void drain(std::chrono::milliseconds at_most);

 private:
  class Routes;  // httplib stays out of here: its system headers define names that Eigen uses
  std::unique_ptr<Routes> routes_;
};

}  // namespace service
