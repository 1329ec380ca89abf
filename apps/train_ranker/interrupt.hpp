// Ctrl-C, and SIGTERM, as a flag, so that a long loop can end between two steps and still report.
#pragma once
#include <csignal>

namespace ranker {

class Interrupt {
 public:
  // From now on the first such signal raises the flag; a second of its kind ends the program.
  static void watch() {
    std::signal(SIGINT, handle);
    std::signal(SIGTERM, handle);
  }
  static bool requested() { return flag_ != 0; }
  // What a shell expects of a program that the signal ended.
  static int exit_code() { return 128 + flag_; }

 private:
  static void handle(int signal) {
    flag_ = signal;
    std::signal(signal, SIG_DFL);
  }
  static inline volatile std::sig_atomic_t flag_ = 0;
};

}  // namespace ranker
