// The threads of the HTTP server: one per connection, a fixed number of them, as httplib's server
// asks for them.
#pragma once
#include <httplib.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace service {

// A connection for which no thread is free goes to one thread more, which turns away whatever is
// asked there (see turned_away); beyond a few of those, accepting stops, and the system's own short
// queue of connections fills.
class Connections final : public httplib::TaskQueue {
 public:
  // `open` is kept at the number of connections that are served; it must outlive the queue.
  Connections(std::size_t threads, std::atomic<int>& open);
  ~Connections() override = default;

  void enqueue(std::function<void()> serve) override;
  // Ends when all connections have.
  void shutdown() override;

  // True on the thread whose connections are too many.
  static bool turned_away();

 private:
  void work(bool turn_away);

  static constexpr std::size_t max_turned_away = 16;

  std::atomic<int>& open_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t idle_;
  std::deque<std::function<void()>> accepted_;  // never more than idle_
  std::deque<std::function<void()>> surplus_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace service
