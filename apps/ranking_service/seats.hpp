// A fixed number of seats for the threads that ask, behind a queue that does not grow. Whoever has
// one goes on as it is: a request stays on the thread that read it, and no more of them take the
// processors at a time than there are seats.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace service {

// Any thread may call anything.
class Seats {
 public:
  // Gives its seat back when it ends.
  class Seat {
   public:
    Seat(Seat&& other) noexcept
        : seats_(std::exchange(other.seats_, nullptr)), index_(other.index_) {}
    Seat& operator=(Seat&&) = delete;
    ~Seat() {
      if (seats_ != nullptr) seats_->give_back(index_);
    }
    std::size_t index() const { return index_; }

   private:
    friend class Seats;
    Seat(Seats& seats, std::size_t index) : seats_(&seats), index_(index) {}
    Seats* seats_;
    std::size_t index_;
  };

  // `queue` threads may wait for one of the seats.
  Seats(std::size_t seats, std::size_t queue);

  // Waits for a seat, first come, first served; nothing, at once, when the queue is full.
  std::optional<Seat> take();
  std::size_t waiting() const;

 private:
  // On the stack of the thread that waits.
  struct Waiter {
    std::optional<std::size_t> seat = {};
    std::condition_variable given = {};
  };

  void give_back(std::size_t seat);

  const std::size_t queue_;
  mutable std::mutex mutex_;
  std::vector<std::size_t> free_;  // none while somebody waits
  std::deque<Waiter*> waiting_;
};

}  // namespace service
