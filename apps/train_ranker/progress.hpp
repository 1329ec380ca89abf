// How far a long loop is: a bar that redraws itself on a terminal, now and then a line elsewhere.
#pragma once
#include <chrono>
#include <ostream>
#include <string>

#include "plait/core/config.hpp"

namespace ranker {

using plait::Index;

// One line of at most `width` characters: label, bar, percentage, rows per second, time left. The
// bar takes what width is left; `bar` false leaves it out. Before anything is done, rate and time
// are unknown and shown as "-".
std::string progress_line(const std::string& label, Index done, Index total, double seconds,
                          int width, bool bar);

class Progress {
 public:
  // `interactive`: `out` is a terminal, `width` characters wide.
  Progress(std::ostream& out, bool interactive, int width)
      : out_(out), interactive_(interactive), width_(width) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  // Begins a loop over `total` rows.
  void start(std::string label, Index total);
  // Reports rows done since start; writes at most ten times a second, or a line every ten seconds.
  void update(Index done);
  // Wipes the bar, so that other lines can be written.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  std::ostream& out_;
  bool interactive_;
  int width_;
  std::string label_;
  Index total_ = 0;
  Clock::time_point started_;
  Clock::time_point written_;
  bool drawn_ = false;
};

}  // namespace ranker
