#include "metrics.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "plait/core/csv.hpp"
#include "plait/core/error.hpp"

namespace service {
namespace {

// Bytes of memory that the process holds; 0 where there is no /proc.
std::uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

void Metrics::count_request(const Answered& request) {
  const auto bucket = std::ranges::lower_bound(bounds, request.seconds) - bounds.begin();
  const std::lock_guard lock(mutex_);
  ++requests_[request.status];
  ++latencies_[static_cast<std::size_t>(bucket)];
  seconds_ += request.seconds;
  scoring_seconds_ += request.scoring_seconds;
  rows_ += request.rows;
}

std::string Metrics::text(const Gauges& gauges) const {
  std::string out;
  const auto family = [&](const char* name, const char* type, const char* help) {
    out += plait::text("# HELP ", name, ' ', help, "\n# TYPE ", name, ' ', type, '\n');
  };
  const std::lock_guard lock(mutex_);

  family("ranking_requests_total", "counter", "Requests for scores, by the status of the answer.");
  for (const auto& [status, count] : requests_)
    out += plait::text("ranking_requests_total{code=\"", status, "\"} ", count, '\n');
  family("ranking_rows_total", "counter", "Candidates that were scored.");
  out += plait::text("ranking_rows_total ", rows_, '\n');

  family("ranking_scoring_seconds_total", "counter",
         "Time that scoring took, reading JSON excluded.");
  out +=
      plait::text("ranking_scoring_seconds_total ", plait::fixed_number(scoring_seconds_, 6), '\n');

  family("ranking_request_seconds", "histogram",
         "From the body's last byte to the answer, waiting for its turn included.");
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    count += latencies_[i];
    out += plait::text("ranking_request_seconds_bucket{le=\"", bounds[i], "\"} ", count, '\n');
  }
  count += latencies_.back();
  out += plait::text("ranking_request_seconds_bucket{le=\"+Inf\"} ", count,
                     "\nranking_request_seconds_sum ", plait::fixed_number(seconds_, 6),
                     "\nranking_request_seconds_count ", count, '\n');

  family("ranking_queue_length", "gauge", "Requests that wait for their turn.");
  out += plait::text("ranking_queue_length ", gauges.waiting, '\n');
  family("ranking_connections", "gauge", "Connections that are open.");
  out += plait::text("ranking_connections ", gauges.connections.connections, '\n');
  family("ranking_client_bytes", "gauge",
         "Memory for requests that are read or wait and answers that are written.");
  out += plait::text("ranking_client_bytes ", gauges.connections.client_bytes, '\n');
  family("ranking_model_version", "gauge", "Times that a model was loaded.");
  out += plait::text("ranking_model_version ", gauges.model_version, '\n');
  family("ranking_reloads_total", "counter", "Attempts to load another model.");
  out += plait::text("ranking_reloads_total{result=\"loaded\"} ", reloads_.load(),
                     "\nranking_reloads_total{result=\"refused\"} ", failed_reloads_.load(), '\n');
  family("process_resident_memory_bytes", "gauge", "Memory that the process holds.");
  out += plait::text("process_resident_memory_bytes ", resident_bytes(), '\n');
  return out;
}

}  // namespace service
