// Whether stderr, where progress goes, is a terminal, and how wide. POSIX.
#pragma once
#include <sys/ioctl.h>
#include <unistd.h>

namespace ranker {

struct Terminal {
  bool interactive = false;
  int width = 80;
};

inline Terminal stderr_terminal() {
  Terminal terminal{.interactive = isatty(STDERR_FILENO) == 1};
  winsize size{};
  if (terminal.interactive && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    terminal.width = size.ws_col;
  return terminal;
}

}  // namespace ranker
