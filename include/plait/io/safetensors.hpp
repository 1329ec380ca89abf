// safetensors files, read and written as streams: a tensor goes straight from the file to its
// place, so a 4 GB file needs 4 GB.
#pragma once
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <istream>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/function_ref.hpp"
#include "plait/io/atomic_file.hpp"
#include "plait/io/checksum.hpp"
#include "plait/io/dtype.hpp"
#include "plait/io/error.hpp"
#include "plait/io/mapped_file.hpp"
#include "plait/io/safetensors_header.hpp"

namespace plait {

// Reads one file. Construction reads and checks the header; tensors are read on demand. A reader is
// used by one thread at a time.
class SafetensorsReader {
 public:
  // Throws FileError when the file cannot be read or is none (a directory, a pipe, a device),
  // FormatError when it is not a safetensors file.
  explicit SafetensorsReader(const std::string& path) : SafetensorsReader(open(path), path) {}

  // From any seekable stream; `name` stands for the file in errors.
  PLAIT_COLD SafetensorsReader(std::unique_ptr<std::istream> stream, std::string name)
      : stream_(std::move(stream)), name_(std::move(name)) {
    if (!*stream_) throw FileError(name_, "file", "none that can be opened", "a readable file");
    stream_->seekg(0, std::ios::end);
    const auto size = static_cast<std::int64_t>(stream_->tellg());
    if (size < 0) throw FileError(name_, "file", "no size", "a file that can be searched");
    const auto bytes = static_cast<std::uint64_t>(size);
    if (bytes < 8) throw FormatError(name_, "file", text(bytes, " bytes"), "at least 8");
    std::uint64_t header_bytes = 0;
    read_at(0, std::as_writable_bytes(std::span(&header_bytes, 1)));
    if (header_bytes > max_header_bytes || header_bytes > bytes - 8)
      throw FormatError(name_, "header length", text(header_bytes),
                        text("at most ", (std::min)(max_header_bytes, bytes - 8)));
    std::string json(header_bytes, ' ');
    read_at(8, std::as_writable_bytes(std::span(json)));
    data_start_ = 8 + header_bytes;
    header_ = parse_safetensors_header(json, bytes - data_start_, name_);
  }

  // From a MappedFile, which map() needs; throws as that does. A reader as any other under systems
  // that are not POSIX.
  PLAIT_COLD static SafetensorsReader mapped(const std::string& path) {
#ifdef PLAIT_HAS_MMAP
    auto file = std::make_shared<MappedFile>(path);
    SafetensorsReader result(std::make_unique<MemoryStream>(file->bytes()), path);
    result.mapped_ = std::move(file);
    return result;
#else
    return SafetensorsReader(path);
#endif
  }

  const SafetensorsHeader& header() const { return header_; }
  const std::string& name() const { return name_; }

  // The tensor's elements where they are in a mapped file, and what keeps them there. None where
  // the file is not mapped, the stored type is not T, or no T can be at that address.
  template <class T>
  std::pair<std::span<T>, std::shared_ptr<void>> map(const TensorInfo& tensor) const {
#ifdef PLAIT_HAS_MMAP
    if (mapped_ != nullptr && tensor.dtype == dtype_of<T>() &&
        (data_start_ + tensor.begin) % alignof(T) == 0) {
      std::byte* const begin = mapped_->bytes().data() + data_start_ + tensor.begin;
      return {{reinterpret_cast<T*>(begin), static_cast<std::size_t>(tensor.count())}, mapped_};
    }
#endif
    return {};
  }

  // The tensor's elements, row-major, converted to T (see dtype.hpp). `out` has count() elements.
  // Throws FormatError for an integer T that is not the stored type.
  // With a checksum, the tensor's bytes go through it piece by piece while they are in cache.
  template <class T>
  void read(const TensorInfo& tensor, std::span<T> out, Checksum* checksum = nullptr) {
    PLAIT_ASSERT(out.size() == tensor.count());
    read_part(tensor, 0, out, checksum);
  }
  // The same of elements [begin, begin + out.size()) alone.
  template <class T>
  void read_part(const TensorInfo& tensor, std::uint64_t begin, std::span<T> out,
                 Checksum* checksum = nullptr) {
    PLAIT_ASSERT(begin <= tensor.count() && out.size() <= tensor.count() - begin);
    const bool direct = tensor.dtype == dtype_of<T>();
    if (std::is_integral_v<T> && !direct)
      throw FormatError(name_, in_quotes(tensor.name), std::string(info(tensor.dtype).name),
                        std::string(info(dtype_of<T>()).name));
    const std::size_t width = info(tensor.dtype).size;
    const std::size_t piece = piece_bytes / width;
    if (!direct) buffer_.resize((std::min)(piece_bytes, out.size() * width));
    for (std::size_t first = 0; first < out.size(); first += piece) {
      const std::size_t count = (std::min)(piece, out.size() - first);
      const std::span<std::byte> bytes = direct ? std::as_writable_bytes(out.subspan(first, count))
                                                : std::span(buffer_).first(count * width);
      read_at(data_start_ + tensor.begin + (begin + first) * width, bytes);
      if (checksum != nullptr) checksum->update(bytes);
      if constexpr (std::is_floating_point_v<T>)
        if (!direct) convert(tensor.dtype, bytes.data(), count, out.data() + first);
    }
  }
  template <class T>
  std::vector<T> read(const TensorInfo& tensor) {
    std::vector<T> out(tensor.count());
    read(tensor, std::span<T>(out));
    return out;
  }

  // Reads the tensor's bytes and drops them: throws FileError where read would.
  void skim(const TensorInfo& tensor, Checksum* checksum = nullptr) {
    buffer_.resize(std::min<std::uint64_t>(piece_bytes, tensor.end - tensor.begin));
    for (std::uint64_t at = tensor.begin; at < tensor.end; at += buffer_.size()) {
      const auto bytes =
          std::span(buffer_).first(std::min<std::uint64_t>(buffer_.size(), tensor.end - at));
      read_at(data_start_ + at, bytes);
      if (checksum != nullptr) checksum->update(bytes);
    }
  }

 private:
  PLAIT_COLD static std::unique_ptr<std::istream> open(const std::string& path) {
    std::error_code none;
    const auto status = std::filesystem::status(path, none);
    // Opening a pipe would wait for a writer.
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
      throw FileError(path, "file", "a directory, pipe or device", "a regular file");
    return std::make_unique<std::ifstream>(path, std::ios::binary);
  }

  void read_at(std::uint64_t position, std::span<std::byte> out) {
    stream_->seekg(static_cast<std::streamoff>(position));
    stream_->read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size()));
    if (stream_->fail())
      throw FileError(name_, text("bytes from ", position, " on"), "no data",
                      text(out.size(), " bytes"));
  }

  // Small enough to stay in the second-level cache between reading, checksum and conversion.
  static constexpr std::size_t piece_bytes = std::size_t{1} << 18;

  std::unique_ptr<std::istream> stream_;
  std::string name_;
  std::vector<std::byte> buffer_;
  std::uint64_t data_start_ = 0;
  SafetensorsHeader header_;
#ifdef PLAIT_HAS_MMAP
  std::shared_ptr<MappedFile> mapped_;
#endif
};

// Collects tensors and writes them as one file, in the order in which they were added. Borrows
// their numbers until write.
class SafetensorsWriter {
 public:
  // Throws ConfigError for a key that was added before.
  void add_metadata(std::string key, std::string value) {
    require_config(header_.meta(key) == nullptr, "SafetensorsWriter", "metadata key",
                   in_quotes(key) + " again", "a key of its own");
    header_.metadata.emplace_back(std::move(key), std::move(value));
  }

  // Throws ConfigError for a name that was added before or numbers that do not fill the shape.
  template <class T>
  void add(const std::string& name, std::vector<std::uint64_t> shape, std::span<const T> numbers) {
    add_bytes(name, dtype_of<T>(), std::move(shape), std::as_bytes(numbers));
  }
  void add_bytes(const std::string& name, DType dtype, std::vector<std::uint64_t> shape,
                 std::span<const std::byte> bytes) {
    TensorInfo tensor{name, dtype, std::move(shape), end_, end_ + bytes.size()};
    require_config(detail::tensor_bytes(tensor) == bytes.size(), "SafetensorsWriter", name,
                   text(bytes.size(), " bytes"), "the bytes of its shape");
    add(std::move(tensor), [bytes](Put put) { put(bytes); });
  }

  // Takes bytes, a piece of a tensor.
  using Put = FunctionRef<void(std::span<const std::byte>)>;
  // A tensor that is nowhere as a whole: make(put) puts its bytes, piece by piece, the same
  // whenever it is called: once to seal and once to write. Throws ConfigError for a name that was
  // added before and sizes that overflow.
  void add_made(const std::string& name, DType dtype, std::vector<std::uint64_t> shape,
                std::function<void(Put)> make) {
    TensorInfo tensor{name, dtype, std::move(shape), end_, end_};
    const auto bytes = detail::tensor_bytes(tensor);
    require_config(bytes.has_value(), "SafetensorsWriter", name, "a shape of more than 2^64 bytes",
                   "sizes that can be counted");
    tensor.end += *bytes;
    add(std::move(tensor), std::move(make));
  }

  // Lets the data begin at a cache line, and so the first tensor: where a file is mapped, its rows
  // then lie as in memory.
  void align_data() { alignment_ = 64; }

  const SafetensorsHeader& header() const { return header_; }
  // The tensors' bytes, one piece after the other.
  void put_data(Put put) const {
    for (const auto& make : data_) make(put);
  }
  // Those of header().tensors[i].
  void put_data_of(std::size_t i, Put put) const { data_[i](put); }

  // The file's bytes in pieces: put(std::span<const std::byte>) is called for one after the other.
  // Throws ConfigError as write_safetensors_header does.
  template <class Put>
  void write_to(const Put& put) const {
    const std::string json = write_safetensors_header(header_, alignment_);
    const std::uint64_t header_bytes = json.size();
    put(std::as_bytes(std::span(&header_bytes, 1)));
    put(std::as_bytes(std::span(json)));
    put_data([&](std::span<const std::byte> bytes) { put(bytes); });
  }

  // Writes the file; an older one at this path survives a failure (see AtomicFile). Throws
  // FileError, and ConfigError as write_safetensors_header does.
  void write(const std::string& path) const {
    AtomicFile file(path);
    write_to([&](std::span<const std::byte> bytes) { file.write(bytes); });
    file.commit();
  }

 private:
  void add(TensorInfo tensor, std::function<void(Put)> make) {
    require_config(tensor.name != "__metadata__" && names_.insert(tensor.name).second,
                   "SafetensorsWriter", "name", in_quotes(tensor.name) + " again",
                   "a name of its own");
    end_ = tensor.end;
    // As a reader sorts them: of tensors without a byte in one place the names decide.
    const auto is_after = [&](const TensorInfo& other) {
      return other.begin == tensor.begin && other.end == tensor.end && other.name > tensor.name;
    };
    auto at = header_.tensors.end();
    while (at != header_.tensors.begin() && is_after(*(at - 1))) --at;
    data_.insert(data_.begin() + (at - header_.tensors.begin()), std::move(make));
    header_.tensors.insert(at, std::move(tensor));
  }

  SafetensorsHeader header_;
  std::vector<std::function<void(Put)>> data_;  // put the bytes of each tensor
  std::unordered_set<std::string> names_;
  std::uint64_t end_ = 0;
  std::size_t alignment_ = 8;
};

}  // namespace plait
