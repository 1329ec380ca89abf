#include "plait/io/sharded_state_dict.hpp"

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "plait/architectures/shared_bottom.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

namespace {

using plait::FormatError;
using plait::Model;

Model<float> model(std::uint64_t seed) {
  return {
      plait::SharedBottom{.input_dim = 2, .num_tasks = 2, .expert = {3}}, {.hidden = {{2}}}, seed};
}

// Writes the parameters to `count` files in turn, and returns the index that names them.
std::string write_shards(const files::Directory& directory, const Model<float>& from,
                         std::size_t count) {
  std::string map;
  for (std::size_t shard = 0; shard < count; ++shard) {
    plait::SafetensorsWriter writer;
    const std::string file = "model-" + std::to_string(shard) + ".safetensors";
    const auto& entries = from.table().entries();
    for (std::size_t i = shard; i < entries.size(); i += count) {
      writer.add(entries[i].name, {entries[i].shape.begin(), entries[i].shape.end()},
                 std::span<const float>(from.values().of(entries[i].id)));
      map += (map.empty() ? "\"" : ", \"") + entries[i].name + "\": \"" + file + "\"";
    }
    writer.write(directory / file);
  }
  return R"({"metadata": {"total_size": 100, "more": {"a": [1, null]}}, "weight_map": {)" + map +
         "}}";
}

}  // namespace

TEST_CASE("sharded state_dict: the files of an index load as one") {
  const auto from = model(1);
  for (const std::size_t count : {1u, 2u, 5u}) {
    const files::Directory directory;
    files::write(directory / "index.json", write_shards(directory, from, count));
    auto to = model(2);
    plait::load_sharded_state_dict(directory / "index.json", to);
    CHECK(std::ranges::equal(to.values().flat(), from.values().flat()));
  }
}

TEST_CASE("sharded state_dict: an index that its files do not bear out changes nothing") {
  const files::Directory directory;
  const auto from = model(1);
  const std::string index = write_shards(directory, from, 2);
  const std::string path = directory / "index.json";
  const std::string first = from.table().entries()[0].name;
  const auto refusal = [&](const std::string& json) {
    files::write(path, json);
    auto to = model(2);
    const auto before = model(2);
    std::string what = "accepted";
    try {
      plait::load_sharded_state_dict(path, to);
    } catch (const plait::Error& error) {
      what = error.what();
    }
    CHECK((what == "accepted") != std::ranges::equal(to.values().flat(), before.values().flat()));
    return what;
  };
  const auto replaced = [&](const std::string& what, const std::string& by) {
    std::string json = index;
    return json.replace(json.find(what), what.size(), by);
  };
  using Catch::Matchers::ContainsSubstring;
  REQUIRE(refusal(index) == "accepted");
  CHECK_THAT(refusal(replaced("model-0", "model-1")),
             ContainsSubstring("those that the index has in this"));
  CHECK_THAT(refusal(replaced("model-0", "model-7")), ContainsSubstring("none that can be opened"));
  for (const char* elsewhere : {"../model-0", "/etc/model-0", "sub/model-0", "./model-0"})
    CHECK_THAT(refusal(replaced("model-0", elsewhere)),
               ContainsSubstring("expected the name of a file beside the index"));
  CHECK_THAT(refusal(replaced("\"model-0.safetensors\"", "\"..\"")),
             ContainsSubstring("beside the index"));
  CHECK_THAT(refusal(replaced("\"model-0.safetensors\"", "\"\"")),
             ContainsSubstring("beside the index"));
  CHECK_THAT(refusal(replaced("\"model-0.safetensors\"", "1")),
             ContainsSubstring("index: got number"));
  CHECK_THAT(refusal(replaced("\"model-0.safetensors\"", "[]")),
             ContainsSubstring("index: got a list"));
  CHECK_THAT(refusal(replaced("\"" + first + "\"",
                              "\"extra\": \"model-0.safetensors\", \"" + first + "\"")),
             ContainsSubstring("tensor: got no 'extra', expected it, as the index says"));
  CHECK_THAT(refusal(replaced("\"" + first + "\"",
                              "\"" + first + "\": \"model-0.safetensors\", \"" + first + "\"")),
             ContainsSubstring("index: got a second '" + first + "'"));
  CHECK_THAT(refusal(replaced("weight_map", "weights")), ContainsSubstring("the key 'weights'"));
  CHECK_THAT(refusal("{}"), ContainsSubstring("no weight_map"));
  CHECK_THAT(refusal("[]"), ContainsSubstring("a list or an object"));
  CHECK_THAT(refusal("1"), ContainsSubstring("index: got number"));
  CHECK_THAT(refusal("{"), ContainsSubstring("no JSON from byte"));
  CHECK_THAT(refusal("1e999"), ContainsSubstring("index: got a number beyond all doubles"));
  CHECK_THAT(refusal("{\"metadata\":{\"total_size\":-1e999}}"),
             ContainsSubstring("index: got a number beyond all doubles"));
  CHECK_THAT(refusal("{\"metadata\":" + std::string(100'000, '[')),
             ContainsSubstring("a list or an object"));
  std::string many = "{\"weight_map\":{\"a\":\"f\"";
  for (int i = 0; i < 200'000; ++i) many += ",\"" + std::to_string(i) + "\":\"f\"";
  CHECK_THAT(refusal(many + "}}"), ContainsSubstring("f: file: got none that can be opened"));

  auto smaller = Model<float>(plait::SharedBottom{.input_dim = 2, .num_tasks = 1, .expert = {3}},
                              {.hidden = {{2}}}, 3);
  files::write(path, index);
  CHECK_THROWS_WITH(plait::load_sharded_state_dict(path, smaller),
                    ContainsSubstring("unexpected 'task_modules.1."));
  CHECK_NOTHROW(plait::load_sharded_state_dict(path, smaller, {.allow_unexpected = true}));
  auto any = model(2);
  CHECK_THROWS_AS(plait::load_sharded_state_dict("/no/such/index.json", any), plait::FileError);
  CHECK_THROWS_AS(plait::load_sharded_state_dict(directory.path(), any), plait::FileError);
}
