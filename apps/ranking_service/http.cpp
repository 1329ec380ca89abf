#include "http.hpp"

#include <atomic>
#include <exception>
#include <thread>

#include "connections.hpp"  // httplib, after all that includes Eigen
#include "errors.hpp"
#include "plait/core/error.hpp"

namespace service {
namespace {

void send(const Reply& reply, httplib::Response& response) {
  response.status = reply.status;
  response.set_content(reply.body, "application/json");
  if (reply.status == 503) response.set_header("Retry-After", "1");
}

std::string status_text(int status) {
  switch (status) {
    case 400:
      return "request: got no HTTP, expected a request";
    case 404:
      return "path: expected POST /score, POST /reload, GET /healthz, GET /model or GET /metrics";
    case 413:
      return "body: got too much of it";
    case 414:
      return "path: got too much of it";
  }
  return plait::text("status ", status);
}

}  // namespace

class HttpServer::Routes {
 public:
  Routes(Service& service, const HttpOptions& options);
  int port() const { return port_; }
  void run() {
    server_.listen_after_bind();
    ended_ = true;
  }
  void drain(std::chrono::milliseconds at_most);

 private:
  void add_routes();
  void score(const httplib::Request& request, httplib::Response& response,
             const httplib::ContentReader& read);

  Service& service_;
  std::size_t max_body_;
  std::atomic<bool> draining_{false};
  std::atomic<bool> ended_{false};
  std::atomic<int> open_{0};  // connections
  httplib::Server server_;
  int port_ = 0;
};

HttpServer::Routes::Routes(Service& service, const HttpOptions& options)
    : service_(service), max_body_(options.max_body) {
  server_.new_task_queue = [this, threads = options.connections] {
    return new Connections(threads, open_);  // httplib deletes it
  };
  server_.set_keep_alive_max_count(std::size_t{1} << 30);
  server_.set_keep_alive_timeout(options.keep_alive_seconds);
  server_.set_payload_max_length(options.max_body);
  server_.set_tcp_nodelay(true);
  int listening = -1;
  server_.set_socket_options([&](int socket) {
    const int on = 1;  // and not SO_REUSEPORT, httplib's own, by which two services share a port
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    listening = socket;
  });
  add_routes();
  if (options.port == 0) {
    port_ = server_.bind_to_any_port(options.host);
  } else if (server_.bind_to_port(options.host, options.port)) {
    port_ = options.port;
  }
  if (port_ <= 0)
    throw UsageError(plait::text("--port: cannot listen on ", options.host, ":", options.port));
  // httplib's own queue of connections is 5 long: a burst of more would wait a second each.
  ::listen(listening, 128);
}

void HttpServer::Routes::drain(std::chrono::milliseconds at_most) {
  const auto end = std::chrono::steady_clock::now() + at_most;
  draining_ = true;
  while (open_ > 0 && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  // stop() is lost on a server that is about to run.
  while (!server_.is_running() && !ended_)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  server_.stop();
}

void HttpServer::Routes::add_routes() {
  using httplib::Request;
  using httplib::Response;
  server_.set_pre_routing_handler([](const Request&, Response& response) {
    if (!Connections::turned_away()) return httplib::Server::HandlerResponse::Unhandled;
    send(error_reply(503, "overloaded: too many connections"), response);
    response.set_header("Connection", "close");
    return httplib::Server::HandlerResponse::Handled;
  });
  server_.Post("/score",
               [this](const Request& request, Response& response,
                      const httplib::ContentReader& read) { score(request, response, read); });
  server_.Post("/reload",
               [this](const Request&, Response& response) { send(service_.reload(), response); });
  server_.Get("/healthz", [this](const Request&, Response& response) {
    send(draining_ ? error_reply(503, "draining") : Reply{200, "{\"status\":\"ok\"}\n"}, response);
  });
  server_.Get("/model",
              [this](const Request&, Response& response) { send(service_.describe(), response); });
  server_.Get("/metrics", [this](const Request&, Response& response) {
    response.set_content(service_.metrics(), "text/plain; version=0.0.4");
  });

  server_.set_error_handler([](const Request&, Response& response) {
    if (response.body.empty())
      send(error_reply(response.status, status_text(response.status)), response);
  });
  server_.set_exception_handler([](const Request&, Response& response, std::exception_ptr error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      send(error_reply(500, e.what()), response);
    } catch (...) {
      send(error_reply(500, "unknown error"), response);
    }
  });
  server_.set_post_routing_handler([this](const Request&, Response& response) {
    if (draining_ && !response.has_header("Connection")) response.set_header("Connection", "close");
  });
}

void HttpServer::Routes::score(const httplib::Request& request, httplib::Response& response,
                               const httplib::ContentReader& read) {
  if (request.is_multipart_form_data()) {
    send(error_reply(415, "body: got a form, expected JSON"), response);
    response.set_header("Connection", "close");  // the body was not read
    return;
  }
  std::string body;
  bool too_large = false;
  const bool whole = read([&](const char* data, std::size_t size) {
    too_large = body.size() + size > max_body_;  // a compressed body may be small until here
    if (!too_large) body.append(data, size);
    return !too_large;
  });
  if (too_large) {
    send(error_reply(413, plait::text("body: got more than ", max_body_, " bytes")), response);
    response.set_header("Connection", "close");
  } else if (whole) {
    send(service_.score(body), response);
  } else if (response.status < 400) {
    send(error_reply(400, "body: got less than was announced"), response);
  }
}

HttpServer::HttpServer(Service& service, const HttpOptions& options)
    : routes_(std::make_unique<Routes>(service, options)) {}
HttpServer::~HttpServer() = default;
int HttpServer::port() const { return routes_->port(); }
void HttpServer::run() { routes_->run(); }
void HttpServer::drain(std::chrono::milliseconds at_most) { routes_->drain(at_most); }

}  // namespace service
