// The model loader on files whose parts were changed and sealed again. The bytes are no file but a
// list of changes to the file of one architecture, so that every one of them reaches what lies
// behind the header's syntax: descriptions, names, shapes, types, self-tests.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "changes.hpp"
#include "exercise_model.hpp"
#include "support/files.hpp"
#include "support/models.hpp"

namespace {

using fuzz::Input;

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

std::string& a_text(files::Parts& parts, Input& input) {
  const char* const keys[] = {"plait.config", "plait.towers", "plait.heads", "plait.architecture"};
  const std::size_t which = input.byte();
  return which < 252 ? parts.meta(keys[which % 3]) : parts.meta(keys[3]);
}

constexpr const char* fragments[] = {"[",
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

void change(files::Parts& parts, Input& input) {
  switch (input.byte() % 8) {
    case 0:
    case 1:
      return put_number(a_text(parts, input), input);
    case 2:
      return put_fragment(a_text(parts, input), input, fragments);
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
