// ranking_service: serves a model file over HTTP. See --help.
#include <csignal>
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

// SIGTERM and SIGINT wait until somebody asks for them, in this thread and those it starts.
sigset_t hold_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

int run(int argc, const char* const* argv) {
  const auto options = parse_options(argc, argv, std::cout);
  if (!options) return 0;
  const sigset_t signals = hold_signals();
  Service service(options->service);
  HttpServer server(service, options->http);
  std::optional<Watch> watch;
  if (options->watch.count() > 0)
    watch.emplace(service, options->watch,
                  [](const Reply& reply) { std::cerr << "ranking_service: " << reply.body; });
  std::cout << "ranking_service: listening on " << options->http.host << ':' << server.port()
            << std::endl;

  std::jthread http([&] { server.run(); });
  int signal = 0;
  sigwait(&signals, &signal);
  std::cout << "ranking_service: draining" << std::endl;
  server.drain(options->drain);
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
