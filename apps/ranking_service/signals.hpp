// The signals by which a service is told what to do, on a thread of their own.
#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

namespace service {

// SIGTERM and SIGINT end the program: at once before serve(), by `drain` after it, and at once
// again when a second one comes or the time is over, whatever the program hangs on. SIGHUP is kept
// for serve() and then reloads. SIGPIPE is ignored: a reader of the output that is gone ends no
// service.
class Signals {
 public:
  // Blocks them in the calling thread and those that it starts. Once in a program, before any other
  // thread is started.
  static Signals& hold();

  // The functions must neither throw nor wait, and last until wait() has returned: `drain` is
  // called once, `reload` not any more after that.
  void serve(std::function<void()> reload, std::function<void()> drain,
             std::chrono::milliseconds at_most);
  // Until `drain` has been called.
  void wait();

 private:
  Signals();
  void run();
  [[noreturn]] static void end(int code, const char* what);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> reload_, drain_;
  std::chrono::milliseconds at_most_{0};
  bool serving_ = false;
  bool drained_ = false;
};

}  // namespace service
