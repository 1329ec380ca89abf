#include "plait/io/safetensors.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using files::raw;
using plait::FormatError;
using plait::SafetensorsReader;
using plait::SafetensorsWriter;

std::string entry(const std::string& name, const std::string& fields) {
  return "\"" + name + "\":{" + fields + "}";
}
const std::string two_floats = R"("dtype":"F32","shape":[2],"data_offsets":[0,8])";

struct Refused {
  const char* rule;
  std::string file;
  const char* message;  // after "plait::memory: "
};

std::vector<Refused> refused_files() {
  const std::string offsets = "data_offsets of 'a': got ";
  const auto with = [](const std::string& fields, std::size_t bytes) {
    return raw("{" + entry("a", fields) + "}", bytes);
  };
  std::string long_header(8, '\0');
  long_header[4] = 1;  // 2^32
  return {
      {"shorter than the length", "1234567", "file: got 7 bytes, expected at least 8"},
      {"a header longer than the file", raw("{}", 0).substr(0, 9),
       "header length: got 2, expected at most 1"},
      {"a header above 100 MB", long_header + "{}",
       "header length: got 4294967296, expected at most 2"},
      {"no JSON object", raw("[]", 0), "header: got no opening brace, expected a JSON object"},
      {"space before the object", raw(" {}", 0), "header: got no opening brace"},
      {"an empty header", raw("", 0), "header: got no opening brace"},
      {"JSON that ends early", raw("{", 0), "header: got no JSON from byte"},
      {"text after the object", raw("{}x", 0), "header: got no JSON from byte"},
      {"no UTF-8", raw("{\"\xff\":{}}", 0), "header: got no JSON from byte"},
      {"a tensor that is a number", raw("{\"a\":1}", 0), "header: got a number"},
      {"a tensor that is a list", raw("{\"a\":[]}", 0), "header: got an array"},
      {"a tensor that is a string", raw("{\"a\":\"b\"}", 0), "header: got a string"},
      {"a tensor that is null", raw("{\"a\":null}", 0), "header: got null"},
      {"a tensor twice", raw("{" + entry("a", two_floats) + "," + entry("a", two_floats) + "}", 8),
       "header: got a second key 'a'"},
      {"a field twice", with(R"("dtype":"F32",)" + two_floats, 8),
       "header: got a second key 'dtype'"},
      {"a metadata key twice", raw(R"({"__metadata__":{"a":"b","a":"c"}})", 0),
       "header: got a second key 'a'"},
      {"metadata twice", raw(R"({"__metadata__":{},"__metadata__":{}})", 0),
       "header: got a second key '__metadata__'"},
      {"metadata that is no string", raw(R"({"__metadata__":{"a":1}})", 0), "header: got a number"},
      {"metadata with an object", raw(R"({"__metadata__":{"a":{}}})", 0), "header: got an object"},
      {"an unknown field", with(two_floats + R"(,"extra":1)", 8), "header: got the key 'extra'"},
      {"no dtype", with(R"("shape":[2],"data_offsets":[0,8])", 8),
       "header: got tensor 'a' without all fields"},
      {"no shape", with(R"("dtype":"F32","data_offsets":[0,8])", 8),
       "header: got tensor 'a' without all fields"},
      {"no offsets", with(R"("dtype":"F32","shape":[2])", 8),
       "header: got tensor 'a' without all fields"},
      {"an unknown dtype", with(R"("dtype":"F8","shape":[8],"data_offsets":[0,8])", 8),
       "header: got dtype 'F8'"},
      {"a dtype that is a number", with(R"("dtype":1,"shape":[2],"data_offsets":[0,8])", 8),
       "header: got a number"},
      {"a negative size", with(R"("dtype":"F32","shape":[-2],"data_offsets":[0,8])", 8),
       "header: got a negative number"},
      {"a fraction as size", with(R"("dtype":"F32","shape":[2.0],"data_offsets":[0,8])", 8),
       "header: got a fraction"},
      {"a size beyond 64 bits",
       with(R"("dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,8])", 8),
       "header: got a fraction"},
      {"a size beyond all doubles",
       with(R"("dtype":"F32","shape":[1e999],"data_offsets":[0,8])", 8),
       "header: got a number beyond all doubles"},
      {"a negative offset beyond all doubles",
       with(R"("dtype":"F32","shape":[2],"data_offsets":[-1e400,8])", 8),
       "header: got a number beyond all doubles"},
      {"metadata beyond all doubles", raw(R"({"__metadata__":{"a":99e999}})", 0),
       "header: got a number beyond all doubles"},
      {"a shape in a shape", with(R"("dtype":"F32","shape":[[2]],"data_offsets":[0,8])", 8),
       "header: got an array"},
      {"true as a size", with(R"("dtype":"F32","shape":[true],"data_offsets":[0,8])", 8),
       "header: got a boolean"},
      {"one offset", with(R"("dtype":"F32","shape":[2],"data_offsets":[8])", 8),
       "header: got 1 data offsets"},
      {"three offsets", with(R"("dtype":"F32","shape":[2],"data_offsets":[0,8,8])", 8),
       "header: got 3 data offsets"},
      {"offsets as strings", with(R"("dtype":"F32","shape":[2],"data_offsets":["0","8"])", 8),
       "header: got a string"},
      {"offsets backwards", with(R"("dtype":"F32","shape":[2],"data_offsets":[8,0])", 8),
       "data_offsets of 'a': got [8, 0]"},
      {"fewer bytes than the shape", with(R"("dtype":"F32","shape":[3],"data_offsets":[0,8])", 8),
       "data_offsets of 'a': got 8 bytes, expected the bytes of its shape"},
      {"a shape that overflows",
       with(R"("dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,0])", 0),
       "data_offsets of 'a': got 0 bytes, expected the bytes of its shape"},
      {"a hole", with(R"("dtype":"F32","shape":[1],"data_offsets":[4,8])", 8),
       "data_offsets of 'a': got [4, 8], expected a range from 0 on, without holes and overlaps"},
      {"an overlap",
       raw("{" + entry("a", two_floats) + "," +
               entry("b", R"("dtype":"F32","shape":[2],"data_offsets":[4,12])") + "}",
           12),
       "data_offsets of 'b': got [4, 12], expected a range from 8 on"},
      {"the same bytes twice",
       raw("{" + entry("a", two_floats) + "," + entry("b", two_floats) + "}", 8),
       "data_offsets of 'b': got [0, 8], expected a range from 8 on"},
      {"trailing bytes", with(two_floats, 9),
       "data: got 9 bytes, expected 8 as the header describes"},
      {"missing bytes", with(two_floats, 7),
       "data: got 7 bytes, expected 8 as the header describes"},
      {"too many sizes",
       with(R"("dtype":"U8","shape":[1)" +
                [] {
                  std::string ones;
                  for (int i = 0; i < 64; ++i) ones += ",1";
                  return ones;
                }() +
                R"(],"data_offsets":[0,1])",
            1),
       "header: got a list of more than 64 numbers"},
      {"too much metadata",
       raw(
           "{\"__metadata__\":{\"0\":\"\"" +
               [] {
                 std::string pairs;
                 for (int i = 1; i <= 4096; ++i) pairs += ",\"" + std::to_string(i) + "\":\"\"";
                 return pairs;
               }() +
               "}}",
           0),
       "header: got more than 4096 pairs of metadata"},
  };
}

}  // namespace

TEST_CASE("safetensors: every rule of the format is enforced") {
  for (const Refused& refused : refused_files()) {
    INFO(refused.rule);
    try {
      files::reader(refused.file);
      FAIL_CHECK("accepted");
    } catch (const FormatError& error) {
      CHECK_THAT(error.what(), ContainsSubstring("plait::memory: " + std::string(refused.message)));
    }
  }
}

TEST_CASE("safetensors: what the format allows is read") {
  SECTION("no tensors at all") { CHECK(files::reader(raw("{}", 0)).header().tensors.empty()); }
  SECTION("spaces after the object") { CHECK_NOTHROW(files::reader(raw("{}      ", 0))); }
  SECTION("tensors in any order, scalars and empty tensors") {
    const auto file = files::reader(
        raw("{" + entry("b", R"("data_offsets":[8,12],"shape":[],"dtype":"F32")") + "," +
                entry("a", two_floats) + "," +
                entry("none", R"("dtype":"I64","shape":[0,3],"data_offsets":[8,8])") + "}",
            12));
    REQUIRE(file.header().tensors.size() == 3);
    CHECK(file.header().tensors[0].name == "a");
    CHECK(file.header().tensors[1].name == "none");
    CHECK(file.header().tensors[1].count() == 0);
    CHECK(file.header().tensors[2].count() == 1);
    CHECK(file.header().find("b")->shape.empty());
    CHECK(file.header().find("c") == nullptr);
  }
  SECTION("an empty tensor with sizes that would overflow") {
    CHECK_NOTHROW(files::reader(raw(
        "{" +
            entry("a", R"("dtype":"F64","shape":[4294967296,4294967296,0],"data_offsets":[0,0])") +
            "}",
        0)));
  }
}

TEST_CASE("safetensors: values of every type arrive, converted as stated") {
  const std::array<double, 3> f64{1.0 / 3, -INFINITY, 1e300};
  const std::array<float, 2> f32{1.0f / 3, 7};
  const std::array<std::uint16_t, 2> f16{0x3c00, 0xc000};   // 1, -2
  const std::array<std::uint16_t, 2> bf16{0x3f80, 0xc000};  // 1, -2
  const std::array<std::int64_t, 2> i64{-5, INT64_C(1) << 40};
  const std::array<std::int32_t, 2> i32{-5, 9};
  const std::array<std::uint8_t, 2> u8{0, 255};
  SafetensorsWriter writer;
  writer.add("f64", {3}, std::span<const double>(f64));
  writer.add("f32", {2}, std::span<const float>(f32));
  writer.add_bytes("f16", plait::DType::f16, {2}, std::as_bytes(std::span(f16)));
  writer.add_bytes("bf16", plait::DType::bf16, {2}, std::as_bytes(std::span(bf16)));
  writer.add("i64", {2}, std::span<const std::int64_t>(i64));
  writer.add("i32", {2}, std::span<const std::int32_t>(i32));
  writer.add("u8", {2}, std::span<const std::uint8_t>(u8));
  writer.add_bytes("bool", plait::DType::boolean, {2}, std::as_bytes(std::span(u8)));
  auto file = files::reader(files::written(writer));
  const auto read = [&]<class T>(const char* name, T) {
    return file.read<T>(*file.header().find(name));
  };
  CHECK(read("f64", 0.0) == std::vector<double>(f64.begin(), f64.end()));
  CHECK(read("f64", 0.0f) == std::vector<float>{1.0f / 3, -INFINITY, INFINITY});
  CHECK(read("f32", 0.0) == std::vector<double>{double{1.0f / 3}, 7});
  CHECK(read("f16", 0.0f) == std::vector<float>{1, -2});
  CHECK(read("bf16", 0.0) == std::vector<double>{1, -2});
  CHECK(read("i64", std::int64_t{}) == std::vector<std::int64_t>(i64.begin(), i64.end()));
  CHECK_THROWS_WITH(read("f32", std::int64_t{}), "plait::memory: 'f32': got F32, expected I64");
  CHECK(read("i32", 0.0f) == std::vector<float>{-5, 9});
  CHECK(read("u8", std::uint8_t{}) == std::vector<std::uint8_t>{0, 255});
  CHECK(read("bool", 0.0) == std::vector<double>{0, 1});
}

TEST_CASE("safetensors: tensors longer than a piece convert whole") {
  std::vector<double> numbers(100'000);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i);
  SafetensorsWriter writer;
  writer.add("n", {100, 1000}, std::span<const double>(numbers));
  auto file = files::reader(files::written(writer));
  CHECK(file.read<double>(file.header().tensors[0]) == numbers);
  CHECK(file.read<float>(file.header().tensors[0]) ==
        std::vector<float>(numbers.begin(), numbers.end()));
}

TEST_CASE("safetensors: files that PyTorch's library lays out round-trip byte for byte") {
  int count = 0;
  for (const auto& path : std::filesystem::directory_iterator(PLAIT_GOLDEN_FILES)) {
    if (path.path().extension() != ".safetensors") continue;
    INFO(path.path());
    const std::string bytes = files::contents(path.path().string());
    SafetensorsReader file(path.path().string());
    SafetensorsWriter writer;
    for (const auto& [key, value] : file.header().metadata) writer.add_metadata(key, value);
    std::vector<std::vector<double>> numbers;
    for (const auto& tensor : file.header().tensors) numbers.push_back(file.read<double>(tensor));
    for (std::size_t i = 0; i < numbers.size(); ++i)
      writer.add(file.header().tensors[i].name, file.header().tensors[i].shape,
                 std::span<const double>(numbers[i]));
    CHECK((files::written(writer) == bytes));
    ++count;
  }
  CHECK(count > 0);
}

TEST_CASE("safetensors: the data start on a multiple of 8 bytes") {
  for (std::size_t length = 1; length <= 16; ++length) {
    SafetensorsWriter writer;
    const std::array<double, 1> one{1};
    writer.add(std::string(length, 'n'), {1}, std::span<const double>(one));
    CHECK((files::written(writer).size() - sizeof(one)) % 8 == 0);
  }
}

TEST_CASE("safetensors: the writer refuses what no file can hold") {
  const std::array<float, 2> numbers{1, 2};
  const std::span<const float> span(numbers);
  SafetensorsWriter writer;
  writer.add("a", {2}, span);
  CHECK_THROWS_WITH(writer.add("a", {2}, span),
                    "plait::SafetensorsWriter: name: got 'a' again, expected a name of its own");
  CHECK_THROWS_AS(writer.add("__metadata__", {2}, span), plait::ConfigError);
  CHECK_THROWS_WITH(writer.add("b", {3}, span),
                    "plait::SafetensorsWriter: b: got 8 bytes, expected the bytes of its shape");
  writer.add_metadata("k", "v");
  CHECK_THROWS_AS(writer.add_metadata("k", "v"), plait::ConfigError);
  writer.add_metadata("bad", "\xff");
  CHECK_THROWS_AS(files::written(writer), plait::ConfigError);
}

TEST_CASE("safetensors: a file that cannot be opened") {
  CHECK_THROWS_WITH(
      SafetensorsReader("/no/such/file"),
      "plait::/no/such/file: file: got none that can be opened, expected a readable file");
  CHECK_THROWS_AS(SafetensorsReader("/"), plait::Error);
}

TEST_CASE("safetensors: a header above 100 MB is refused before it is read") {
  const files::Directory directory;
  const std::string path = directory / "wide";
  std::string length(8, '\0');
  for (std::size_t i = 0; i < 8; ++i)
    length[i] = static_cast<char>((std::uint64_t{100'000'001} >> (8 * i)) & 0xff);
  files::write(path, length);
  std::filesystem::resize_file(path, 200'000'000);  // as a hole
  allocations::forget_largest();
  CHECK_THROWS_WITH(SafetensorsReader(path),
                    ContainsSubstring("header length: got 100000001, expected at most 100000000"));
  CHECK(allocations::largest() < 1'000'000);
}

TEST_CASE("safetensors: tensors without a byte may have any names, in any order") {
  plait::SafetensorsWriter writer;
  const std::vector<float> one{1};
  const auto add = [&](const char* name, std::size_t size) {
    writer.add(name, {size}, std::span(one).first(size));
  };
  for (const char* name : {"b", "c", "a"}) add(name, 0);
  add("d", 1);
  for (const char* name : {"f", "e"}) add(name, 0);
  plait::seal(writer);
  plait::SealedReader file(files::reader(files::written(writer)));
  CHECK_NOTHROW(file.skim());
  REQUIRE(file.header().tensors.size() == 6);
  CHECK(file.header().tensors[0].name == "a");
  CHECK(file.header().tensors[4].name == "e");
}
