// ranking_service: serves a model file over HTTP. See --help.
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <thread>

#include "http.hpp"
#include "options.hpp"
#include "service.hpp"
#include "watch.hpp"

namespace service {
namespace {

// They wait until somebody asks for them, in this thread and those it starts.
sigset_t hold_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// Ends the program at a second SIGTERM or SIGINT, or when the time is over: whatever it hangs on,
// a disk that does not answer for one.
void end_in_any_case(sigset_t signals, std::chrono::milliseconds time) {
  sigdelset(&signals, SIGHUP);
  std::thread([signals, time] {
    const timespec wait{time.count() / 1000, time.count() % 1000 * 1'000'000};
    sigtimedwait(&signals, nullptr, &wait);
    constexpr char what[] = "ranking_service: ended before all was answered\n";
    [[maybe_unused]] const auto written = write(STDERR_FILENO, what, sizeof what - 1);
    _exit(1);
  }).detach();
}

void report(const Reply& reply) { std::cerr << "ranking_service: " << reply.body << std::flush; }

int run(int argc, const char* const* argv) {
  const auto options = parse_options(argc, argv, std::cout);
  if (!options) return 0;
  Service service(options->service);  // SIGTERM ends the program while it loads
  const sigset_t signals = hold_signals();
  HttpServer server(service, options->http);
  std::optional<Watch> watch;
  if (options->watch.count() > 0) watch.emplace(service, options->watch, report);
  std::jthread http([&] { server.run(); });
  std::cout << "ranking_service: listening on " << options->http.host << ':' << server.port()
            << std::endl;

  int signal = 0;
  while (sigwait(&signals, &signal) == 0 && signal == SIGHUP) service.reload(report);
  end_in_any_case(signals, options->drain + std::chrono::milliseconds(800));
  std::cout << "ranking_service: draining" << std::endl;
  server.drain(options->lame_duck, options->drain);
  return 0;
}

}  // namespace
}  // namespace service

int main(int argc, char** argv) {
  try {
    return service::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "ranking_service: " << error.what() << '\n';
    return 2;
  }
}
