#include "metrics.hpp"

#include "support/catch.hpp"

using Catch::Matchers::ContainsSubstring;

TEST_CASE("metrics add up, buckets up to their bound and all below") {
  service::Metrics metrics;
  metrics.count_request({.status = 200, .rows = 10, .seconds = 0.002, .scoring_seconds = 0.001});
  metrics.count_request({.status = 200, .rows = 5, .seconds = 0.0021, .scoring_seconds = 0.001});
  metrics.count_request({.status = 422, .seconds = 5});
  metrics.count_reload(true);
  metrics.count_reload(false);
  metrics.count_reload(false);
  const std::string text = metrics.text({.model_version = 3, .waiting = 4});
  for (const char* line :
       {"ranking_requests_total{code=\"200\"} 2", "ranking_requests_total{code=\"422\"} 1",
        "ranking_rows_total 15", "ranking_scoring_seconds_total 0.002000",
        "ranking_request_seconds_bucket{le=\"0.001\"} 0",
        "ranking_request_seconds_bucket{le=\"0.002\"} 1",
        "ranking_request_seconds_bucket{le=\"0.003\"} 2",
        "ranking_request_seconds_bucket{le=\"1\"} 2",
        "ranking_request_seconds_bucket{le=\"+Inf\"} 3", "ranking_request_seconds_sum 5.004100",
        "ranking_request_seconds_count 3", "ranking_queue_length 4", "ranking_model_version 3",
        "ranking_reloads_total{result=\"loaded\"} 1",
        "ranking_reloads_total{result=\"refused\"} 2"})
    CHECK_THAT(text, ContainsSubstring("\n" + std::string(line) + "\n"));
}
