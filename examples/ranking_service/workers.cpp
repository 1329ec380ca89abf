#include "workers.hpp"

namespace service {

Workers::Workers(std::size_t threads, std::size_t queue) : queue_(queue), idle_(threads) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this, i] { work(i); });
}

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool Workers::run(const Call& call) {
  Job job{call};
  std::unique_lock lock(mutex_);
  if (jobs_.size() >= idle_ + queue_) return false;
  jobs_.push_back(&job);
  changed_.notify_one();
  job.ended.wait(lock, [&] { return job.done; });
  if (job.error) std::rethrow_exception(job.error);
  return true;
}

std::size_t Workers::waiting() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size() > idle_ ? jobs_.size() - idle_ : 0;
}

void Workers::work(std::size_t worker) {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return !jobs_.empty() || stopping_; });
    if (jobs_.empty()) return;
    Job& job = *jobs_.front();
    jobs_.pop_front();
    --idle_;
    lock.unlock();
    try {
      job.call(worker);
    } catch (...) {
      job.error = std::current_exception();
    }
    lock.lock();
    ++idle_;
    job.done = true;
    job.ended.notify_one();  // under the lock: the job ends with its waiter's stack
  }
}

}  // namespace service
