#include "load/connection.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <stdexcept>

namespace load {
namespace {

constexpr std::string_view end_of_head = "\r\n\r\n";

// The value of a header, whose name is given in lower case; empty when there is none.
std::string header(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const auto end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
    if (line.size() > name.size() && line[name.size()] == ':' &&
        std::equal(name.begin(), name.end(), line.begin(),
                   [&](char b, char a) { return same(a, b); })) {
      const auto first = std::min(line.find_first_not_of(' ', name.size() + 1), line.size());
      return std::string(line.substr(first));
    }
  }
  return {};
}

template <class Number>
Number parse(std::string_view text) {
  Number value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// A call that a signal interrupted is made again.
template <class Call>
auto uninterrupted(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

bool connects(int socket, const sockaddr_in& address) {
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return true;
  if (errno != EINTR) return false;
  // Interrupted, it goes on by itself.
  pollfd done{.fd = socket, .events = POLLOUT, .revents = 0};
  int error = 0;
  socklen_t size = sizeof error;
  return uninterrupted([&] { return ::poll(&done, 1, -1); }) == 1 &&
         ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

}  // namespace

Connection::Connection(const std::string& host, int port, std::chrono::milliseconds at_most)
    : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  const int on = 1;
  timeval patience{};
  patience.tv_sec = at_most.count() / 1000;
  patience.tv_usec = at_most.count() % 1000 * 1000;
  if (socket_ < 0 || inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1 ||
      !connects(socket_, address) ||
      setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
      setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0) {
    if (socket_ >= 0) ::close(socket_);
    throw std::runtime_error(host + ":" + std::to_string(port) + ": nobody listens");
  }
}

Connection::~Connection() { ::close(socket_); }

bool Connection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent =
        uninterrupted([&] { return ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL); });
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void Connection::finish() { ::shutdown(socket_, SHUT_WR); }

std::string Connection::receive_head() {
  if (!read_head()) return {};
  const std::size_t end = buffer_.find(end_of_head);
  std::string head = buffer_.substr(0, end);
  buffer_.erase(0, end + end_of_head.size());
  return head;
}

const Answer* Connection::receive() {
  if (!read_head()) return nullptr;
  const std::size_t end = buffer_.find(end_of_head);
  const std::string head = buffer_.substr(0, end);
  const std::size_t length = parse<std::size_t>(header(head, "content-length"));
  while (buffer_.size() < end + 4 + length)
    if (!read_more()) return nullptr;
  answer_.status =
      parse<int>(std::string_view(head).substr(std::min(head.find(' ') + 1, head.size())));
  answer_.close = header(head, "connection") == "close";
  answer_.body.assign(buffer_, end + 4, length);
  buffer_.erase(0, end + 4 + length);
  return &answer_;
}

bool Connection::read_head() {
  while (buffer_.find(end_of_head) == buffer_.npos)
    if (!read_more()) return false;
  return true;
}

bool Connection::read_more() {
  char bytes[1 << 14];
  const auto got = uninterrupted([&] { return ::recv(socket_, bytes, sizeof bytes, 0); });
  if (got <= 0) {
    closed_ = got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
    return false;
  }
  buffer_.append(bytes, static_cast<std::size_t>(got));
  return true;
}

std::string http_request(std::string_view method, std::string_view path, std::string_view body) {
  std::string request(method);
  request.append(" ").append(path).append(" HTTP/1.1\r\nHost: localhost\r\n");
  if (!body.empty() || method == "POST")
    request +=
        "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  return request.append("\r\n").append(body);
}

}  // namespace load
