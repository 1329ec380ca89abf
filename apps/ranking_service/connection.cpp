#include "connection.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <cstdint>
#include <exception>
#include <limits>
#include <string_view>
#include <thread>
#include <utility>

#include "plait/core/error.hpp"

namespace service {
namespace {

namespace net = boost::asio;
namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::iequals;

constexpr std::size_t max_head = std::size_t{16} << 10;  // bytes of a request's line and headers
constexpr std::ptrdiff_t max_lines = 100;                // of them
constexpr std::size_t max_buffered = std::size_t{64} << 10;  // read and not yet looked at
constexpr std::size_t max_ignored = std::size_t{4} << 10;    // of a body that means nothing
constexpr std::chrono::milliseconds linger_time(1000);
constexpr std::string_view end_of_head = "\r\n\r\n";

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

// A line that goes on in the next one, which some readers take for a header of its own.
bool folded(std::string_view head) {
  return head.find("\r\n ") != head.npos || head.find("\r\n\t") != head.npos;
}

// Beast lets line feeds into the quoted values of a chunk's extensions. No constant: so it asks.
auto check_chunk = [](std::uint64_t, boost::beast::string_view extensions, error_code& error) {
  if (std::ranges::any_of(extensions, [](char c) { return c >= 0 && c < ' ' && c != '\t'; }))
    error = http::error::bad_chunk_extension;
};

}  // namespace

Connection::Connection(net::ip::tcp::socket socket, Shared& shared, bool spare)
    : shared_(shared),
      spare_(spare),
      stream_(std::move(socket)),
      buffer_(max_buffered),
      share_(shared.memory),
      place_(shared.open.insert(shared.open.end(), this)) {
  if (spare_) ++shared_.spare;
  error_code ignored;
  stream_.socket().set_option(net::ip::tcp::no_delay(true), ignored);
  // The system's own would grow to megabytes for each client that does not read.
  stream_.socket().set_option(net::socket_base::send_buffer_size(1 << 18), ignored);
}

Connection::~Connection() {
  shared_.open.erase(place_);
  if (spare_) --shared_.spare;
}

void Connection::wait() {
  state_ = State::idle;
  idle_since_ = Clock::now();
  version_ = 11;  // until a head says otherwise, for what is refused before
  head_only_ = false;
  const auto begin = [this] {
    state_ = State::reading;
    stream_.expires_after(spare_ ? shared_.options.spare_time : shared_.options.request);
    read_head();
  };
  if (buffer_.size() > 0) return begin();
  stream_.expires_after(spare_ ? shared_.options.spare_time : shared_.options.idle);
  // As much as there may be: later reads take no more at a time than the buffer has room for.
  stream_.async_read_some(buffer_.prepare(max_buffered),
                          [self = shared_from_this(), begin](error_code error, std::size_t bytes) {
                            if (error) return;
                            self->buffer_.commit(bytes);
                            begin();
                          });
}

// The head as a whole, before Beast sees any of it: Beast's own limit is one of the bytes that it
// has not parsed yet.
void Connection::read_head() {
  const auto buffered = [this] {
    return std::string_view(static_cast<const char*>(buffer_.data().data()), buffer_.size());
  };
  while (buffered().starts_with("\r\n")) buffer_.consume(2);  // empty lines before the request's
  const std::string_view read = buffered();
  const auto end = read.substr(0, max_head).find(end_of_head);
  if (end != read.npos) return parse_head(end + end_of_head.size());
  if (read.size() >= max_head) return refuse(http::error::header_limit);
  stream_.async_read_some(buffer_.prepare(max_head),
                          [self = shared_from_this()](error_code error, std::size_t bytes) {
                            self->buffer_.commit(bytes);
                            if (!error) return self->read_head();
                            if (error == net::error::eof)
                              self->refuse(http::error::partial_message);
                          });
}

void Connection::parse_head(std::size_t size) {
  const std::string_view head(static_cast<const char*>(buffer_.data().data()), size);
  if (std::ranges::count(head, '\n') > max_lines) return refuse(http::error::header_limit);
  if (folded(head)) return refuse(400, "request: got a header of several lines, expected one");
  parser_.emplace();
  // The body's limit is its own, once it is known what is asked for; Beast 1.74 takes none for 0.
  parser_->body_limit((std::numeric_limits<std::uint64_t>::max)());
  parser_->header_limit(max_head);
  parser_->on_chunk_header(check_chunk);
  error_code error;
  buffer_.consume(parser_->put(net::buffer(head.data(), head.size()), error));
  if (!error && !parser_->is_header_done()) error = http::error::bad_value;
  if (error) return refuse(error);
  const auto& message = parser_->get();
  version_ = message.version();
  keep_ = message.keep_alive();
  head_only_ = message.method() == http::verb::head;
  examine();
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
  const auto codings = head.count(http::field::content_encoding);
  if (codings > 1 || (codings == 1 && !iequals(head[http::field::content_encoding], "identity")))
    return refuse(415, "Content-Encoding: expected none");
  if (iequals(head[http::field::content_type].substr(0, 10), "multipart/"))
    return refuse(415, "body: got a form, expected JSON");
  auto& body = parser_->get().body();
  body.at_most = action_ == Action::score ? shared_.options.max_body : max_ignored;
  body.share = &share_;
  if (const auto length = parser_->content_length(); length && *length > body.at_most)
    return refuse(http::error::body_limit);

  const auto expectation = head[http::field::expect];
  if (expectation.empty() || !has_body || version_ < 11) return read_body();
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
  body_ = std::move(parser_->get().body().bytes);
  parser_.reset();  // trailers have no more to say
  switch (action_) {
    case Action::health:
      return answer(shared_.draining ? error_reply(503, "draining")
                                     : Reply{200, "{\"status\":\"ok\"}\n"});
    case Action::describe:
      return answer(service.describe());
    case Action::metrics:
      return answer({200, service.metrics({.connections = shared_.open.size(),
                                           .client_bytes = shared_.memory.used()})},
                    "text/plain; version=0.0.4");
    case Action::score:
    case Action::reload:
      return work();
  }
}

// No other thread ever owns the connection: it keeps itself until its answer is back on its own.
void Connection::work() {
  state_ = State::working;
  stream_.expires_never();
  kept_ = shared_from_this();
  ++shared_.jobs;
  const auto done = [this](Reply reply) { finish(std::move(reply)); };
  try {
    if (action_ == Action::reload) return shared_.service.reload(done);
    shared_.service.score({body_.data(), body_.size()}, done);
  } catch (const std::exception&) {  // for want of memory: nobody has taken it
    --shared_.jobs;
    const auto self = std::exchange(kept_, nullptr);
    refuse(503, "overloaded");
  }
}

void Connection::finish(Reply reply) noexcept {
  Shared& shared = shared_;
  made_ = std::move(reply);
  for (;;) {
    try {
      net::post(shared.io, [this] {
        const auto self = std::exchange(kept_, nullptr);
        answer(std::move(made_));
      });
      break;
    } catch (const std::exception&) {  // a want of memory that others will end
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  --shared.jobs;
}

void Connection::answer(Reply reply, const char* type) {
  send(std::move(reply), type, keep_ && !spare_ && !shared_.draining);
}

void Connection::refuse(int status, const std::string& what) {
  send(error_reply(status, what), "application/json", false);
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
  if (error.category() == make_error_code(http::error::bad_value).category())
    return refuse(400, plait::text("request: got no HTTP: ", error.message()));
  // Late, or gone.
}

void Connection::send(Reply reply, const char* type, bool keep) {
  state_ = State::writing;
  parser_.reset();
  body_ = {};
  share_.release();
  if (!share_.grow_to(reply.body.size()))
    reply = error_reply(503, "overloaded: too many bytes of answers");
  message_.emplace(static_cast<http::status>(reply.status), version_);
  message_->set(http::field::content_type, type);
  if (reply.status == 503) message_->set(http::field::retry_after, "1");
  message_->body() = std::move(reply.body);
  message_->keep_alive(keep);
  message_->prepare_payload();
  serializer_.emplace(*message_);
  stream_.expires_after(shared_.options.answer);
  const auto sent = [self = shared_from_this(), keep](error_code error, std::size_t) {
    self->serializer_.reset();
    self->message_.reset();
    self->share_.release();
    if (error) return;
    keep ? self->wait() : self->linger();
  };
  if (head_only_) {
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
