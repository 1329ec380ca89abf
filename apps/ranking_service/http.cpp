#include "http.hpp"

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <exception>
#include <future>
#include <string>
#include <thread>

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
  void admit(net::ip::tcp::socket socket);
  void look();
  template <class Which>
  void close_those(const Which& which);
  static constexpr milliseconds between_looks{10};
  // For answers that are being made or written when the time to drain is over.
  static constexpr milliseconds last_answers{500};

  Shared shared_;
  net::ip::tcp::acceptor acceptor_;
  net::steady_timer retry_;  // of accepting, after an error
  net::steady_timer next_look_;
  bool accepting_ = false;
  Clock::time_point stay_until_, end_;
  std::promise<void> ended_;
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
}

void HttpServer::Listener::listen(const HttpOptions& options) {
  net::ip::tcp::resolver resolver(shared_.io);
  const auto found =
      resolver.resolve(options.host, std::to_string(options.port), net::ip::tcp::resolver::passive);
  const net::ip::tcp::endpoint endpoint = *found.begin();
  acceptor_.open(endpoint.protocol());
  acceptor_.set_option(net::socket_base::reuse_address(true));  // of a port that was just left
  acceptor_.bind(endpoint);
  acceptor_.listen();
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
  ended_.set_value();
}

void HttpServer::Listener::accept() {
  if (accepting_) return;
  acceptor_.async_accept([this](error_code error, net::ip::tcp::socket socket) {
    accepting_ = false;
    if (!acceptor_.is_open()) return;
    // Without descriptors, for one: some will come back.
    if (error) {
      retry_.expires_after(milliseconds(50));
      return retry_.async_wait([this](error_code) { accept(); });
    }
    admit(std::move(socket));
    accept();
  });
  accepting_ = true;
}

void HttpServer::Listener::admit(net::ip::tcp::socket socket) {
  const HttpOptions& options = shared_.options;
  const bool spare = shared_.open.size() - shared_.spare >= options.connections;
  if (spare && shared_.spare >= options.spare) {
    const auto first = std::ranges::find_if(shared_.open, [](const Connection* connection) {
      return connection->spare() && connection->open();
    });
    if (first != shared_.open.end()) (*first)->close();
  }
  std::make_shared<Connection>(std::move(socket), shared_, spare)->start();
}

void HttpServer::Listener::drain(milliseconds at_least, milliseconds at_most) {
  net::post(shared_.io, [this, at_least, at_most] {
    shared_.draining = true;
    end_ = Clock::now() + at_most;
    stay_until_ = std::min(Clock::now() + at_least, end_);
    look();
  });
  ended_.get_future().wait();
}

// While it drains: whether that is over.
void HttpServer::Listener::look() {
  const auto now = Clock::now();
  if (now >= stay_until_) close_those([](const Connection& c) { return c.idle(); });
  if (now >= end_) close_those([](const Connection& c) { return !c.busy(); });
  if (now >= end_ + last_answers) close_those([](const Connection&) { return true; });
  if (now >= end_ || (now >= stay_until_ && shared_.open.empty())) {
    error_code ignored;
    acceptor_.close(ignored);
    retry_.cancel();
    if (shared_.open.empty()) return;
  }
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
