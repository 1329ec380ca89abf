// A client's connection: one request after the other, each within its limits of size and time.
#pragma once
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http.hpp"
#include "memory_budget.hpp"
#include "reply.hpp"
#include "request_body.hpp"
#include "routes.hpp"
#include "service.hpp"

namespace service {

class Connection;

// What the connections of a server share. The thread's that runs `io`, but for `jobs`.
struct Shared {
  Shared(Service& service_, const HttpOptions& options_)
      : service(service_), options(options_), memory(options_.max_memory) {}

  Service& service;
  const HttpOptions options;
  MemoryBudget memory;
  bool draining = false;
  std::list<Connection*> open;        // in the order in which they came
  std::size_t spare = 0;              // of them
  std::atomic<std::size_t> jobs = 0;  // that the service has not answered yet
  boost::asio::io_context io{1};
};

// Requests are read as RFC 9112 has it, strictly: where a message's length is not beyond doubt, and
// where an answer is given before a body was read to its end, the connection is closed, so that
// nothing of a body is ever taken for a request. The thread's that runs Shared::io, but for
// finish().
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Clock = std::chrono::steady_clock;

  // `spare`: beyond those that may ask for scores (HttpOptions).
  Connection(boost::asio::ip::tcp::socket socket, Shared& shared, bool spare);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Exists from here on for as long as there is something to wait for.
  void start() { wait(); }
  // At once. An answer that is being made is lost.
  void close() { stream_.close(); }

  bool open() const { return stream_.socket().is_open(); }
  bool spare() const { return spare_; }
  // Between two requests, and for how long.
  bool idle() const { return state_ == State::idle; }
  Clock::duration idle_time() const { return Clock::now() - idle_since_; }
  // Has asked and not yet got its answer.
  bool busy() const { return state_ == State::working || state_ == State::writing; }

 private:
  using Parser = boost::beast::http::request_parser<RequestBody>;
  using Message = boost::beast::http::response<boost::beast::http::string_body>;
  enum class State { idle, reading, working, writing, closing };

  void wait();
  void read_head();
  void parse_head(std::size_t size);
  void examine();
  void read_body();
  void act();
  void work();
  // Takes the answer over to the connection's thread, from any other.
  void finish(Reply reply) noexcept;
  // Answers, and goes on with the next request if the client and all else allow it.
  void answer(Reply reply, const char* type = "application/json");
  // Answers and closes.
  void refuse(int status, const std::string& what);
  void refuse(boost::beast::error_code error);
  void send(Reply reply, const char* type, bool keep);
  void linger();
  void discard();

  Shared& shared_;
  const bool spare_;
  State state_ = State::idle;
  Clock::time_point idle_since_;
  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer buffer_;
  MemoryBudget::Share share_;  // of the request's body, then of its answer
  std::optional<Parser> parser_;
  Action action_ = Action::health;
  unsigned version_ = 11;
  bool keep_ = false;       // the connection after this request, as far as its client is concerned
  bool head_only_ = false;  // of the answer
  std::vector<char> body_;
  std::shared_ptr<Connection> kept_;  // itself, while its answer is made
  Reply made_;
  std::optional<Message> message_;
  std::optional<boost::beast::http::response_serializer<boost::beast::http::string_body>>
      serializer_;
  std::list<Connection*>::iterator place_;  // the last: all else is there when it is known
};

}  // namespace service
