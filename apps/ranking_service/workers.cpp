#include "workers.hpp"

#include <csignal>
#include <utility>

namespace service {
namespace {

// What a new thread inherits.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

Reply make(const Workers::Job& job, std::size_t worker) {
  try {
    return job(worker);
  } catch (...) {  // for want of memory, even for what it would say of it
    return {500, "{}\n"};
  }
}

}  // namespace

Workers::Workers(std::size_t threads, std::size_t queue) : at_most_(threads + queue) {
  const SignalsBlocked blocked;
  for (std::size_t i = 0; i < threads; ++i)
    threads_.emplace_back([this, i](const std::stop_token& stop) { work(i, stop); });
}

bool Workers::take(Job job, Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (busy_ + orders_.size() >= at_most_) return false;
    orders_.push_back({std::move(job), std::move(done)});
  }
  came_.notify_one();
  return true;
}

std::size_t Workers::waiting() const {
  const std::lock_guard lock(mutex_);
  return orders_.size();
}

void Workers::work(std::size_t worker, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (came_.wait(lock, stop, [this] { return !orders_.empty(); })) {
    Order order = std::move(orders_.front());
    orders_.pop_front();
    ++busy_;
    lock.unlock();
    Reply reply = make(order.job, worker);
    lock.lock();
    --busy_;
    lock.unlock();
    order.done(std::move(reply));
    order = {};  // what it holds ends outside of the lock
    lock.lock();
  }
}

}  // namespace service
