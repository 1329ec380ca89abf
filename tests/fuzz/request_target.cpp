// The ranking service on arbitrary bytes of a client, over loopback in this process: it must answer
// with HTTP or close, in time, never with 500, and score afterwards as before.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "apps/service/served.hpp"
#include "load/connection.hpp"

namespace {

using std::chrono::milliseconds;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Served {
  served::Server server{{.threads = 1, .max_rows = 50},
                        {.max_body = 20000, .idle = milliseconds(50), .request = milliseconds(50)}};
  std::string good = served::Candidates(3).body();
  std::string expected = scores();

  std::string scores() const {
    for (int i = 0; i < 100; ++i) {
      const auto answer = server.ask("POST", "/score", good);
      if (answer.status == 0) continue;  // later than 50 ms, on a machine with other work
      require(answer.status == 200);
      return answer.body.substr(answer.body.find("\"scores\""));  // the version aside
    }
    std::abort();
  }
};

}  // namespace

// The first byte says in how many pieces the others are sent.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Served served;
  static std::uint64_t runs = 0;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::size_t piece = bytes.size() / (1 + data[0] % 4u) + 1;
  {
    load::Connection client("127.0.0.1", served.server.port(), milliseconds(5000));
    for (std::size_t at = 0; at < bytes.size(); at += piece)
      if (!client.send(bytes.substr(at, piece))) break;
    client.finish();
    // An answer to HEAD has a length and no body: where one ends, cannot be told from outside.
    const bool told = bytes.find("HEAD ") == bytes.npos;
    while (const load::Answer* answer = client.receive())
      require(!told || (answer->status != 500 && answer->status >= 100 && answer->status < 600));
    require(client.closed());
  }
  if (++runs % 64 == 0) require(served.scores() == served.expected);
  return 0;
}
