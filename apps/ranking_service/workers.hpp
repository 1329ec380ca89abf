// A fixed number of threads that make answers, one at a time each, behind a queue that does not
// grow.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "reply.hpp"

namespace service {

// Any thread may call anything.
class Workers {
 public:
  using Job = std::function<Reply(std::size_t worker)>;  // 500 if it throws
  using Done = std::function<void(Reply)>;               // must neither throw nor wait

  // `queue` jobs may wait for one of the threads, on which all signals are blocked: they are for
  // the thread that waits for them. Throws std::system_error when the threads cannot be had.
  Workers(std::size_t threads, std::size_t queue);
  // Ends when all that was taken is done.
  ~Workers() = default;

  // Has the job done, first come, first served, and its answer handed to `done`, when its thread
  // counts as free again: who then asks once more is not turned away for the sake of the job that
  // was just done. False, at once, when the queue is full. Nothing is taken when it throws, for
  // want of memory.
  bool take(Job job, Done done);
  std::size_t waiting() const;

 private:
  struct Order {
    Job job;
    Done done;
  };

  void work(std::size_t worker, const std::stop_token& stop);

  const std::size_t at_most_;  // orders, those that are being done included
  mutable std::mutex mutex_;
  std::condition_variable_any came_;
  std::deque<Order> orders_;  // that wait
  std::size_t busy_ = 0;
  std::vector<std::jthread> threads_;  // the last: they end first
};

}  // namespace service
