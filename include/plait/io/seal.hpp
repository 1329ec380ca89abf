// Seals: two checksums in a file's metadata, one of the data and one of the header, so that a torn
// or altered file is refused before anything in it is interpreted.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "plait/core/config.hpp"
#include "plait/io/checksum.hpp"
#include "plait/io/error.hpp"
#include "plait/io/safetensors.hpp"

namespace plait {

namespace detail {

inline constexpr std::string_view header_checksum_key = "plait.header_checksum";
inline constexpr std::string_view data_checksum_key = "plait.data_checksum";

// Of everything that the header says, except this checksum itself; texts are preceded by their
// lengths so that none can pass for another.
PLAIT_COLD inline std::string header_checksum(const SafetensorsHeader& header) {
  Checksum checksum;
  const auto add_number = [&](std::uint64_t number) {
    checksum.update(std::as_bytes(std::span(&number, 1)));
  };
  const auto add_text = [&](std::string_view string) {
    add_number(string.size());
    checksum.update(std::as_bytes(std::span(string)));
  };
  for (const auto& [key, value] : header.metadata) {
    if (key == header_checksum_key) continue;
    add_text(key);
    add_text(value);
  }
  for (const auto& tensor : header.tensors) {
    add_text(tensor.name);
    add_number(static_cast<std::uint64_t>(tensor.dtype));
    add_number(tensor.shape.size());
    for (const std::uint64_t size : tensor.shape) add_number(size);
    add_number(tensor.begin);
    add_number(tensor.end);
  }
  return hex(checksum.value());
}

}  // namespace detail

// Adds both checksums. After the last tensor and the last metadata.
inline void seal(SafetensorsWriter& writer) {
  Checksum data;
  writer.put_data([&](std::span<const std::byte> bytes) { data.update(bytes); });
  writer.add_metadata(std::string(detail::data_checksum_key), hex(data.value()));
  writer.add_metadata(std::string(detail::header_checksum_key),
                      detail::header_checksum(writer.header()));
}

// What of a sealed file is compared with its checksum: all of it, or the header alone, so that a
// mapped file is not read as a whole.
enum class Verify { all, header };

// Reads a sealed file: every tensor once, in the order of the file, then finish().
class SealedReader {
 public:
  // Throws FormatError when the header is not the one that was sealed, or as SafetensorsReader.
  explicit SealedReader(SafetensorsReader file, Verify verify = Verify::all)
      : file_(std::move(file)), verify_(verify) {
    const std::string& expected = meta(detail::header_checksum_key);
    const std::string got = detail::header_checksum(header());
    if (got != expected)
      throw FormatError(name(), "header", "checksum " + got, expected + " as stored");
  }

  const SafetensorsHeader& header() const { return file_.header(); }
  const std::string& name() const { return file_.name(); }

  // Throws FormatError when there is no such metadata.
  const std::string& meta(std::string_view key) const {
    const std::string* value = header().meta(key);
    if (value == nullptr)
      throw FormatError(name(), "metadata", "no " + std::string(key), "a file written by plait");
    return *value;
  }

  template <class T>
  void read(const TensorInfo& tensor, std::span<T> out) {
    PLAIT_ASSERT(tensor.begin == position_);
    file_.read(tensor, out, checksum());
    position_ = tensor.end;
  }
  // As SafetensorsReader's; who is given the elements does not read them as well.
  template <class T>
  std::pair<std::span<T>, std::shared_ptr<void>> map(const TensorInfo& tensor) {
    PLAIT_ASSERT(tensor.begin == position_);
    auto mapped = file_.map<T>(tensor);
    if (mapped.second == nullptr) return mapped;
    if (verify_ == Verify::all) file_.skim(tensor, &data_);
    position_ = tensor.end;
    return mapped;
  }

  // Reads all data for their checksum alone.
  void skim() {
    for (const TensorInfo& tensor : header().tensors) file_.skim(tensor, checksum());
    finish();
  }

  // Throws FormatError when the data are not those that were sealed.
  void finish() const {
    if (verify_ == Verify::header) return;
    const std::string& expected = meta(detail::data_checksum_key);
    const std::string got = hex(data_.value());
    if (got != expected)
      throw FormatError(name(), "data", "checksum " + got, expected + " as stored");
  }

 private:
  Checksum* checksum() { return verify_ == Verify::all ? &data_ : nullptr; }

  SafetensorsReader file_;
  Verify verify_;
  Checksum data_;
  std::uint64_t position_ = 0;
};

}  // namespace plait
