// The model loader on files whose parts were changed and sealed again. The bytes are no file but a
// list of changes to the file of one architecture, so that every one of them reaches what lies
// behind the header's syntax: descriptions, names, shapes, types, self-tests.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "exercise_model.hpp"
#include "support/files.hpp"
#include "support/models.hpp"

namespace {

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

// A small model of every architecture, with heads and rows for its self-test.
std::vector<std::string> all_files() {
  std::vector<std::string> result;
  const files::Directory directory;
  for (const auto& named : models::all_trunks<float>({.input_dim = 2, .first = 2, .second = 2})) {
    const auto model = models::make<float>(named.trunk, {.tower = 2});
    const plait::Shape in = model.in_shape();
    const plait::Tensor<float> x(2, in.slots, in.dim);
    plait::save(model, directory / "model",
                {.heads = {{.name = "a"},
                           {.kind = plait::HeadKind::conditional, .given = 0},
                           {.kind = plait::HeadKind::huber, .delta = 2, .labels_of = 0}}},
                x);
    result.push_back(files::contents(directory / "model"));
  }
  return result;
}

constexpr std::size_t most_text = std::size_t{1} << 18;
constexpr std::size_t most_data = std::size_t{1} << 18;  // of a tensor

std::string& a_text(files::Parts& parts, Input& input) {
  const char* const keys[] = {"plait.config", "plait.towers", "plait.heads", "plait.architecture"};
  const std::size_t which = input.byte();
  return which < 252 ? parts.meta(keys[which % 3]) : parts.meta(keys[3]);
}

void put_number(std::string& text, Input& input) {
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

void put_fragment(std::string& text, Input& input) {
  const char* const fragments[] = {"[",
                                   "]",
                                   "{",
                                   "}",
                                   "[]",
                                   "{}",
                                   ",",
                                   ":",
                                   "null",
                                   "true",
                                   "false",
                                   "\"",
                                   "\\u0000",
                                   R"({"dims":[],"activation":"relu","bias":true})",
                                   R"("relu")",
                                   R"("gelu")",
                                   R"("sum")",
                                   R"("concat")",
                                   R"("mean")",
                                   R"("ones")",
                                   R"("uniform")",
                                   R"("multiclass")",
                                   R"("ordinal")",
                                   R"("has_small":true,"small":[])",
                                   R"("delta":2.0)",
                                   R"("given":0)",
                                   R"("labels_of":0)",
                                   R"("body":"topped")",
                                   R"("separate_inputs":true)"};
  const std::size_t at = input.below(text.size() + 1);
  const std::size_t removed = input.byte() % 64;
  const std::size_t which = input.byte();
  text.replace(at, removed,
               which < std::size(fragments) ? fragments[which] : input.text(which % 32));
}

// A part of the text again and again: long lists, deep nesting.
void repeat(std::string& text, Input& input) {
  const std::size_t first = input.below(text.size() + 1);
  const std::string part = text.substr(first, 1 + input.byte() % 128);
  std::string many;
  const std::size_t times = std::size_t{1} << input.byte() % 14;
  for (std::size_t i = 0; i < times && many.size() + text.size() < most_text; ++i) many += part;
  text.insert(first, many);
}

void put_brackets(std::string& text, Input& input) {
  const std::size_t first = input.below(text.size() + 1);
  const std::size_t power = input.byte();
  const std::size_t depth = std::size_t{1} << (power == 17 ? power : power % 12);  // some very deep
  const bool objects = input.byte() % 2 == 1, shut = input.byte() % 2 == 1;
  std::string open;
  for (std::size_t i = 0; i < depth; ++i) open += objects ? "{\"a\":" : "[";
  text.replace(first, input.byte() % 64,
               shut ? open + "0" + std::string(depth, objects ? '}' : ']') : open);
}

void change_tensor(files::Parts& parts, Input& input) {
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

void change(files::Parts& parts, Input& input) {
  switch (input.byte() % 8) {
    case 0:
    case 1:
      return put_number(a_text(parts, input), input);
    case 2:
      return put_fragment(a_text(parts, input), input);
    case 3:
      return repeat(a_text(parts, input), input);
    case 4:
      return put_brackets(a_text(parts, input), input);
    default:
      return change_tensor(parts, input);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<std::string> all = all_files();
  Input input(data, size);
  const std::string& file = all[input.byte() % all.size()];
  try {
    fuzz::exercise_model(files::resealed(file, [&](files::Parts& parts) {
      for (int changes = 0; changes < 32 && !input.empty(); ++changes) change(parts, input);
    }));
  } catch (const plait::Error&) {
  }
  return 0;
}
