// How the targets of sealed files take a list of changes from their input, and what they change.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "plait/io/dtype.hpp"
#include "support/files.hpp"

namespace fuzz {

// The input, read from its start; zeros after its end.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : at_(data), end_(data + size) {}
  bool empty() const { return at_ == end_; }
  std::size_t byte() { return empty() ? 0 : *at_++; }
  std::size_t number() {  // up to 24 bits
    const std::size_t low = byte(), middle = byte();
    return low | middle << 8 | byte() << 16;
  }
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : number() % limit; }
  std::string text(std::size_t size) {
    std::string result;
    while (result.size() < size && !empty()) result += static_cast<char>(byte());
    return result;
  }

 private:
  const std::uint8_t* at_;
  const std::uint8_t* end_;
};

inline constexpr std::size_t most_text = std::size_t{1} << 18;
inline constexpr std::size_t most_data = std::size_t{1} << 18;  // of a tensor

inline void put_number(std::string& text, Input& input) {
  const char* const numbers[] = {"0",
                                 "1",
                                 "2",
                                 "3",
                                 "8",
                                 "63",
                                 "64",
                                 "1000",
                                 "65536",
                                 "1048576",
                                 "2147483647",
                                 "2147483648",
                                 "9007199254740993",
                                 "9223372036854775807",
                                 "18446744073709551615",
                                 "18446744073709551616",
                                 "-1",
                                 "0.5",
                                 "1e300",
                                 "1e-300",
                                 "-0.0"};
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] >= '0' && text[i] <= '9' && (i == 0 || text[i - 1] < '0' || text[i - 1] > '9'))
      places.push_back(i);
  if (places.empty()) return;
  const std::size_t first = places[input.below(places.size())];
  const std::size_t last = std::min(text.find_first_not_of("0123456789.", first), text.size());
  const std::size_t which = input.byte();
  text.replace(first, last - first,
               which < std::size(numbers) ? numbers[which] : std::to_string(input.number()));
}

// One of the fragments, or text of the input, in place of some bytes.
inline void put_fragment(std::string& text, Input& input, std::span<const char* const> fragments) {
  const std::size_t at = input.below(text.size() + 1);
  const std::size_t removed = input.byte() % 64;
  const std::size_t which = input.byte();
  text.replace(at, removed, which < fragments.size() ? fragments[which] : input.text(which % 32));
}

// A part of the text again and again: long lists, deep nesting.
inline void repeat(std::string& text, Input& input) {
  const std::size_t first = input.below(text.size() + 1);
  const std::string part = text.substr(first, 1 + input.byte() % 128);
  std::string many;
  const std::size_t times = std::size_t{1} << input.byte() % 14;
  for (std::size_t i = 0; i < times && many.size() + text.size() < most_text; ++i) many += part;
  text.insert(first, many);
}

inline void change_tensor(files::Parts& parts, Input& input) {
  auto& tensors = parts.header.tensors;
  if (tensors.empty()) return;
  const std::size_t which = input.below(tensors.size());
  plait::TensorInfo& tensor = tensors[which];
  std::string& data = parts.data[which];
  switch (input.byte() % 6) {
    case 0:
      tensors.erase(tensors.begin() + static_cast<std::ptrdiff_t>(which));
      parts.data.erase(parts.data.begin() + static_cast<std::ptrdiff_t>(which));
      return;
    case 1: {
      plait::TensorInfo copy = tensor;
      copy.name += input.text(8);
      parts.data.push_back(std::string(data));
      tensors.push_back(copy);
      return;
    }
    case 2:
      std::swap(tensor.name, tensors[input.below(tensors.size())].name);
      return;
    case 3:
      tensor.dtype = plait::dtypes[input.byte() % plait::dtypes.size()].dtype;
      break;
    case 4:
      if (tensor.shape.empty() || input.byte() % 8 == 0)
        tensor.shape.insert(tensor.shape.begin(), 1);
      tensor.shape[input.below(tensor.shape.size())] = input.number() >> input.byte() % 24;
      break;
    default: {
      const float specials[] = {std::numeric_limits<float>::infinity(),
                                std::numeric_limits<float>::quiet_NaN(), 3e38f, -1e30f, 1e-45f};
      const float value = specials[input.byte() % std::size(specials)];
      if (data.size() >= sizeof value)
        std::memcpy(data.data() + input.below(data.size() / sizeof value) * sizeof value, &value,
                    sizeof value);
      return;
    }
  }
  std::uint64_t bytes = plait::info(tensor.dtype).size;
  for (const std::uint64_t size : tensor.shape)
    bytes = std::min<std::uint64_t>(bytes * size, 1u << 30);
  if (bytes <= most_data) data.resize(bytes, data.empty() ? '\0' : data.front());
}

// One of the numbers in place of eight bytes of a tensor that owns(tensor).
template <class Owns>
void put_eight_bytes(files::Parts& parts, Input& input, std::span<const std::int64_t> numbers,
                     const Owns& owns) {
  std::vector<std::size_t> own;
  for (std::size_t i = 0; i < parts.data.size(); ++i)
    if (owns(parts.header.tensors[i]) && parts.data[i].size() >= 8) own.push_back(i);
  if (own.empty()) return;
  std::string& data = parts.data[own[input.below(own.size())]];
  std::memcpy(data.data() + input.below(data.size() / 8) * 8,
              &numbers[input.byte() % numbers.size()], 8);
}

// One change: of a text of the metadata, of eight bytes or of a tensor.
template <class Owns>
void change(files::Parts& parts, std::string& text, Input& input,
            std::span<const char* const> fragments, std::span<const std::int64_t> numbers,
            const Owns& owns) {
  switch (input.byte() % 8) {
    case 0:
    case 1:
      return put_number(text, input);
    case 2:
      return put_fragment(text, input, fragments);
    case 3:
      return repeat(text, input);
    case 4:
    case 5:
      return put_eight_bytes(parts, input, numbers, owns);
    default:
      return change_tensor(parts, input);
  }
}

}  // namespace fuzz
