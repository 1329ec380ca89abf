// The header of a safetensors file, parsed as strictly as the format demands.
//
// A file is an 8-byte little-endian length N, N bytes of JSON, and the data. The JSON is one
// object: tensor names to {"dtype", "shape", "data_offsets": [begin, end]} and, optionally,
// "__metadata__" to an object of strings. Refused: a header above 100 MB, duplicate keys, anything
// else in the JSON, more than 64 sizes in a shape, more than 4096 pairs of metadata, tensors that
// overlap, leave holes, reach beyond the data or do not fill it, sizes that overflow.
//
// The JSON is read event by event (nlohmann-json's parser callback), so nesting and junk are
// refused at the first wrong token and memory stays proportional to what is kept.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_set>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/io/dtype.hpp"
#include "plait/io/error.hpp"
#include "plait/io/json.hpp"

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
// Pairs of metadata; nlohmann-json looks for each key among those before it.
inline constexpr std::size_t max_metadata = 4096;

namespace detail {

// Follows the parser through the JSON text and builds the header; throws FormatError at the first
// event that has no place in it.
class HeaderReader {
 public:
  HeaderReader(SafetensorsHeader& header, const std::string& file) : header_(header), file_(file) {}

  // The parser's callback: false for what is read and need not be kept.
  PLAIT_COLD bool operator()(int depth, Json::parse_event_t event, Json& json) {
    using Event = Json::parse_event_t;
    if (event == Event::key) {
      add_key(depth, json.get_ref<const std::string&>());
    } else if (event == Event::object_start) {
      if (depth > 1) refuse("an object");
      fields_.clear();
    } else if (event == Event::array_start) {
      if (depth != 2 || in_metadata()) refuse("an array");
      list_ = 0;
    } else if (event == Event::value) {
      if (depth < 2) refuse(kind(json));
      if (depth == 3 && list_++ == max_rank) refuse("a list of more than 64 numbers");
    } else if (event == Event::object_end && depth == 1) {
      in_metadata() ? add_metadata(json) : add_tensor(json);
      return false;
    }
    return true;
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw FormatError(file_, "header", what, "the JSON of a safetensors header");
  }

  static std::string kind(const Json& json) {
    if (json.is_null()) return "null";
    if (json.is_number_float()) return "a fraction";
    if (json.is_number_integer() && !json.is_number_unsigned()) return "a negative number";
    return std::string("a ") + json.type_name();
  }

  bool in_metadata() const { return name_ == "__metadata__"; }

  PLAIT_COLD void add_key(int depth, const std::string& key) {
    if (!(depth == 1 ? names_ : fields_).insert(key).second)
      refuse("a second key " + in_quotes(key));
    if (depth == 1)
      name_ = key;
    else if (in_metadata() && fields_.size() > max_metadata)
      refuse(text("more than ", max_metadata, " pairs of metadata"));
    else if (!in_metadata() && key != "dtype" && key != "shape" && key != "data_offsets")
      refuse("the key " + in_quotes(key));
  }

  const std::string& words(const Json& json) const {
    if (!json.is_string()) refuse(kind(json));
    return json.get_ref<const std::string&>();
  }

  std::vector<std::uint64_t> numbers(const Json& json) const {
    if (!json.is_array()) refuse(kind(json));
    std::vector<std::uint64_t> list;
    for (const Json& number : json) {
      if (!number.is_number_unsigned()) refuse(kind(number));
      list.push_back(number.get<std::uint64_t>());
    }
    return list;
  }

  PLAIT_COLD void add_metadata(const Json& json) {
    for (const auto& [key, value] : json.items()) header_.metadata.emplace_back(key, words(value));
  }

  PLAIT_COLD void add_tensor(const Json& json) {
    if (json.size() != 3) refuse("tensor " + in_quotes(name_) + " without all fields");
    const std::string& name = words(json["dtype"]);
    const auto dtype = parse_dtype(name);
    if (!dtype) refuse("dtype " + in_quotes(name) + " of " + in_quotes(name_));
    const auto offsets = numbers(json["data_offsets"]);
    if (offsets.size() != 2) refuse(text(offsets.size(), " data offsets"));
    header_.tensors.push_back({name_, *dtype, numbers(json["shape"]), offsets[0], offsets[1]});
  }

  SafetensorsHeader& header_;
  const std::string& file_;
  std::string name_;  // of the tensor that is read
  std::size_t list_ = 0;
  std::unordered_set<std::string> names_, fields_;
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
PLAIT_COLD inline SafetensorsHeader parse_safetensors_header(std::string_view json,
                                                             std::uint64_t data_bytes,
                                                             const std::string& file) {
  if (json.empty() || json.front() != '{')
    throw FormatError(file, "header", "no opening brace", "a JSON object");
  SafetensorsHeader header;
  detail::HeaderReader read(header, file);
  try {
    const auto rest = detail::Json::parse(json, std::ref(read));
  } catch (const nlohmann::json::parse_error& error) {
    throw FormatError(file, "header", text("no JSON from byte ", error.byte, " on"),
                      "the JSON of a safetensors header");
  } catch (const nlohmann::json::out_of_range&) {
    throw FormatError(file, "header", "a number beyond all doubles",
                      "the JSON of a safetensors header");
  }

  auto& tensors = header.tensors;
  std::ranges::sort(tensors, {}, [](const TensorInfo& tensor) {
    return std::tuple(tensor.begin, tensor.end, std::string_view(tensor.name));
  });
  std::uint64_t covered = 0;
  for (const auto& tensor : tensors) {
    if (tensor.begin != covered || tensor.end < tensor.begin)
      throw FormatError(file, "data_offsets of " + in_quotes(tensor.name),
                        text("[", tensor.begin, ", ", tensor.end, "]"),
                        text("a range from ", covered, " on, without holes and overlaps"));
    const auto bytes = detail::tensor_bytes(tensor);
    if (bytes != tensor.end - tensor.begin)
      throw FormatError(file, "data_offsets of " + in_quotes(tensor.name),
                        text(tensor.end - tensor.begin, " bytes"), "the bytes of its shape");
    covered = tensor.end;
  }
  if (covered != data_bytes)
    throw FormatError(file, "data", text(data_bytes, " bytes"),
                      text(covered, " as the header describes"));
  return header;
}

// The JSON text, padded with spaces so that the data start at a multiple of `alignment` bytes of
// the file, by default as PyTorch's library lays them out. Throws
// ConfigError for names or metadata that are not UTF-8, and for what no reader takes: more pairs of
// metadata, sizes in a shape or bytes than above.
PLAIT_COLD inline std::string write_safetensors_header(const SafetensorsHeader& header,
                                                       std::size_t alignment = 8) {
  const char* where = "write_safetensors_header";
  require_config(header.metadata.size() <= max_metadata, where, "metadata",
                 text(header.metadata.size(), " pairs, the library's own included"),
                 text("at most ", max_metadata));
  detail::Json json = detail::Json::object();
  if (!header.metadata.empty()) {
    auto& metadata = json["__metadata__"];
    for (const auto& [key, value] : header.metadata) metadata[key] = value;
  }
  for (const auto& tensor : header.tensors) {
    require_config(tensor.shape.size() <= max_rank, where, "shape of " + in_quotes(tensor.name),
                   text(tensor.shape.size(), " sizes"), text("at most ", max_rank));
    json[tensor.name] = {{"dtype", info(tensor.dtype).name},
                         {"shape", tensor.shape},
                         {"data_offsets", {tensor.begin, tensor.end}}};
  }
  std::string result;
  try {
    result = json.dump();
  } catch (const nlohmann::json::exception& error) {
    throw ConfigError(where, "text", error.what(), "UTF-8");
  }
  result.append((alignment - (8 + result.size()) % alignment) % alignment, ' ');
  require_config(result.size() <= max_header_bytes, where, "header", text(result.size(), " bytes"),
                 text("at most ", max_header_bytes));
  return result;
}

}  // namespace plait
