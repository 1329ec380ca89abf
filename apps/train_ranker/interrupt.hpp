// Ctrl-C as a flag, so that a long loop can end between two steps and still report.
#pragma once
#include <csignal>

namespace ranker {

class Interrupt {
 public:
  // From now on the first SIGINT raises the flag; a second one ends the program.
  static void watch() { std::signal(SIGINT, handle); }
  static bool requested() { return flag_ != 0; }

 private:
  static void handle(int) {
    flag_ = 1;
    std::signal(SIGINT, SIG_DFL);
  }
  static inline volatile std::sig_atomic_t flag_ = 0;
};

}  // namespace ranker
