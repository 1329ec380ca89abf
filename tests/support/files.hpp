// Files in tests: whole contents as strings, a directory that vanishes, and safetensors in memory.
#pragma once
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "plait/io/safetensors.hpp"
#include "plait/io/seal.hpp"

namespace files {

inline std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}
inline void write(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

// A fresh directory, removed with everything in it.
class Directory {
 public:
  Directory() {
    std::random_device random;
    do path_ = std::filesystem::temp_directory_path() / ("plait-" + std::to_string(random()));
    while (!std::filesystem::create_directory(path_));
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

// A reader of bytes in memory, called "memory" in errors.
inline plait::SafetensorsReader reader(const std::string& bytes) {
  return {std::make_unique<std::istringstream>(bytes, std::ios::binary), "memory"};
}

inline std::string written(const plait::SafetensorsWriter& writer) {
  std::string bytes;
  writer.write_to([&](std::span<const std::byte> piece) {
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  });
  return bytes;
}

// A safetensors file from its JSON text and the number of data bytes.
inline std::string raw(const std::string& json, std::size_t data_bytes) {
  std::string bytes(8, '\0');
  for (std::size_t i = 0; i < 8; ++i)
    bytes[i] = static_cast<char>((std::uint64_t{json.size()} >> (8 * i)) & 0xff);
  return bytes + json + std::string(data_bytes, '\1');
}

// What a sealed file holds, to be changed and sealed again.
struct Parts {
  plait::SafetensorsHeader header;
  std::vector<std::string> data;  // of each tensor

  std::string& meta(const std::string& key) {
    for (auto& [name, value] : header.metadata)
      if (name == key) return value;
    return header.metadata.emplace_back(key, "").second;
  }
};

// The file after a change, with checksums that fit. Throws as SafetensorsReader does.
inline std::string resealed(const std::string& bytes, const std::function<void(Parts&)>& change) {
  Parts parts;
  auto file = reader(bytes);
  parts.header = file.header();
  const std::size_t data_bytes = parts.header.tensors.empty() ? 0 : parts.header.tensors.back().end;
  for (const auto& tensor : parts.header.tensors)
    parts.data.push_back(
        bytes.substr(bytes.size() - data_bytes + tensor.begin, tensor.end - tensor.begin));
  change(parts);
  plait::SafetensorsWriter writer;
  for (const auto& [key, value] : parts.header.metadata)
    if (key != plait::detail::header_checksum_key && key != plait::detail::data_checksum_key)
      writer.add_metadata(key, value);
  for (std::size_t i = 0; i < parts.data.size(); ++i) {
    const auto& tensor = parts.header.tensors[i];
    writer.add_bytes(tensor.name, tensor.dtype, tensor.shape,
                     std::as_bytes(std::span(parts.data[i])));
  }
  plait::seal(writer);
  return written(writer);
}

}  // namespace files
