// What the service counts, and how Prometheus reads it.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace service {

// A request for scores that was answered.
struct Answered {
  int status = 200;
  std::uint64_t rows = 0;      // that were scored for it
  double seconds = 0;          // from the body's last byte to the answer
  double scoring_seconds = 0;  // of them in the model
};

// What is true at the moment of reading, beside what was counted.
struct ConnectionGauges {
  std::size_t connections = 0;   // that are open
  std::size_t client_bytes = 0;  // of memory for their requests and answers
};
struct Gauges {
  std::uint64_t model_version = 0;
  std::size_t waiting = 0;  // requests in the queue
  ConnectionGauges connections = {};
};

// Any thread may call anything at any time.
class Metrics {
 public:
  void count_request(const Answered& request);
  void count_reload(bool succeeded) { ++(succeeded ? reloads_ : failed_reloads_); }

  // In Prometheus' text format, version 0.0.4.
  std::string text(const Gauges& gauges) const;

 private:
  static constexpr std::array<double, 14> bounds = {
      0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1};

  mutable std::mutex mutex_;  // held for nanoseconds, so that a reading is of one moment
  std::map<int, std::uint64_t> requests_;                     // by status
  std::array<std::uint64_t, bounds.size() + 1> latencies_{};  // by bucket; the last is beyond all
  double seconds_ = 0;
  double scoring_seconds_ = 0;
  std::uint64_t rows_ = 0;
  std::atomic<std::uint64_t> reloads_{0};
  std::atomic<std::uint64_t> failed_reloads_{0};
};

}  // namespace service
