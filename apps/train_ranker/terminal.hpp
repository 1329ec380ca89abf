// What stdout and stderr, where progress goes, can show.
#pragma once
#include <string_view>

namespace ranker {

struct Terminal {
  bool interactive = false;
  int width = 80;  // characters; of what is no terminal as well
  std::string_view plus_minus = "+-";
};

// Whether texts are UTF-8 under the locale of these environment variables' values (null where
// unset).
bool is_utf8(const char* lc_all, const char* lc_ctype, const char* lang);

Terminal stdout_terminal();
Terminal stderr_terminal();

}  // namespace ranker
