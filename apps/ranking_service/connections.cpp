#include "connections.hpp"

#include <utility>

namespace service {
namespace {

thread_local bool turns_away = false;

}  // namespace

Connections::Connections(std::size_t threads, std::atomic<int>& open)
    : open_(open), idle_(threads) {
  for (std::size_t i = 0; i <= threads; ++i)
    threads_.emplace_back([this, turn_away = i == threads] { work(turn_away); });
}

void Connections::enqueue(std::function<void()> serve) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] {
    return accepted_.size() < idle_ || surplus_.size() < max_turned_away || stopping_;
  });
  (accepted_.size() < idle_ ? accepted_ : surplus_).push_back(std::move(serve));
  ++open_;
  changed_.notify_all();
}

void Connections::shutdown() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool Connections::turned_away() { return turns_away; }

void Connections::work(bool turn_away) {
  turns_away = turn_away;
  auto& connections = turn_away ? surplus_ : accepted_;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return !connections.empty() || stopping_; });
    if (connections.empty()) return;
    const auto serve = std::move(connections.front());
    connections.pop_front();
    if (!turn_away) --idle_;
    lock.unlock();
    serve();
    lock.lock();
    if (!turn_away) ++idle_;
    --open_;
    changed_.notify_all();
  }
}

}  // namespace service
