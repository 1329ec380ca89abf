// A TCP connection of a client, as low as it goes: bytes out, an HTTP answer in. POSIX.
#pragma once
#include <chrono>
#include <string>
#include <string_view>

namespace load {

struct Answer {
  int status = 0;
  bool close = false;  // the server asks for a new connection
  std::string body;
};

class Connection {
 public:
  // Waits for an answer's next bytes for so long at most. Throws std::runtime_error when nobody
  // listens.
  Connection(const std::string& host, int port,
             std::chrono::milliseconds at_most = std::chrono::seconds(60));
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // False when the server has closed.
  bool send(std::string_view bytes);
  // Says that nothing more will be sent.
  void finish();
  // The next answer, which lasts until the next one; null when the server closed before its end, or
  // took too long.
  const Answer* receive();
  // The next answer's head alone, where no body follows; empty as receive is null.
  std::string receive_head();
  // The server has closed: the last receive() did not just take too long.
  bool closed() const { return closed_; }

 private:
  bool read_head();
  bool read_more();

  int socket_;
  bool closed_ = false;
  std::string buffer_;
  Answer answer_;
};

// A request with a body, or without one when it is empty.
std::string http_request(std::string_view method, std::string_view path, std::string_view body);

}  // namespace load
