// A text file as a stream, plain or gzip: which of the two is read from its first bytes.
#pragma once
#include <istream>
#include <memory>
#include <string>

namespace ranker {

// Throws DataError when the file cannot be opened, and from the stream's reads when its contents
// are damaged, cut short, or followed by anything but more gzip or zeros.
std::unique_ptr<std::istream> open_text(const std::string& path);

}  // namespace ranker
