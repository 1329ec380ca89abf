// Memory that clients may fill, in all.
#pragma once
#include <cstddef>
#include <utility>

namespace service {

// One thread's.
class MemoryBudget {
 public:
  // Gives back what it took when it ends.
  class Share {
   public:
    explicit Share(MemoryBudget& budget) : budget_(&budget) {}
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    ~Share() { release(); }

    // Gives back all.
    void release() { budget_->used_ -= std::exchange(bytes_, 0); }
    // Takes what is missing to `bytes`. False when the budget has not got it.
    bool grow_to(std::size_t bytes) {
      const std::size_t more = bytes > bytes_ ? bytes - bytes_ : 0;
      if (more > budget_->at_most_ - budget_->used_) return false;
      budget_->used_ += more;
      bytes_ += more;
      return true;
    }

   private:
    MemoryBudget* budget_;
    std::size_t bytes_ = 0;
  };

  explicit MemoryBudget(std::size_t at_most) : at_most_(at_most) {}
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  std::size_t used() const { return used_; }

 private:
  std::size_t at_most_;
  std::size_t used_ = 0;
};

}  // namespace service
