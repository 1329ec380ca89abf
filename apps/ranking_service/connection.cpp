#include "connection.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <cstdint>
#include <limits>
#include <utility>

#include "plait/core/error.hpp"

namespace service {
namespace {

namespace net = boost::asio;
namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::iequals;

constexpr std::size_t max_head = std::size_t{16} << 10;  // bytes of a request's line and headers
constexpr std::size_t max_buffered = std::size_t{64} << 10;  // read and not yet looked at
constexpr std::size_t max_ignored = std::size_t{4} << 10;    // of a body that means nothing
constexpr std::chrono::milliseconds linger_time(1000);

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

// What is wrong with a message's framing, where readers could come to different lengths; nothing
// where all is well. Beast has refused other versions than 1.0 and 1.1, lengths that are no numbers
// and those beside chunks.
const char* framing_fault(const http::request_header<>& head) {
  const auto lengths = head.count(http::field::content_length);
  if (lengths > 1 ||
      (lengths == 1 && view(head[http::field::content_length]).find(',') != std::string_view::npos))
    return "Content-Length: got it twice";
  if (const auto codings = head.count(http::field::transfer_encoding); codings > 0) {
    if (head.version() < 11) return "Transfer-Encoding: got it in HTTP/1.0";
    if (codings > 1 || !iequals(head[http::field::transfer_encoding], "chunked"))
      return "Transfer-Encoding: expected chunked alone";
  }
  if (head.version() >= 11 && head.count(http::field::host) != 1) return "Host: expected it once";
  return nullptr;
}

}  // namespace

Connection::Connection(net::ip::tcp::socket socket, Shared& shared, bool spare)
    : shared_(shared),
      spare_(spare),
      place_(shared.open.insert(shared.open.end(), this)),
      stream_(std::move(socket)),
      buffer_(max_buffered) {
  if (spare_) ++shared_.spare;
  error_code ignored;
  stream_.socket().set_option(net::ip::tcp::no_delay(true), ignored);
}

Connection::~Connection() {
  shared_.open.erase(place_);
  if (spare_) --shared_.spare;
}

void Connection::wait() {
  state_ = State::idle;
  parser_.emplace();
  parser_->header_limit(max_head);
  // The body's own, once it is known what is asked for; Beast 1.74 takes none for 0.
  parser_->body_limit((std::numeric_limits<std::uint64_t>::max)());
  if (buffer_.size() > 0) return read_head();
  stream_.expires_after(spare_ ? shared_.options.spare_time : shared_.options.idle);
  stream_.async_read_some(buffer_.prepare(std::size_t{16} << 10),
                          [self = shared_from_this()](error_code error, std::size_t bytes) {
                            if (error) return;
                            self->buffer_.commit(bytes);
                            self->read_head();
                          });
}

void Connection::read_head() {
  state_ = State::reading;
  stream_.expires_after(spare_ ? shared_.options.spare_time : shared_.options.request);
  http::async_read_header(stream_, buffer_, *parser_,
                          [self = shared_from_this()](error_code error, std::size_t) {
                            error ? self->refuse(error) : self->examine();
                          });
}

// All that the head tells, before anything of the body is read.
void Connection::examine() {
  const auto& head = parser_->get();
  if (const char* fault = framing_fault(head)) return refuse(400, fault);
  const auto action = find_action(view(head.method_string()), view(head.target()));
  const bool has_body = !parser_->is_done();
  if (has_body && (!action || !takes_body(*action)) && head.method() != http::verb::post)
    return refuse(400, "body: got one, expected none");
  if (!action) {
    constexpr auto what =
        "path: expected POST /score, POST /reload, GET /healthz, GET /model or GET /metrics";
    return has_body ? refuse(404, what) : answer(error_reply(404, what));
  }
  action_ = *action;
  if (!has_body && !takes_body(action_)) return act();

  if (spare_) return refuse(503, "overloaded: too many connections");
  if (const auto coding = head[http::field::content_encoding];
      !coding.empty() && !iequals(coding, "identity"))
    return refuse(415, "Content-Encoding: expected none");
  if (boost::beast::string_view(head[http::field::content_type]).starts_with("multipart/"))
    return refuse(415, "body: got a form, expected JSON");
  auto& body = parser_->get().body();
  body.at_most = action_ == Action::score ? shared_.options.max_body : max_ignored;
  body.share.emplace(shared_.bodies.share());
  if (const auto length = parser_->content_length(); length && *length > body.at_most)
    return refuse(http::error::body_limit);

  const auto expectation = head[http::field::expect];
  if (expectation.empty() || !has_body) return read_body();
  if (!iequals(expectation, "100-continue"))
    return refuse(417, "Expect: expected 100-continue or none");
  static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
  net::async_write(stream_, net::buffer(go_on.data(), go_on.size()),
                   [self = shared_from_this()](error_code error, std::size_t) {
                     if (!error) self->read_body();
                   });
}

void Connection::read_body() {
  if (parser_->is_done()) return act();
  http::async_read(stream_, buffer_, *parser_,
                   [self = shared_from_this()](error_code error, std::size_t) {
                     error ? self->refuse(error) : self->act();
                   });
}

void Connection::act() {
  Service& service = shared_.service;
  switch (action_) {
    case Action::health:
      return answer(shared_.draining ? error_reply(503, "draining")
                                     : Reply{200, "{\"status\":\"ok\"}\n"});
    case Action::describe:
      return answer(service.describe());
    case Action::metrics:
      return answer({200, service.metrics({.connections = shared_.open.size(),
                                           .body_bytes = shared_.bodies.used()})},
                    "text/plain; version=0.0.4");
    case Action::score:
    case Action::reload:
      return work(action_);
  }
}

void Connection::work(Action action) {
  state_ = State::working;
  stream_.expires_never();
  ++shared_.jobs;
  // The last hand on the connection is this thread's: it goes along with the answer.
  const auto done = [self = shared_from_this()](Reply reply) mutable {
    Shared& shared = self->shared_;
    net::post(shared.io,
              [self = std::move(self), reply = std::move(reply)] { self->answer(reply); });
    --shared.jobs;
  };
  if (action == Action::reload) return shared_.service.reload(done);
  shared_.service.score(parser_->get().body().text, done);
}

void Connection::answer(const Reply& reply, const char* type) {
  const auto& head = parser_->get();
  message_.emplace(static_cast<http::status>(reply.status), head.version());
  message_->set(http::field::content_type, type);
  if (reply.status == 503) message_->set(http::field::retry_after, "1");
  message_->body() = reply.body;
  message_->keep_alive(head.keep_alive() && !spare_ && !shared_.draining);
  send();
}

void Connection::refuse(int status, const std::string& what) {
  const Reply reply = error_reply(status, what);
  message_.emplace(static_cast<http::status>(status), 11u);
  message_->set(http::field::content_type, "application/json");
  if (status == 503) message_->set(http::field::retry_after, "1");
  message_->body() = reply.body;
  message_->keep_alive(false);
  send();
}

void Connection::refuse(error_code error) {
  if (error == http::error::body_limit)
    return refuse(413,
                  plait::text("body: got more than ", parser_->get().body().at_most, " bytes"));
  if (error == boost::system::errc::not_enough_memory)
    return refuse(503, "overloaded: too many bytes of requests");
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return refuse(431, "request: got too much of a line or of headers");
  if (error == http::error::partial_message)
    return refuse(400, "request: got less than was announced");
  if (error == http::error::end_of_stream) return;
  if (error.category() == make_error_code(http::error::bad_value).category())
    return refuse(400, plait::text("request: got no HTTP: ", error.message()));
  // Late, or gone.
}

void Connection::send() {
  state_ = State::writing;
  const bool without_body = parser_->get().method() == http::verb::head;
  const bool more = message_->keep_alive();
  message_->prepare_payload();
  serializer_.emplace(*message_);
  parser_.reset();
  stream_.expires_after(shared_.options.answer);
  const auto sent = [self = shared_from_this(), more](error_code error, std::size_t) {
    self->serializer_.reset();
    self->message_.reset();
    if (error) return;
    more ? self->wait() : self->linger();
  };
  if (without_body) {
    serializer_->split(true);
    http::async_write_header(stream_, *serializer_, sent);
  } else {
    http::async_write(stream_, *serializer_, sent);
  }
}

// A socket that is closed over unread bytes takes the answer with it: what the client has still to
// send is read for a while.
void Connection::linger() {
  state_ = State::closing;
  error_code ignored;
  stream_.socket().shutdown(net::ip::tcp::socket::shutdown_send, ignored);
  stream_.expires_after(linger_time);
  discard();
}

void Connection::discard() {
  buffer_.clear();
  stream_.async_read_some(buffer_.prepare(std::size_t{16} << 10),
                          [self = shared_from_this()](error_code error, std::size_t) {
                            if (!error) self->discard();
                          });
}

}  // namespace service
