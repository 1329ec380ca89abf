#include "seats.hpp"

namespace service {

Seats::Seats(std::size_t seats, std::size_t queue) : queue_(queue) {
  for (std::size_t i = seats; i > 0; --i) free_.push_back(i - 1);
}

std::optional<Seats::Seat> Seats::take() {
  std::unique_lock lock(mutex_);
  if (!free_.empty()) {
    const std::size_t seat = free_.back();
    free_.pop_back();
    return Seat(*this, seat);
  }
  if (waiting_.size() >= queue_) return std::nullopt;
  Waiter waiter;
  waiting_.push_back(&waiter);
  waiter.given.wait(lock, [&] { return waiter.seat.has_value(); });
  return Seat(*this, *waiter.seat);
}

std::size_t Seats::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

void Seats::give_back(std::size_t seat) {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) return free_.push_back(seat);
  Waiter& next = *waiting_.front();
  waiting_.pop_front();
  next.seat = seat;
  next.given.notify_one();  // under the lock: it ends with its waiter's stack
}

}  // namespace service
