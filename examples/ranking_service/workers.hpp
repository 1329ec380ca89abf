// A fixed set of threads that run calls for others, behind a queue that does not grow.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace service {

class Workers {
 public:
  using Call = std::function<void(std::size_t worker)>;

  // `queue` calls may wait beside those that run.
  Workers(std::size_t threads, std::size_t queue);
  // Runs what waits and ends the threads. No run() may be under way or come.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // Runs the call on one of the threads, tells it which, and returns true when it has ended; lets
  // its exceptions through. Returns false, at once, when the queue is full. Any thread may.
  bool run(const Call& call);

  std::size_t threads() const { return threads_.size(); }
  std::size_t waiting() const;

 private:
  // On the stack of the thread that waits for it.
  struct Job {
    const Call& call;
    bool done = false;
    std::exception_ptr error = nullptr;
    std::condition_variable ended = {};
  };

  void work(std::size_t worker);

  const std::size_t queue_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job*> jobs_;
  std::size_t idle_ = 0;  // threads that wait and have not been given a job
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace service
