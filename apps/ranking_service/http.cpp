#include "http.hpp"

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <exception>
#include <string>
#include <thread>
#include <utility>

#include "connection.hpp"
#include "errors.hpp"
#include "plait/core/error.hpp"

namespace service {

namespace net = boost::asio;
using boost::beast::error_code;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

class HttpServer::Listener {
 public:
  Listener(Service& service, const HttpOptions& options);
  ~Listener();
  int port() const { return acceptor_.local_endpoint().port(); }
  void run();
  void drain(milliseconds at_least, milliseconds at_most);

 private:
  void listen(const HttpOptions& options);
  void accept();
  bool accept_waiting();
  void admit(net::ip::tcp::socket socket);
  void look();
  template <class Which>
  void close_those(const Which& which);
  static constexpr milliseconds between_looks{10};
  // For answers that are being made or written when the time to drain is over.
  static constexpr milliseconds last_answers{500};
  // For the first request of a connection, and the next one, while it drains.
  static constexpr milliseconds drained_idle{200};

  Shared shared_;
  net::ip::tcp::acceptor acceptor_;
  net::steady_timer retry_;  // of accepting, after an error
  net::steady_timer next_look_;
  bool accepting_ = false;
  Clock::time_point stay_until_, end_;
};

HttpServer::Listener::Listener(Service& service, const HttpOptions& options)
    : shared_(service, options), acceptor_(shared_.io), retry_(shared_.io), next_look_(shared_.io) {
  try {
    listen(options);
  } catch (const boost::system::system_error& error) {
    throw UsageError(plait::text("--port: cannot listen on ", options.host, ":", options.port, ": ",
                                 error.code().message()));
  }
  accept();
}

HttpServer::Listener::~Listener() {
  while (shared_.jobs > 0) std::this_thread::sleep_for(milliseconds(1));
  shared_.io.restart();
  shared_.io.poll();  // answers to connections that were closed
}

void HttpServer::Listener::listen(const HttpOptions& options) {
  net::ip::tcp::resolver resolver(shared_.io);
  const auto found =
      resolver.resolve(options.host, std::to_string(options.port), net::ip::tcp::resolver::passive);
  for (auto address = found.begin(); address != found.end();) {
    const net::ip::tcp::endpoint endpoint = *address++;
    try {
      acceptor_.open(endpoint.protocol());
      acceptor_.set_option(net::socket_base::reuse_address(true));  // of a port that was just left
      acceptor_.bind(endpoint);
      acceptor_.listen();
      acceptor_.non_blocking(true);
      return;
    } catch (const boost::system::system_error&) {
      if (address == found.end()) throw;
      acceptor_.close();
    }
  }
}

// A handler that throws, for want of memory, loses its own connection and no other.
void HttpServer::Listener::run() {
  for (;;) {
    try {
      if (acceptor_.is_open() && !accepting_) accept();
      shared_.io.run();
      break;
    } catch (const std::exception&) {
    }
  }
}

void HttpServer::Listener::accept() {
  if (accepting_) return;
  acceptor_.async_accept([this](error_code error, net::ip::tcp::socket socket) {
    accepting_ = false;
    if (!error) admit(std::move(socket));
    if (!acceptor_.is_open()) return;
    if (!error) {
      accept_waiting();  // else the last of many waits while all before it are served in between
      return accept();
    }
    retry_.expires_after(milliseconds(50));  // without descriptors, for one: some will come back
    retry_.async_wait([this](error_code) {
      if (acceptor_.is_open()) accept();
    });
  });
  accepting_ = true;
}

// Some of what has connected and is not yet accepted. True if there was any.
bool HttpServer::Listener::accept_waiting() {
  for (int count = 0;; ++count) {
    error_code error;
    net::ip::tcp::socket socket(shared_.io);
    if (count < 128) acceptor_.accept(socket, error);
    if (error || !socket.is_open()) return count > 0;
    admit(std::move(socket));
  }
}

void HttpServer::Listener::admit(net::ip::tcp::socket socket) {
  const HttpOptions& options = shared_.options;
  const bool spare = shared_.open.size() - shared_.spare >= options.connections;
  if (spare && shared_.spare >= options.spare) {
    const auto first = [&](bool idle) {  // those that have sent nothing go before the others
      return std::ranges::find_if(shared_.open, [idle](const Connection* connection) {
        return connection->spare() && connection->open() && (connection->idle() || !idle);
      });
    };
    const auto idle = first(true);
    const auto place = idle != shared_.open.end() ? idle : first(false);
    if (place != shared_.open.end()) (*place)->close();
  }
  std::make_shared<Connection>(std::move(socket), shared_, spare)->start();
}

void HttpServer::Listener::drain(milliseconds at_least, milliseconds at_most) {
  net::post(shared_.io, [this, at_least, at_most] {
    if (std::exchange(shared_.draining, true)) return;
    end_ = Clock::now() + at_most;
    stay_until_ = std::min(Clock::now() + at_least, end_);
    look();
  });
}

// While it drains: whether that is over.
void HttpServer::Listener::look() {
  const auto now = Clock::now();
  if (now >= stay_until_)
    close_those([](const Connection& c) { return c.idle() && c.idle_time() >= drained_idle; });
  if (now >= end_) close_those([](const Connection& c) { return !c.busy(); });
  if (now >= end_ + last_answers) close_those([](const Connection&) { return true; });
  if (acceptor_.is_open() &&
      (now >= end_ || (now >= stay_until_ && shared_.open.empty() && !accept_waiting()))) {
    error_code ignored;
    acceptor_.close(ignored);
    retry_.cancel();
  }
  if (!acceptor_.is_open() && (shared_.open.empty() || now >= end_ + last_answers)) return;
  next_look_.expires_after(between_looks);
  next_look_.async_wait([this](error_code) { look(); });
}

template <class Which>
void HttpServer::Listener::close_those(const Which& which) {
  for (Connection* connection : shared_.open)
    if (which(*connection)) connection->close();
}

HttpServer::HttpServer(Service& service, const HttpOptions& options)
    : listener_(std::make_unique<Listener>(service, options)) {}
HttpServer::~HttpServer() = default;
int HttpServer::port() const { return listener_->port(); }
void HttpServer::run() { listener_->run(); }
void HttpServer::drain(milliseconds at_least, milliseconds at_most) {
  listener_->drain(at_least, at_most);
}

}  // namespace service
