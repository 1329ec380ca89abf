// POSIX.
#include "terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace ranker {
namespace {

Terminal terminal_of(int descriptor) {
  Terminal terminal{.interactive = isatty(descriptor) == 1};
  winsize size{};
  if (terminal.interactive && ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    terminal.width = size.ws_col;
  if (is_utf8(std::getenv("LC_ALL"), std::getenv("LC_CTYPE"), std::getenv("LANG")))
    terminal.plus_minus = "±";
  return terminal;
}

}  // namespace

bool is_utf8(const char* lc_all, const char* lc_ctype, const char* lang) {
  for (const char* value : {lc_all, lc_ctype, lang}) {
    if (value == nullptr || *value == '\0') continue;  // as if it were unset
    const std::string_view name(value);
    const auto dot = name.find('.');
    if (dot == std::string_view::npos) return false;
    std::string_view charset = name.substr(dot + 1);
    charset = charset.substr(0, charset.find('@'));
    return charset == "UTF-8" || charset == "utf8" || charset == "utf-8" || charset == "UTF8";
  }
  return false;
}

Terminal stdout_terminal() { return terminal_of(STDOUT_FILENO); }
Terminal stderr_terminal() { return terminal_of(STDERR_FILENO); }

}  // namespace ranker
