// The client of the tests and of the load tool, in a process that gets signals.
#include "load/connection.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string_view>
#include <thread>

#include "support/catch.hpp"

namespace {

// A SIGALRM every millisecond to this thread, which restarts no call.
class Alarms {
 public:
  Alarms() {
    struct sigaction handler {};
    handler.sa_handler = [](int) {};
    sigaction(SIGALRM, &handler, &before_);
    every(1000);
  }
  ~Alarms() {
    every(0);
    sigaction(SIGALRM, &before_, nullptr);
  }

 private:
  static void every(int microseconds) {
    itimerval timer{};
    timer.it_interval.tv_usec = timer.it_value.tv_usec = microseconds;
    setitimer(ITIMER_REAL, &timer, nullptr);
  }

  struct sigaction before_ {};
};

}  // namespace

TEST_CASE("connection: signals end neither connecting nor waiting for an answer") {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(listener, 8) == 0);
  REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);

  constexpr int connections = 20;
  sigset_t alarm, before;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  pthread_sigmask(SIG_BLOCK, &alarm, &before);  // in the thread
  std::jthread server([&] {
    for (int i = 0; i < connections; ++i) {
      const int client = ::accept(listener, nullptr, nullptr);
      if (client < 0) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      constexpr std::string_view answer = "HTTP/1.1 204 No Content\r\n\r\n";
      ::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
      ::close(client);
    }
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);

  CHECK_NOTHROW([&] {
    const Alarms alarms;
    for (int i = 0; i < connections; ++i) {
      load::Connection connection("127.0.0.1", ntohs(address.sin_port));
      const load::Answer* answer = connection.receive();
      CHECK((answer != nullptr && answer->status == 204));
    }
  }());
  ::shutdown(listener, SHUT_RDWR);  // for a server that waits for connections that failed
  server.join();
  ::close(listener);
}
