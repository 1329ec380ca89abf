#include <plait/io.hpp>

int main() {
  plait::SafetensorsWriter writer;
  const float one = 1;
  writer.add("one", {1}, std::span<const float>(&one, 1));
  writer.write("one.safetensors");
  plait::SafetensorsReader file("one.safetensors");
  return file.read<float>(file.header().tensors.front()).front() == one ? 0 : 1;
}
