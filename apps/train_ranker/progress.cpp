#include "progress.hpp"

#include <algorithm>
#include <utility>

#include "format.hpp"

namespace ranker {

std::string progress_line(const std::string& label, Index done, Index total, double seconds,
                          int width, bool bar) {
  const double share = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 1;
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  std::string tail(1, ' ');
  tail += fixed(100 * share, 0) + "%  ";
  if (rate > 0)
    tail += grouped(static_cast<Index>(rate)) + " rows/s  " +
            duration(static_cast<double>(total - done) / rate) + " left";
  else
    tail += "- rows/s  - left";

  // Brackets and a space; a bar of fewer than four cells says nothing.
  const auto room = width - static_cast<int>(label.size() + tail.size()) - 3;
  std::string line = label;
  if (bar && room >= 4) {
    const int cells = std::min(room, 40);
    const int full = static_cast<int>(share * cells);
    line += " [" + std::string(static_cast<std::size_t>(full), '#') +
            std::string(static_cast<std::size_t>(cells - full), '.') + "]";
  }
  line += tail;
  return line.substr(0, static_cast<std::size_t>(width));
}

void Progress::start(std::string label, Index total) {
  clear();
  label_ = std::move(label);
  total_ = total;
  started_ = written_ = Clock::now();
}

void Progress::update(Index done) {
  const auto now = Clock::now();
  const auto pause = interactive_ ? std::chrono::milliseconds(100) : std::chrono::seconds(10);
  if (now - written_ < pause) return;
  written_ = now;
  const double seconds = std::chrono::duration<double>(now - started_).count();
  const std::string line =
      progress_line(label_, done, total_, seconds, interactive_ ? width_ - 1 : 120, interactive_);
  if (interactive_) {
    out_ << '\r' << line << "\x1b[K" << std::flush;
    drawn_ = true;
  } else {
    out_ << line << std::endl;
  }
}

void Progress::clear() {
  if (drawn_) out_ << "\r\x1b[K" << std::flush;
  drawn_ = false;
}

}  // namespace ranker
