// ranking_service: serves a model file over HTTP. See --help.
#include <algorithm>
#include <cstddef>
#include <exception>
#include <iostream>
#include <optional>
#include <thread>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "http.hpp"
#include "options.hpp"
#include "plait/core/instruction_set.hpp"
#include "service.hpp"
#include "signals.hpp"
#include "watch.hpp"

namespace service {
namespace {

// Keeps the memory of one request for the next, up to as much as requests may take: glibc would
// give it back each time, and have the system clear it again.
void keep_memory([[maybe_unused]] std::size_t bytes) {
#ifdef __GLIBC__
  const int kept = static_cast<int>(std::min(bytes, std::size_t{32} << 20));  // its own bound
  mallopt(M_TRIM_THRESHOLD, kept);
  mallopt(M_MMAP_THRESHOLD, kept);
#endif
}

void report(const Reply& reply) { std::cerr << "ranking_service: " << reply.body << std::flush; }

int run(int argc, const char* const* argv) {
  const auto options = parse_options(argc, argv, std::cout);
  if (!options) return 0;
  plait::limit_instruction_set(options->instruction_set);
  Signals& signals = Signals::hold();
  keep_memory(options->http.max_memory);
  Service service(options->service);
  HttpServer server(service, options->http);
  std::optional<Watch> watch;
  if (options->watch.count() > 0) watch.emplace(service, options->watch, report);
  std::jthread http([&] { server.run(); });
  signals.serve(
      [&] {
        try {
          service.reload(report);
        } catch (const std::exception&) {  // for want of memory: as if it had not been asked for
        }
      },
      [&] { server.drain(options->lame_duck, options->drain); },
      options->drain + std::chrono::milliseconds(800));
  std::cout << "ranking_service: listening on " << options->http.host << ':' << server.port()
            << std::endl;
  signals.wait();
  std::cout << "ranking_service: draining" << std::endl;
  return 0;  // when http has ended
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
