// Reloads a service's model when its file changes.
#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "service.hpp"

namespace service {

// A thread that looks at the file every `interval` for as long as it exists, and tells `report`
// what came of a reload, unless it is what came of the one before. Each state of the file is tried
// once, and again if it could not be read.
class Watch {
 public:
  using Report = std::function<void(const Reply&)>;

  // The service must outlive the watch.
  Watch(Service& service, std::chrono::milliseconds interval, Report report)
      : thread_([&service, interval, report = std::move(report)](const std::stop_token& stop) {
          std::mutex mutex;
          std::unique_lock lock(mutex);
          std::condition_variable_any stopped;
          std::string failed;
          while (!stopped.wait_for(lock, stop, interval, [&] { return stop.stop_requested(); })) {
            if (!service.model_changed()) continue;
            const Reply reply = service.reload();
            if (reply.status == 200 || reply.body != failed) report(reply);
            failed = reply.status == 200 ? "" : reply.body;
          }
        }) {}

 private:
  std::jthread thread_;
};

}  // namespace service
