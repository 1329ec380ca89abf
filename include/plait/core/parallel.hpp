// Parallel: explicit threads. The library starts none; code that can use several takes an Executor.
#pragma once
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/function_ref.hpp"

namespace plait {

using IndexTask = FunctionRef<void(Index)>;

// Runs task(0) ... task(count - 1), in any order and on any threads, and returns when all are done.
// The first exception thrown by a task is rethrown after the others have finished. One that cannot
// run all tasks throws after those that it began have finished.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void run(Index count, IndexTask task) = 0;
};

// The tasks on an executor, or one after the other on the caller's thread without one.
inline void run_tasks(Executor* executor, Index count, IndexTask task) {
  if (executor != nullptr) return executor->run(count, task);
  for (Index i = 0; i < count; ++i) task(i);
}

// A fixed team of threads: size - 1 workers and the caller. Workers sleep between runs. One run at
// a time: calls of run from several threads wait for each other; a task must not call run on its
// own pool. Allocates and starts threads only on construction.
class ThreadPool final : public Executor {
 public:
  // Throws ConfigError unless size >= 1.
  explicit ThreadPool(Index size) {
    require_config(size >= 1, "ThreadPool", "size", text(size), "at least 1");
    workers_.reserve(static_cast<std::size_t>(size - 1));
    try {
      for (Index i = 1; i < size; ++i) workers_.emplace_back([this] { work(); });
    } catch (...) {  // no more threads to be had
      stop();
      throw;
    }
  }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool() override { stop(); }

  Index size() const { return static_cast<Index>(workers_.size()) + 1; }

  void run(Index count, IndexTask task) override {
    const std::lock_guard one_run_at_a_time(run_mutex_);
    std::unique_lock lock(mutex_);
    task_ = &task;
    next_ = 0;
    count_ = count;
    unfinished_ = count;
    error_ = nullptr;
    wake_.notify_all();
    take_tasks(lock);
    done_.wait(lock, [this] { return unfinished_ == 0; });
    task_ = nullptr;
    if (error_) std::rethrow_exception(error_);
  }

 private:
  // std::jthread and std::stop_token would do this; libc++ 16 has neither.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }
  void work() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (task_ != nullptr && next_ < count_)
        take_tasks(lock);
      else
        wake_.wait(lock);
    }
  }

  // Called with the lock held; releases it around each task.
  void take_tasks(std::unique_lock<std::mutex>& lock) {
    while (next_ < count_) {
      const Index i = next_++;
      const IndexTask task = *task_;
      lock.unlock();
      std::exception_ptr error;
      try {
        task(i);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      if (error && !error_) error_ = error;
      if (--unfinished_ == 0) done_.notify_all();
    }
  }

  std::mutex run_mutex_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  const IndexTask* task_ = nullptr;
  Index next_ = 0;
  Index count_ = 0;
  Index unfinished_ = 0;
  std::exception_ptr error_;
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace plait
