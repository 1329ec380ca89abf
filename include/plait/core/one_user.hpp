// OneUser: where assertions are on, finds two uses at a time of what serves one thread at a time.
#pragma once
#include <atomic>

#include "plait/core/config.hpp"

namespace plait::detail {

// A member of what is used. Copies and moves of it are free, whatever they are made of. Always
// there, so that objects have one layout with assertions and without.
class OneUser {
 public:
  OneUser() = default;
  OneUser(const OneUser&) noexcept {}
  OneUser& operator=(const OneUser&) noexcept { return *this; }

  // Lasts as long as the use. Asserts that there is no other; without assertions, a store.
  class Use {
   public:
    explicit Use(OneUser& object) : busy_(object.busy_) {
      PLAIT_ASSERT(!busy_.exchange(true, std::memory_order_acquire) && "used twice at a time");
    }
    ~Use() { busy_.store(false, std::memory_order_release); }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    std::atomic<bool>& busy_;
  };

 private:
  std::atomic<bool> busy_{false};
};

}  // namespace plait::detail
