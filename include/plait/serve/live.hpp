// Live: one current object that many threads read while others replace it, for example a Scorer
// whose weights are updated while it serves.
//
//   plait::Live<plait::Scorer<float>> live(std::make_unique<plait::Scorer<float>>(model));
//   auto reader = live.reader();                   // one per thread, registered once
//   const auto scorer = reader.read();             // per request: held until it leaves the scope
//   live.publish(std::make_unique<plait::Scorer<float>>(newer));       // any thread, at any time
//
// What is guaranteed:
//
//  * Readers never wait. read() is two loads and one store, and leaving one store, with no loop, no
//    lock and no allocation, whatever others do (wait-free where 64-bit atomics are lock-free).
//  * What is read is whole, is the latest that was published before read() began or a later one,
//    and lives and stays the same until it is left, however often others publish meanwhile.
//  * Objects are destroyed by publish, collect and the destructor alone, on the thread that calls
//    them and never on a reader's. Neither waits for readers: an object that somebody still reads
//    is kept, and goes in the first call after its last reader has left.
//
// std::atomic<std::shared_ptr> would be shorter; its load spins on a lock bit (libstdc++ 12), and
// the reader that leaves last pays for the destruction.
//
// How: epochs (Fraser, "Practical lock-freedom", 2004, 5.2.3). A reader writes the number of
// publications that it has seen into a slot of its own before it loads the pointer, so that a
// publisher knows that a reader with the number of its own publication, or later, has the new one.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <iterator>
#include <limits>
#include <list>
#include <memory>
#include <mutex>
#include <utility>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"

namespace plait {

template <class T>
class Live {
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

  static constexpr std::uint64_t idle = (std::numeric_limits<std::uint64_t>::max)();

  // A cache line, so that readers do not share one.
  struct alignas(buffer_alignment) Slot {
    std::atomic<std::uint64_t> epoch{idle};  // as its reader saw it; idle: nothing is held
    bool taken = false;                      // under mutex_
  };

 public:
  // The object as it was when reading began. Neither copied nor moved: it ends where it began.
  class Reading {
   public:
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;
    ~Reading() { slot_.epoch.store(idle, std::memory_order_release); }

    const T& operator*() const { return *object_; }
    const T* operator->() const { return object_; }

   private:
    friend class Live;
    Reading(Slot& slot, const T* object) : slot_(slot), object_(object) {}
    Slot& slot_;
    const T* object_;
  };

  // A thread's right to read; the Live must outlive it, and it its Readings. One thread at a time
  // uses it, for one Reading at a time.
  class Reader {
   public:
    Reader(Reader&& other) noexcept
        : live_(std::exchange(other.live_, nullptr)), slot_(other.slot_) {}
    Reader& operator=(Reader&&) = delete;
    ~Reader() {
      if (live_ != nullptr) live_->leave(*slot_);
    }

    Reading read() & {
      PLAIT_ASSERT(slot_->epoch.load(std::memory_order_relaxed) == idle);
      // Sequentially consistent all three: the slot has to be seen before the pointer is loaded.
      slot_->epoch.store(live_->epoch_.load());
      return Reading(*slot_, live_->current_.load());
    }

    Reading read() && = delete;  // the reader would not outlive what it read

   private:
    friend class Live;
    Reader(Live& live, Slot& slot) : live_(&live), slot_(&slot) {}
    Live* live_;
    Slot* slot_;
  };

  // Throws ConfigError for null.
  explicit Live(std::unique_ptr<const T> first) {
    require(first);
    current_ = first.release();
  }
  // No reader may be left.
  ~Live() {
    PLAIT_ASSERT(std::ranges::none_of(slots_, &Slot::taken));
    delete current_.load();
  }
  Live(const Live&) = delete;
  Live& operator=(const Live&) = delete;

  // Registers a reader, for as long as it exists. Takes a lock and may allocate; any thread may.
  Reader reader() {
    const std::lock_guard lock(mutex_);
    const auto free = std::ranges::find(slots_, false, &Slot::taken);
    Slot& slot = free != slots_.end() ? *free : slots_.emplace_back();
    slot.taken = true;
    return Reader(*this, slot);
  }

  // From now on readers get `next`. What it replaces is destroyed now, or later if somebody reads
  // it. Throws ConfigError for null, or std::bad_alloc, and has changed nothing then.
  void publish(std::unique_ptr<const T> next) {
    require(next);
    std::list<Retired> last(1);
    {
      const std::lock_guard lock(mutex_);
      last.front().object.reset(current_.exchange(next.release()));
      last.front().epoch = epoch_.fetch_add(1) + 1;
      retired_.splice(retired_.end(), last);
    }
    collect();
  }

  // Destroys what was replaced and is read no more; returns how many objects are kept because
  // somebody reads them. Zero says that nobody reads anything but the current one, so that waiting
  // for zero is a way to bound memory: at most two objects then exist at a time.
  Index collect() {
    std::list<Retired> unread;  // ends after the lock is given back
    const std::lock_guard lock(mutex_);
    for (auto at = retired_.begin(); at != retired_.end();) {
      const auto holds = [&](const Slot& slot) { return slot.epoch.load() < at->epoch; };
      const auto next = std::next(at);
      if (std::ranges::none_of(slots_, holds)) unread.splice(unread.end(), retired_, at);
      at = next;
    }
    return std::ssize(retired_);
  }

  // Publications so far, the first object included.
  std::uint64_t version() const { return epoch_.load(); }

 private:
  struct Retired {
    std::unique_ptr<const T> object;
    std::uint64_t epoch = 0;  // readers that saw this one, or later, read another object
  };

  static void require(const std::unique_ptr<const T>& object) {
    require_config(object != nullptr, "Live", "object", "null", "an object");
  }

  void leave(Slot& slot) {
    PLAIT_ASSERT(slot.epoch.load(std::memory_order_relaxed) == idle);
    const std::lock_guard lock(mutex_);
    slot.taken = false;
  }

  std::atomic<std::uint64_t> epoch_{1};
  std::atomic<const T*> current_{nullptr};
  std::mutex mutex_;
  std::deque<Slot> slots_;  // never moves one
  std::list<Retired> retired_;
};

}  // namespace plait
