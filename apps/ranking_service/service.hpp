// The ranking service without HTTP: JSON texts in, answers out.
#pragma once
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics.hpp"
#include "model_slot.hpp"
#include "plait/core/tensor.hpp"
#include "ranker.hpp"
#include "reply.hpp"
#include "request.hpp"
#include "workers.hpp"

namespace service {

struct ServiceOptions {
  std::string model = {};                    // its file
  std::vector<Index> user_columns = {};      // see RankerOptions
  TableRows tables = TableRows::floats;      // see RankerOptions
  std::size_t threads = 1;                   // requests whose JSON is read and scored at a time
  std::size_t queue = 64;                    // requests that may wait; more are turned away
  std::chrono::milliseconds max_wait{2000};  // those that have waited longer, too
  Index max_rows = 1000;                     // candidates of a request
  // What a score counts in the rank unless a request says otherwise, by the score's name; scores
  // that are not named count 0. Empty: all count 1.
  std::vector<std::pair<std::string, double>> weights = {};
};

// All but the constructor may be called by any number of threads at the same time.
class Service {
 public:
  // Gets an answer, on the thread that made it; must neither throw nor wait.
  using Done = Workers::Done;

  // Loads the model, and starts threads after that. Throws UsageError for weights that do not fit
  // the model, and as ModelSlot and Workers do.
  explicit Service(ServiceOptions options);
  // Ends when all that was asked for is answered.
  ~Service() = default;

  // Scores a request (request.hpp) when it is its turn: 200 and its scores (reply.hpp), the status
  // of a RequestError, 422 for features so large that a score is not finite, 500 for want of
  // memory; 503 when it has waited too long, or, at once, when the queue is full. The body must
  // last until then.
  void score(std::string_view body, Done done);

  // Loads the model's file again: 200 and the new version, or 422, what is wrong with the file, and
  // the served model as it was; 503 while another thread loads it.
  Reply reload();
  // The same on a thread for it, which one more may wait for; 503 at once for others.
  void reload(Done done);
  // The file is another one than that which was tried last, or could not be opened then.
  bool model_changed() const { return slot_.changed(); }

  // What is served, as JSON.
  Reply describe();
  // For Prometheus.
  std::string metrics(const ConnectionGauges& connections) const;

 private:
  // What a request needs, reused by one after the other.
  struct Desk {
    explicit Desk(ModelSlot::Reader reader_) : reader(std::move(reader_)) {}
    ModelSlot::Reader reader;
    Request request;
    plait::Tensor<float> scores;
    std::vector<double> rank;
  };

  Reply try_score(std::size_t desk, std::string_view body, Answered& answered);
  Reply score_at(std::size_t desk, std::string_view body, Answered& answered);

  ServiceOptions options_;
  ModelSlot slot_;
  std::vector<double> weights_;  // by column
  Metrics metrics_;
  std::vector<Desk> desks_;  // by worker
  Workers loading_;          // the threads last: they end first
  Workers scoring_;
};

}  // namespace service
