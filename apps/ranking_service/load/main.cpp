// ranking_load: asks a ranking_service for scores and says how long it took. See --help.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <iostream>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "load/connection.hpp"
#include "load/malformed.hpp"
#include "plait/core/random.hpp"

namespace load {
namespace {

using Clock = std::chrono::steady_clock;
using plait::Index;

struct Options {
  std::string host = "127.0.0.1";
  int port = 8080;
  Index rows = 200;
  Index connections = 16;
  double seconds = 10;
  double share = 0.6;
  Index requests = 0;
  Index malformed = 0;
  double reload_every = 0;
};

// Answers of a phase.
struct Result {
  std::vector<double> latencies;  // seconds, of all answers
  Index refused = 0;              // 503
  Index failed = 0;               // any other status than 200, or none
  double seconds = 0;

  double rate() const { return static_cast<double>(latencies.size()) / seconds; }
};

std::string get(const Options& options, const char* path, const char* method = "GET") {
  Connection connection(options.host, options.port);
  connection.send(http_request(method, path, ""));
  const Answer* answer = connection.receive();
  if (answer == nullptr || answer->status != 200)
    throw std::runtime_error(std::string(path) + ": " + (answer ? answer->body : "no answer"));
  return answer->body;
}

// A number of GET /metrics.
double metric(const Options& options, const std::string& name) {
  const std::string text = "\n" + get(options, "/metrics");
  const auto at = text.find("\n" + name + " ");
  if (at == text.npos) throw std::runtime_error("/metrics: no " + name);
  return std::stod(text.substr(at + name.size() + 2));
}

std::string random_body(const Options& options) {
  const auto model = nlohmann::json::parse(get(options, "/model"));
  if (model.contains("features"))
    throw std::runtime_error("/model: takes raw rows, and ranking_load asks with numbers alone");
  plait::Random random(1);
  const auto list = [&](Index count) {
    nlohmann::json numbers = nlohmann::json::array();
    for (Index i = 0; i < count; ++i) numbers.push_back(std::round(random.normal() * 1e4) / 1e4);
    return numbers;
  };
  nlohmann::json body;
  if (const Index user = model.at("user_features"); user > 0) body["user"] = list(user);
  body["candidates"] = nlohmann::json::array();
  for (Index b = 0; b < options.rows; ++b)
    body["candidates"].push_back(list(model.at("candidate_features")));
  return body.dump();
}

// The moments at which requests are due, `rate` of them per second.
std::vector<double> even_moments(double rate, double seconds) {
  std::vector<double> due;
  for (Index i = 0; i == 0 || i < static_cast<Index>(seconds * rate); ++i)
    due.push_back(static_cast<double>(i) / rate);
  return due;
}
std::vector<double> random_moments(double rate, double seconds) {
  plait::Random random(2);
  std::vector<double> due;
  for (double at = 0; at < seconds; at -= std::log1p(-random.uniform()) / rate) due.push_back(at);
  return due;
}

// Requests on several connections: each due at a moment and timed from it; or, without moments, one
// after the other for a time or a number of them.
Result run(const Options& options, const std::string& request, Index connections,
           const std::vector<double>& due, double seconds, Index requests) {
  Result total;
  std::mutex mutex;
  std::atomic<Index> next{0};
  const auto start = Clock::now();
  const auto since_start = [&] {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  const auto work = [&] {
    Result mine;
    std::unique_ptr<Connection> connection;
    for (;;) {
      const Index i = next++;
      double begin = since_start();
      if (!due.empty()) {
        if (i >= std::ssize(due)) break;
        begin = due[static_cast<std::size_t>(i)];
        std::this_thread::sleep_until(start + std::chrono::duration_cast<Clock::duration>(
                                                  std::chrono::duration<double>(begin)));
      } else if (requests > 0 ? i >= requests : begin >= seconds) {
        break;
      }
      const Answer* answer = nullptr;
      try {
        if (!connection) connection = std::make_unique<Connection>(options.host, options.port);
        if (connection->send(request)) answer = connection->receive();
      } catch (const std::runtime_error&) {
      }
      mine.latencies.push_back(since_start() - begin);
      if (answer == nullptr || answer->status != 200)
        ++(answer != nullptr && answer->status == 503 ? mine.refused : mine.failed);
      if (answer == nullptr || answer->close) connection.reset();
    }
    const std::lock_guard lock(mutex);
    total.latencies.insert(total.latencies.end(), mine.latencies.begin(), mine.latencies.end());
    total.refused += mine.refused;
    total.failed += mine.failed;
  };
  std::vector<std::jthread> threads;
  for (Index i = 0; i < connections; ++i) threads.emplace_back(work);
  threads.clear();
  total.seconds = since_start();
  std::ranges::sort(total.latencies);
  return total;
}

double percentile(const Result& result, double share) {
  if (result.latencies.empty()) return 0;
  const auto last = static_cast<double>(result.latencies.size() - 1);
  return result.latencies[static_cast<std::size_t>(std::lround(share * last))];
}

void print(const char* name, const Result& result) {
  std::printf(
      "%-24s %7.0f requests/s  p50 %6.2f ms  p90 %6.2f  p99 %6.2f  max %7.2f  %td requests, "
      "%td refused, %td failed\n",
      name, result.rate(), 1e3 * percentile(result, 0.5), 1e3 * percentile(result, 0.9),
      1e3 * percentile(result, 0.99), 1e3 * percentile(result, 1), std::ssize(result.latencies),
      result.refused, result.failed);
  std::fflush(stdout);
}

// Reloads while it exists.
class Reloads {
 public:
  explicit Reloads(const Options& options)
      : thread_([&options, this](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            std::this_thread::sleep_for(std::chrono::duration<double>(options.reload_every));
            get(options, "/reload", "POST");
            ++count_;
          }
        }) {}
  Index count() const { return count_; }

 private:
  std::atomic<Index> count_{0};
  std::jthread thread_;
};

// Scoring time of a request, the latency of one at a time, what the service can do, and the
// latency at a share of that.
int latencies(const Options& options, const std::string& request) {
  run(options, request, 1, {}, 1, 0);  // warm
  const double scored = metric(options, "ranking_scoring_seconds_total");
  const double requests = metric(options, "ranking_request_seconds_count");
  const Result alone = run(options, request, 1, {}, options.seconds / 2, 0);
  const double scoring = (metric(options, "ranking_scoring_seconds_total") - scored) /
                         (metric(options, "ranking_request_seconds_count") - requests);
  std::printf("scoring one request of %td rows: %.2f ms\n", options.rows, 1e3 * scoring);
  print("one at a time", alone);
  const Result full = run(options, request, options.connections, {}, options.seconds / 2, 0);
  print("as fast as it can", full);
  std::unique_ptr<Reloads> reloads;
  if (options.reload_every > 0) reloads = std::make_unique<Reloads>(options);
  const double rate = options.share * full.rate();
  const std::string share = std::to_string(std::lround(100 * options.share)) + " % of that, ";
  Index bad = alone.failed + full.failed;
  const auto offer = [&](const std::string& name, const std::vector<double>& due) {
    const Result loaded = run(options, request, options.connections, due, 0, 0);
    print(name.c_str(), loaded);
    std::printf("%24s p99 is %.1f times the scoring\n", "", percentile(loaded, 0.99) / scoring);
    bad += loaded.failed + loaded.refused;
  };
  offer(share + "evenly", even_moments(rate, options.seconds));
  offer(share + "random", random_moments(rate, options.seconds));
  if (reloads) std::printf("%td reloads meanwhile\n", reloads->count());
  return bad > 0 ? 1 : 0;
}

// The service's memory over a number of requests.
int memory(const Options& options, const std::string& request) {
  constexpr Index parts = 10;
  Index failed = 0;
  for (Index part = 0; part <= parts; ++part) {
    // The first one is much shorter: all threads have then met a request.
    const Index requests = part == 0 ? 50 * options.connections : options.requests / parts;
    const Result result = run(options, request, options.connections, {}, 0, requests);
    failed += result.failed + result.refused;
    std::printf("%9td requests  %7.0f requests/s  %8.2f MiB resident  %td failed\n",
                part * options.requests / parts, result.rate(),
                metric(options, "process_resident_memory_bytes") / (1 << 20), failed);
    std::fflush(stdout);
  }
  return failed > 0 ? 1 : 0;
}

// Malformed requests, each on a connection of its own. The service must outlive them, answer
// nothing with 500, and score afterwards as before.
int malformed(const Options& options, const std::string& body) {
  // A request that announces more than it sends has no answer until the service gives it up.
  constexpr std::chrono::milliseconds patience(50);
  plait::Random random(3);
  const std::string request = http_request("POST", "/score", body);
  const auto score = [&] {
    Connection connection(options.host, options.port);
    connection.send(request);
    const Answer* answer = connection.receive();
    return answer != nullptr && answer->status == 200 ? answer->body : "";
  };
  const std::string expected = score();
  const double before = metric(options, "process_resident_memory_bytes");
  Index answers[6] = {};  // by the first digit of the status; 0: closed without one
  for (Index i = 0; i < options.malformed; ++i) {
    Connection connection(options.host, options.port, patience);
    connection.send(malformed_request(body, random));
    const Answer* answer = connection.receive();
    if (answer != nullptr && answer->status == 500)
      throw std::runtime_error("request " + std::to_string(i) + ": 500 " + answer->body);
    ++answers[answer == nullptr ? 0 : answer->status / 100 % 6];
  }
  std::printf(
      "%td malformed requests: %td answered 4xx, %td 200, %td 5xx, %td closed; %.2f MiB "
      "resident before, %.2f after\n",
      options.malformed, answers[4], answers[2], answers[5], answers[0], before / (1 << 20),
      metric(options, "process_resident_memory_bytes") / (1 << 20));
  const bool same = !expected.empty() && score() == expected;
  std::printf("scores after them: %s\n", same ? "as before" : "OTHERS");
  return same ? 0 : 1;
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Asks a ranking_service for scores of random candidates. Without --requests or --malformed:\n"
      "latency one at a time, requests per second at most, and latency at a share of those, with\n"
      "requests at even distances and at random moments.",
      "ranking_load");
  app.add_option("--host", options.host, "IPv4 address")->capture_default_str();
  app.add_option("--port", options.port, "Port")->capture_default_str();
  app.add_option("--rows", options.rows, "Candidates of a request")->capture_default_str();
  app.add_option("--connections", options.connections, "Connections")->capture_default_str();
  app.add_option("--seconds", options.seconds, "Time under load")->capture_default_str();
  app.add_option("--share", options.share, "Share of what the service can do")
      ->capture_default_str();
  app.add_option("--reload-every", options.reload_every,
                 "Seconds between reloads under load; 0 for none")
      ->capture_default_str();
  app.add_option("--requests", options.requests, "Send so many and print the service's memory");
  app.add_option("--malformed", options.malformed, "Send so many malformed requests");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return 0;
  }
  const std::string body = random_body(options);
  const std::string request = http_request("POST", "/score", body);
  if (options.malformed > 0) return malformed(options, body);
  if (options.requests > 0) return memory(options, request);
  return latencies(options, request);
}

}  // namespace
}  // namespace load

int main(int argc, char** argv) {
  try {
    return load::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "ranking_load: " << error.what() << '\n';
    return 2;
  }
}
