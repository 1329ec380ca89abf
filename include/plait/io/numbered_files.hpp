// Files of a directory that are numbered: {prefix}000000001.safetensors and so on.
#pragma once
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/io/error.hpp"

namespace plait {

struct NumberedFile {
  Index number = 0;  // from 1 on
  std::string path = {};
};

PLAIT_COLD inline std::string numbered_path(const std::string& directory, std::string_view prefix,
                                            Index number) {
  std::string digits = std::to_string(number);
  digits.insert(0, digits.size() < 9 ? 9 - digits.size() : 0, '0');
  const std::string name = std::string(prefix) + digits + ".safetensors";
  return (std::filesystem::path(directory) / name).string();
}

// All that numbered_path names with this prefix, by number. Throws FileError.
PLAIT_COLD inline std::vector<NumberedFile> numbered_files(const std::string& directory,
                                                           std::string_view prefix) {
  std::vector<NumberedFile> result;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(prefix)) continue;
    Index number = 0;
    std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number);
    if (number >= 1 && entry->path() == numbered_path(directory, prefix, number))
      result.push_back({number, entry->path().string()});
  }
  if (error) throw FileError(directory, "directory", error.message(), "one to read");
  std::ranges::sort(result, {}, &NumberedFile::number);
  return result;
}

}  // namespace plait
