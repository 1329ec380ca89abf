// The header of a safetensors file, parsed as strictly as the format demands.
//
// A file is an 8-byte little-endian length N, N bytes of JSON, and the data. The JSON is one
// object: tensor names to {"dtype", "shape", "data_offsets": [begin, end]} and, optionally,
// "__metadata__" to an object of strings. Refused: a header above 100 MB, duplicate keys, anything
// else in the JSON, more than 64 sizes in a shape, tensors that overlap, leave holes, reach beyond
// the data or do not fill it, sizes that overflow.
//
// The JSON is read event by event (nlohmann-json's SAX interface), so nesting and junk are refused
// at the first wrong token and memory stays proportional to what is kept.
#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/io/dtype.hpp"
#include "plait/io/error.hpp"

namespace plait {

struct TensorInfo {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;  // bytes from the start of the data
  std::uint64_t end = 0;

  // Product of the shape; 1 for a scalar. Checked against the offsets when parsed.
  std::uint64_t count() const { return (end - begin) / info(dtype).size; }
};

struct SafetensorsHeader {
  std::vector<std::pair<std::string, std::string>> metadata;  // in the order of the file
  std::vector<TensorInfo> tensors;                            // in the order of the data

  // The metadata's value, or null.
  const std::string* meta(std::string_view key) const {
    for (const auto& [name, value] : metadata)
      if (name == key) return &value;
    return nullptr;
  }
  const TensorInfo* find(std::string_view name) const {
    for (const auto& tensor : tensors)
      if (tensor.name == name) return &tensor;
    return nullptr;
  }
};

inline constexpr std::uint64_t max_header_bytes = 100'000'000;
// As NumPy's and PyTorch's; keeps the memory for a shape in proportion to its text.
inline constexpr std::size_t max_rank = 64;

namespace detail {

// Receives the events of the JSON text and builds the header; keeps the first complaint.
class HeaderHandler {
 public:
  explicit HeaderHandler(SafetensorsHeader& header) : header_(header) {}

  const std::string& complaint() const { return complaint_; }

  bool null() { return refuse("null"); }
  bool boolean(bool) { return refuse("a boolean"); }
  bool number_integer(std::int64_t) { return refuse("a negative number"); }
  bool number_float(double, const std::string&) { return refuse("a fraction"); }
  template <class Binary>
  bool binary(Binary&) {
    return refuse("binary data");
  }

  bool number_unsigned(std::uint64_t number) {
    if (place_ == Place::shape) {
      if (tensor_.shape.size() == max_rank) return refuse("a shape of more than 64 sizes");
      tensor_.shape.push_back(number);
      return true;
    }
    if (place_ == Place::offsets && offsets_ < 2) {
      (offsets_++ == 0 ? tensor_.begin : tensor_.end) = number;
      return true;
    }
    return refuse("a number");
  }

  bool string(std::string& text) {
    if (place_ == Place::metadata) {
      header_.metadata.emplace_back(key_, std::move(text));
      return true;
    }
    if (place_ == Place::tensor && key_ == "dtype") {
      const auto dtype = parse_dtype(text);
      if (!dtype) return refuse("dtype '" + text + "'");
      tensor_.dtype = *dtype;
      return true;
    }
    return refuse("a string");
  }

  bool key(std::string& text) {
    auto& seen = place_ == Place::top ? names_ : place_ == Place::metadata ? meta_keys_ : fields_;
    if (!seen.insert(text).second) return refuse("a second key '" + text + "'");
    key_ = std::move(text);
    if (place_ != Place::tensor) return true;
    if (key_ == "dtype" || key_ == "shape" || key_ == "data_offsets") return true;
    return refuse("the key '" + key_ + "'");
  }

  bool start_object(std::size_t) {
    if (place_ == Place::outside) {
      place_ = Place::top;
      return true;
    }
    if (place_ != Place::top) return refuse("an object");
    if (key_ == "__metadata__") {
      place_ = Place::metadata;
    } else {
      place_ = Place::tensor;
      fields_.clear();
      tensor_ = TensorInfo();
      tensor_.name = key_;
    }
    return true;
  }

  bool end_object() {
    if (place_ == Place::tensor) {
      if (fields_.size() != 3) return refuse("tensor '" + tensor_.name + "' without all fields");
      header_.tensors.push_back(std::move(tensor_));
    }
    place_ = place_ == Place::top ? Place::outside : Place::top;
    return true;
  }

  bool start_array(std::size_t) {
    if (place_ == Place::tensor && key_ == "shape") {
      place_ = Place::shape;
      return true;
    }
    if (place_ == Place::tensor && key_ == "data_offsets") {
      place_ = Place::offsets;
      offsets_ = 0;
      return true;
    }
    return refuse("an array");
  }

  bool end_array() {
    if (place_ == Place::offsets && offsets_ != 2) return refuse("one data offset");
    place_ = Place::tensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) {
    return refuse("no JSON from byte " + std::to_string(position) + " on");
  }

 private:
  enum class Place { outside, top, metadata, tensor, shape, offsets };

  bool refuse(std::string what) {
    if (complaint_.empty()) complaint_ = std::move(what);
    return false;
  }

  SafetensorsHeader& header_;
  Place place_ = Place::outside;
  std::string key_;
  TensorInfo tensor_;
  int offsets_ = 0;
  std::unordered_set<std::string> names_, meta_keys_, fields_;
  std::string complaint_;
};

// Bytes of a tensor of this shape, or nothing when that overflows.
inline std::optional<std::uint64_t> tensor_bytes(const TensorInfo& tensor) {
  std::uint64_t bytes = info(tensor.dtype).size;
  if (std::find(tensor.shape.begin(), tensor.shape.end(), 0u) != tensor.shape.end()) return 0;
  for (const std::uint64_t dim : tensor.shape) {
    if (bytes > (std::numeric_limits<std::uint64_t>::max)() / dim) return std::nullopt;
    bytes *= dim;
  }
  return bytes;
}

}  // namespace detail

// Parses the JSON and checks it against the number of data bytes that follow it. Throws FormatError
// naming `file`.
inline SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t data_bytes,
                                                  const std::string& file) {
  SafetensorsHeader header;
  detail::HeaderHandler handler(header);
  if (json.empty() || json.front() != '{')
    throw FormatError(file, "header", "no opening brace", "a JSON object");
  const bool parsed = nlohmann::json::sax_parse(json, &handler);
  if (!parsed)
    throw FormatError(file, "header", handler.complaint(), "the JSON of a safetensors header");

  auto& tensors = header.tensors;
  std::stable_sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t covered = 0;
  for (const auto& tensor : tensors) {
    if (tensor.begin != covered || tensor.end < tensor.begin)
      throw FormatError(file, "data_offsets of '" + tensor.name + "'",
                        text("[", tensor.begin, ", ", tensor.end, "]"),
                        text("a range from ", covered, " on, without holes and overlaps"));
    const auto bytes = detail::tensor_bytes(tensor);
    if (bytes != tensor.end - tensor.begin)
      throw FormatError(file, "data_offsets of '" + tensor.name + "'",
                        text(tensor.end - tensor.begin, " bytes"), "the bytes of its shape");
    covered = tensor.end;
  }
  if (covered != data_bytes)
    throw FormatError(file, "data", text(data_bytes, " bytes"),
                      text(covered, " as the header describes"));
  return header;
}

// The JSON text, padded with spaces so that the data starts at a multiple of 8 bytes. Throws
// ConfigError for names or metadata that are not UTF-8.
inline std::string write_safetensors_header(const SafetensorsHeader& header) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (!header.metadata.empty()) {
    auto& metadata = json["__metadata__"];
    for (const auto& [key, value] : header.metadata) metadata[key] = value;
  }
  for (const auto& tensor : header.tensors)
    json[tensor.name] = {{"dtype", info(tensor.dtype).name},
                         {"shape", tensor.shape},
                         {"data_offsets", {tensor.begin, tensor.end}}};
  std::string result;
  try {
    result = json.dump();
  } catch (const nlohmann::json::exception& error) {
    throw ConfigError("write_safetensors_header", "text", error.what(), "UTF-8");
  }
  result.append((8 - result.size() % 8) % 8, ' ');
  return result;
}

}  // namespace plait
