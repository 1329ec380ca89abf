#include "signals.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>

namespace service {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  return set;
}

// The next of them; 0 when there was none until then. What stops and continues the program is none.
int next_signal(const sigset_t& signals, Clock::time_point until) {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
    if (left <= 0) return 0;
    const timespec time{left / 1000, left % 1000 * 1'000'000};
    const int signal = sigtimedwait(&signals, nullptr, &time);
    if (signal > 0) return signal;
  }
}

}  // namespace

Signals& Signals::hold() {
  // Never destroyed: its thread ends with the program.
  static Signals& signals = *new Signals;
  return signals;
}

Signals::Signals() {
  std::signal(SIGPIPE, SIG_IGN);
  const sigset_t signals = set_of({SIGTERM, SIGINT, SIGHUP});
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([this] { run(); }).detach();
}

void Signals::serve(std::function<void()> reload, std::function<void()> drain,
                    milliseconds at_most) {
  const std::lock_guard lock(mutex_);
  reload_ = std::move(reload);
  drain_ = std::move(drain);
  at_most_ = at_most;
  serving_ = true;
}

void Signals::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return drained_; });
}

void Signals::run() {
  const sigset_t all = set_of({SIGTERM, SIGINT, SIGHUP});
  const sigset_t ends = set_of({SIGTERM, SIGINT});
  for (;;) {
    std::unique_lock lock(mutex_);
    const bool serving = serving_;
    lock.unlock();
    // Before serve(), SIGHUP stays where it is; a look now and then tells when that is over.
    const int signal =
        next_signal(serving ? all : ends,
                    Clock::now() + (serving ? milliseconds(3'600'000) : milliseconds(50)));
    if (signal == 0) continue;
    lock.lock();
    if (!serving_) end(128 + signal, "ended before it served\n");
    if (signal == SIGHUP) {
      reload_();
      continue;
    }
    const auto until = Clock::now() + at_most_;
    try {
      drain_();
    } catch (...) {  // for want of memory
      end(1, "ended before all was answered\n");
    }
    drained_ = true;
    lock.unlock();
    changed_.notify_all();
    next_signal(ends, until);
    end(1, "ended before all was answered\n");
  }
}

void Signals::end(int code, const char* what) {
  pollfd error{STDERR_FILENO, POLLOUT, 0};
  if (poll(&error, 1, 0) == 1 && (error.revents & POLLOUT) != 0) {  // never waits for its reader
    for (const char* text : {"ranking_service: ", what})
      if (write(STDERR_FILENO, text, std::strlen(text)) < 0) break;
  }
  _exit(code);
}

}  // namespace service
