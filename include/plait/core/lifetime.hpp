// Lifetime: lets who points to an object find out that it is gone.
#pragma once
#include <memory>
#include <mutex>

namespace plait::detail {

// A member of the object, and bound to it: copies and moves are other objects with other lifetimes,
// and an object that is assigned to goes on.
class Lifetime {
 public:
  Lifetime() = default;
  Lifetime(const Lifetime&) noexcept {}
  Lifetime& operator=(const Lifetime&) noexcept { return *this; }

  // Expires with the object. Any number of threads may call it; the first call allocates.
  std::weak_ptr<const void> watch() const {
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    if (mark_ == nullptr) mark_ = std::make_shared<const char>();
    return mark_;
  }

 private:
  mutable std::shared_ptr<const void> mark_;
};

}  // namespace plait::detail
