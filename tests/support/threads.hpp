// Threads that are joined at the end of their scope, or by clear(): libc++ 16 has no std::jthread.
#pragma once
#include <thread>
#include <utility>
#include <vector>

class Threads {
 public:
  Threads() = default;
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  ~Threads() { clear(); }

  template <class F>
  void emplace_back(F&& run) {
    threads_.emplace_back(std::forward<F>(run));
  }
  void clear() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  std::vector<std::thread> threads_;
};
