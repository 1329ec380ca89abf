// The safetensors reader on arbitrary bytes. What it accepts, it must read and write again to a
// file that says the same.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "plait/io/safetensors.hpp"
#include "support/files.hpp"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void exercise(const std::string& bytes) {
  auto file = files::reader(bytes);
  plait::SafetensorsWriter writer;
  for (const auto& [key, value] : file.header().metadata) writer.add_metadata(key, value);
  std::vector<std::string> data;
  for (const auto& tensor : file.header().tensors) {
    file.read<float>(tensor);
    file.read<double>(tensor);
    if (tensor.dtype == plait::DType::i64) file.read<std::int64_t>(tensor);
    data.push_back(bytes.substr(bytes.size() - file.header().tensors.back().end + tensor.begin,
                                tensor.end - tensor.begin));
  }
  for (std::size_t i = 0; i < data.size(); ++i) {
    const auto& tensor = file.header().tensors[i];
    writer.add_bytes(tensor.name, tensor.dtype, tensor.shape, std::as_bytes(std::span(data[i])));
  }
  const std::string written = files::written(writer);
  const auto again = files::reader(written);
  require(again.header().metadata == file.header().metadata);
  require(again.header().tensors.size() == file.header().tensors.size());
  for (std::size_t i = 0; i < data.size(); ++i) {
    const auto& a = file.header().tensors[i];
    const auto& b = again.header().tensors[i];
    require(a.name == b.name && a.dtype == b.dtype && a.shape == b.shape && a.begin == b.begin &&
            a.end == b.end);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    exercise(std::string(reinterpret_cast<const char*>(data), size));
  } catch (const plait::Error&) {
  }
  return 0;
}
