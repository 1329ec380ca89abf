// Reloads a service's model when its file changes.
#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "service.hpp"

namespace service {

// A thread that looks at the file every `interval` for as long as it exists, and tells `report`
// what came of a reload. Each state of the file is tried once.
class Watch {
 public:
  using Report = std::function<void(const Reply&)>;

  // The service must outlive the watch.
  Watch(Service& service, std::chrono::milliseconds interval, Report report)
      : thread_([&service, interval, report = std::move(report)](const std::stop_token& stop) {
          std::mutex mutex;
          std::unique_lock lock(mutex);
          std::condition_variable_any stopped;
          while (!stopped.wait_for(lock, stop, interval, [&] { return stop.stop_requested(); }))
            if (service.model_changed()) report(service.reload());
        }) {}

 private:
  std::jthread thread_;
};

}  // namespace service
