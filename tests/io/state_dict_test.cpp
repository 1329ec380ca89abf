#include "plait/io/state_dict.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "plait/architectures/shared_bottom.hpp"
#include "plait/layers/mlp.hpp"
#include "plait/model/model.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using plait::ParamBuffer;
using plait::ParamTable;
using plait::SafetensorsWriter;

// An MLP 2 -> 3 named "m", with numbers 1, 2, ...
template <class Scalar>
ParamBuffer<Scalar> parameters(const std::string& name = "m") {
  ParamTable table;
  plait::MLP<Scalar>(table, name, 2, {3});
  ParamBuffer<Scalar> result(std::make_shared<const ParamTable>(std::move(table)));
  int next = 0;
  for (const auto& entry : result.table().entries())
    for (Scalar& number : result.of(entry.id)) number = static_cast<Scalar>(++next) / 3;
  return result;
}

template <class Scalar>
std::string saved(const ParamBuffer<Scalar>& values, const plait::StateDictOptions& options = {}) {
  SafetensorsWriter writer;
  add_state_dict(writer, values, options);
  return files::written(writer);
}

template <class A, class B>
bool equal(const ParamBuffer<A>& a, const ParamBuffer<B>& b) {
  return std::ranges::equal(a.flat(), b.flat(), [](A x, B y) { return static_cast<B>(x) == y; });
}

}  // namespace

TEST_CASE("state_dict: parameters go under their names and come back") {
  const auto values = parameters<double>();
  auto file = files::reader(saved(values));
  CHECK(file.header().tensors[0].name == "m.mlp_net.0.weight");
  CHECK(file.header().tensors[0].shape == std::vector<std::uint64_t>{3, 2});
  CHECK(file.header().tensors[1].name == "m.mlp_net.0.bias");
  CHECK(file.header().tensors[1].shape == std::vector<std::uint64_t>{3});
  ParamBuffer<double> loaded(values.shared_table());
  load_state_dict(file, loaded);
  CHECK(equal(loaded, values));
}

TEST_CASE("state_dict: float files load into double models exactly, and the reverse rounds") {
  auto narrow = files::reader(saved(parameters<float>()));
  auto wide = parameters<double>();
  load_state_dict(narrow, wide);
  CHECK(equal(parameters<float>(), wide));

  auto file = files::reader(saved(parameters<double>()));
  auto rounded = parameters<float>();
  rounded.set_zero();
  load_state_dict(file, rounded);
  CHECK(equal(parameters<double>(), rounded));
}

TEST_CASE("state_dict: a prefix, and names of another codebase") {
  const plait::StateDictOptions options{
      .prefix = "net/", .rename = {{"m.mlp_net.0.weight", "kernel"}, {"m.mlp_net.0.bias", "b"}}};
  const auto values = parameters<float>();
  SafetensorsWriter writer;
  const std::array<float, 1> other{1};
  writer.add("another", {1}, std::span<const float>(other));
  add_state_dict(writer, values, options);
  auto file = files::reader(files::written(writer));
  CHECK(file.header().find("net/kernel") != nullptr);
  ParamBuffer<float> loaded(values.shared_table());
  load_state_dict(file, loaded, options);
  CHECK(equal(loaded, values));
}

TEST_CASE("state_dict: one error lists everything that is wrong, and nothing changes") {
  const std::array<float, 9> numbers{};
  const std::array<std::int32_t, 3> whole{};
  SafetensorsWriter writer;
  writer.add("a.mlp_net.0.weight", {2, 3}, std::span<const float>(numbers).first(6));
  writer.add("a.mlp_net.0.bias", {3}, std::span<const std::int32_t>(whole));
  writer.add("z.extra", {9}, std::span<const float>(numbers));
  auto file = files::reader(files::written(writer));

  ParamTable table;
  plait::MLP<float>(table, "a", 2, {3, 4});
  ParamBuffer<float> values(std::make_shared<const ParamTable>(std::move(table)));
  std::ranges::fill(values.flat(), 7.0f);
  const auto before = values;
  CHECK_THROWS_WITH(
      load_state_dict(file, values, {.rename = {{"b", "c"}}}),
      "plait::memory: tensors: got rename of 'b', no such parameter; 'a.mlp_net.0.weight' of shape "
      "[2, 3] instead of [3, 2]; 'a.mlp_net.0.bias' of type I32; missing 'a.mlp_net.2.weight'; "
      "missing 'a.mlp_net.2.bias'; unexpected 'z.extra', expected the parameters of the model");
  CHECK(equal(values, before));
}

TEST_CASE("state_dict: unexpected tensors are ignored on request, empty and plait's own always") {
  const auto values = parameters<float>();
  const std::array<float, 1> numbers{};
  const auto file_with = [&](const std::string& name, std::uint64_t size) {
    SafetensorsWriter writer;
    add_state_dict(writer, values);
    writer.add(name, {size}, std::span<const float>(numbers).first(size));
    return files::reader(files::written(writer));
  };
  ParamBuffer<float> loaded(values.shared_table());
  auto file = file_with("extra", 1);
  CHECK_THROWS_AS(load_state_dict(file, loaded), plait::FormatError);
  CHECK_NOTHROW(load_state_dict(file, loaded, {.allow_unexpected = true}));
  auto with_empty = file_with("extra", 0);
  CHECK_NOTHROW(load_state_dict(with_empty, loaded));
  auto with_ours = file_with("plait.self_test.x", 1);
  CHECK_NOTHROW(load_state_dict(with_ours, loaded));
}

TEST_CASE("state_dict: a model's parameters, all or none") {
  const plait::SharedBottom trunk{.input_dim = 2, .num_tasks = 2, .expert = {3}};
  const plait::Model<double> from(trunk, {}, 1);
  plait::Model<double> to(trunk, {}, 2);
  auto file = files::reader(saved(from.values(), {.prefix = "net."}));
  load_state_dict(file, to, {.prefix = "net."});
  CHECK(equal(to.values(), from.values()));

  plait::Model<double> smaller(plait::SharedBottom{.input_dim = 2, .num_tasks = 1, .expert = {3}},
                               {}, 3);
  const auto before = smaller.values();
  CHECK_THROWS_AS(load_state_dict(file, smaller, {.prefix = "net."}), plait::FormatError);
  CHECK(equal(smaller.values(), before));
}

TEST_CASE("state_dict: a file cut short while it is open changes nothing") {
  const files::Directory directory;
  const std::string path = directory / "file";
  const auto values = parameters<float>();
  files::write(path, saved(values));
  plait::SafetensorsReader file(path);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 4);
  ParamBuffer<float> loaded(values.shared_table());
  CHECK_THROWS_AS(load_state_dict(file, loaded), plait::FileError);
  CHECK(std::ranges::all_of(loaded.flat(), [](float n) { return n == 0; }));
}

TEST_CASE("state_dict: types that no parameter has do not keep the others from being read") {
  const auto values = parameters<float>();
  const std::array<std::byte, 16> bytes{};
  for (const auto& type : plait::dtypes) {
    CAPTURE(std::string(type.name));
    SafetensorsWriter writer;
    add_state_dict(writer, values);
    writer.add_bytes("scales\n", type.dtype, {2}, std::span(bytes).first(2 * type.size));
    auto file = files::reader(files::written(writer));
    ParamBuffer<float> loaded(values.shared_table());
    CHECK_NOTHROW(load_state_dict(file, loaded, {.allow_unexpected = true}));
    CHECK(equal(loaded, values));
    CHECK_THROWS_WITH(load_state_dict(file, loaded),
                      "plait::memory: tensors: got unexpected 'scales\\x0a', expected the "
                      "parameters of the model");

    SafetensorsWriter as_parameter;
    const std::vector<std::byte> zeros(6 * type.size);
    as_parameter.add_bytes("m.mlp_net.0.weight", type.dtype, {3, 2}, zeros);
    auto wrong = files::reader(files::written(as_parameter));
    const auto of_type =
        ContainsSubstring("'m.mlp_net.0.weight' of type " + std::string(type.name) + ";");
    if (is_floating(type.dtype))
      CHECK_THROWS_WITH(load_state_dict(wrong, loaded), !of_type);
    else
      CHECK_THROWS_WITH(load_state_dict(wrong, loaded), of_type);
  }
  CHECK_THROWS_WITH(
      files::reader(files::raw(R"({"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}})", 1)),
      ContainsSubstring("dtype 'F4' of 'a'"));
}

TEST_CASE("state_dict: tied weights, several parameters from one tensor") {
  ParamTable table;
  plait::MLP<float>(table, "a", 2, {3});
  plait::MLP<float>(table, "b", 2, {3});
  plait::MLP<float>(table, "c", 2, {3});
  ParamBuffer<float> tied(std::make_shared<const ParamTable>(std::move(table)));
  const auto values = parameters<float>("a");
  auto file = files::reader(saved(values));
  const plait::StateDictOptions options{.rename = {{"b.mlp_net.0.weight", "a.mlp_net.0.weight"},
                                                   {"b.mlp_net.0.bias", "a.mlp_net.0.bias"},
                                                   {"c.mlp_net.0.weight", "a.mlp_net.0.weight"},
                                                   {"c.mlp_net.0.bias", "a.mlp_net.0.bias"}}};
  load_state_dict(file, tied, options);
  for (const char* mlp : {"a", "b", "c"})
    for (const char* name : {".mlp_net.0.weight", ".mlp_net.0.bias"})
      CHECK(std::ranges::equal(tied.of(tied.table().at(std::string(mlp) + name).id),
                               values.of(values.table().at("a" + std::string(name)).id)));

  // Of another shape.
  const plait::StateDictOptions wrong{.rename = {{"m.mlp_net.0.weight", "a.mlp_net.0.weight"},
                                                 {"m.mlp_net.0.bias", "a.mlp_net.0.weight"}}};
  auto one = parameters<float>("m");
  CHECK_THROWS_WITH(load_state_dict(file, one, wrong),
                    "plait::memory: tensors: got 'a.mlp_net.0.weight' of shape [3, 2] instead of "
                    "[3]; unexpected 'a.mlp_net.0.bias', expected the parameters of the model");
}

TEST_CASE("state_dict: names without end and lists without end are cut") {
  SafetensorsWriter writer;
  const std::array<float, 1> number{};
  for (int i = 0; i < 3000; ++i)
    writer.add(std::to_string(i) + std::string(1000, 'n'), {1}, std::span<const float>(number));
  auto file = files::reader(files::written(writer));
  auto values = parameters<float>();
  try {
    load_state_dict(file, values);
    FAIL("accepted");
  } catch (const plait::FormatError& error) {
    const std::string what = error.what();
    CHECK(what.size() < 5000);
    CHECK_THAT(what, ContainsSubstring("missing 'm.mlp_net.0.bias'; unexpected '0nnn"));
    CHECK_THAT(what, ContainsSubstring(" more, expected the parameters of the model"));
  }
}

TEST_CASE("state_dict: weights may be any number of their type, or none") {
  plait::Model<float> from(plait::SharedBottom{.input_dim = 2, .num_tasks = 1, .expert = {3}}, {},
                           1);
  auto values = from.values();
  const float any[] = {
      // in the first parameter, of 6 numbers

      std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
      -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::denorm_min(), -0.0f};
  std::ranges::copy(any, values.flat().begin());
  from.load(values);
  plait::Model<float> to(from.trunk_config(), {}, 2);
  auto file = files::reader(saved(values));
  load_state_dict(file, to);
  const auto bits = [](float number) { return std::bit_cast<std::uint32_t>(number); };
  CHECK(std::ranges::equal(to.values().flat(), values.flat(), {}, bits, bits));
}
