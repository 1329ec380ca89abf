// Seals: two checksums in a file's metadata, one of the data and one of the header, so that a torn
// or altered file is refused before anything in it is interpreted; and where the data may be too
// many to be read, one of every tensor, so that what is read is held against its own.
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
// 16 digits for each tensor, in the order of the file.
inline constexpr std::string_view tensor_checksums_key = "plait.tensor_checksums";

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

// Adds both checksums, with one of every tensor before them if they are asked for, which
// Verify::unmapped needs. After the last tensor and the last metadata.
PLAIT_COLD inline void seal(SafetensorsWriter& writer, bool of_every_tensor = false) {
  Checksum data;
  std::string digits;
  for (std::size_t i = 0; i < writer.header().tensors.size(); ++i) {
    Checksum tensor;
    writer.put_data_of(i, [&](std::span<const std::byte> bytes) {
      data.update(bytes);
      if (of_every_tensor) tensor.update(bytes);
    });
    if (of_every_tensor) digits += hex(tensor.value());
  }
  if (of_every_tensor)
    writer.add_metadata(std::string(detail::tensor_checksums_key), std::move(digits));
  writer.add_metadata(std::string(detail::data_checksum_key), hex(data.value()));
  writer.add_metadata(std::string(detail::header_checksum_key),
                      detail::header_checksum(writer.header()));
}

// What of a sealed file is compared with a checksum: all of it, or all but the tensors that stay in
// a mapped file, which is then not read as a whole. Files without a checksum of every tensor are
// compared as a whole in any case.
enum class Verify { all, unmapped };

// Reads a sealed file: every tensor once, in the order of the file, then finish().
class SealedReader {
 public:
  // Throws FormatError when the header is not the one that was sealed, or as SafetensorsReader.
  PLAIT_COLD explicit SealedReader(SafetensorsReader file, Verify verify = Verify::all)
      : file_(std::move(file)) {
    const std::string& expected = meta(detail::header_checksum_key);
    const std::string got = detail::header_checksum(header());
    if (got != expected)
      throw FormatError(name(), "header", "checksum " + got, expected + " as stored");
    if (verify == Verify::all) return;
    of_tensors_ = header().meta(detail::tensor_checksums_key);
    if (of_tensors_ != nullptr && of_tensors_->size() != 16 * header().tensors.size())
      throw FormatError(name(), std::string(detail::tensor_checksums_key),
                        text(of_tensors_->size(), " digits"), "16 for every tensor");
  }
  SealedReader(const SealedReader&) = delete;
  SealedReader(SealedReader&& other) = default;

  const SafetensorsHeader& header() const { return file_.header(); }
  const std::string& name() const { return file_.name(); }

  // Throws FormatError when there is no such metadata.
  const std::string& meta(std::string_view key) const {
    const std::string* value = header().meta(key);
    if (value == nullptr)
      throw FormatError(name(), "metadata", "no " + std::string(key), "a file written by plait");
    return *value;
  }

  // Throws FormatError when it has a checksum of its own, which is another.
  template <class T>
  void read(const TensorInfo& tensor, std::span<T> out) {
    PLAIT_ASSERT(tensor.begin == position_);
    position_ = tensor.end;
    if (of_tensors_ == nullptr) return file_.read(tensor, out, &data_);
    Checksum checksum;
    file_.read(tensor, out, &checksum);
    const auto i = static_cast<std::size_t>(&tensor - header().tensors.data());
    const std::string got = hex(checksum.value());
    if (const std::string expected = of_tensors_->substr(16 * i, 16); got != expected)
      throw FormatError(name(), in_quotes(tensor.name), "checksum " + got, expected + " as stored");
  }
  // As SafetensorsReader's; who is given the elements does not read them as well.
  template <class T>
  std::pair<std::span<T>, std::shared_ptr<void>> map(const TensorInfo& tensor) {
    PLAIT_ASSERT(tensor.begin == position_);
    auto mapped = file_.map<T>(tensor);
    if (mapped.second == nullptr) return mapped;
    if (of_tensors_ == nullptr) file_.skim(tensor, &data_);
    position_ = tensor.end;
    return mapped;
  }

  // Reads all data for their checksum alone.
  void skim() {
    for (const TensorInfo& tensor : header().tensors) file_.skim(tensor, &data_);
    finish();
  }

  // Throws FormatError when the data are not those that were sealed.
  void finish() const {
    if (of_tensors_ != nullptr) return;
    const std::string& expected = meta(detail::data_checksum_key);
    const std::string got = hex(data_.value());
    if (got != expected)
      throw FormatError(name(), "data", "checksum " + got, expected + " as stored");
  }

 private:
  SafetensorsReader file_;
  const std::string* of_tensors_ = nullptr;  // in the header; null: all data have one checksum
  Checksum data_;
  std::uint64_t position_ = 0;
};

}  // namespace plait
