// What loading a model file bounds besides its parameters: what one row costs, and the self-test.
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "plait/io/model_file.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using plait::Index;
using plait::Model;

// The file of a model that its description does not pay for, as one who forges it would make it.
std::string file_of(const plait::Trunk<float>& trunk) {
  const files::Directory directory;
  const Model<float> model(trunk, {}, 1);
  plait::SafetensorsWriter writer;
  std::vector<std::vector<std::uint16_t>> rounded;
  plait::detail::add_model(writer, model, {}, rounded);
  plait::seal(writer);
  writer.write(directory / "model");
  return files::contents(directory / "model");
}

// What loading says, and that saying no costs no more than in proportion to the file.
std::string answer(const std::string& bytes) {
  auto reader = files::reader(bytes);
  const std::size_t before = allocations::bytes();
  try {
    plait::load<float>(std::move(reader));
  } catch (const plait::FormatError& error) {
    CHECK(allocations::bytes() - before <= 200 * bytes.size());
    return error.what();
  }
  return "accepted";
}

// A gate that reads the input for one number.
plait::GateConfig narrow() { return {.body = {1}}; }

}  // namespace

TEST_CASE("model file: small files whose rows would take memory without bound are refused") {
  const auto refused = ContainsSubstring("activations of a row: got ");
  CHECK_THAT(
      answer(file_of(plait::MMoE{
          .input_dim = 2048, .num_tasks = 1, .num_experts = 2048, .expert = {}, .gate = narrow()})),
      refused);
  CHECK_THAT(
      answer(file_of(plait::CrossStitch{.input_dim = 20'000,
                                        .num_tasks = 1,
                                        .levels = std::vector<plait::Body>(2000, plait::Body{})})),
      refused);
  CHECK_THAT(answer(file_of(plait::MLMMoE{.input_dim = 1000,
                                          .num_tasks = 2,
                                          .num_experts = 100,
                                          .levels = std::vector<plait::Body>(3, plait::Body{}),
                                          .gates = {narrow()}})),
             ContainsSubstring("terms of a row's sums: got "));
  CHECK_THAT(answer(file_of(plait::CGC{.input_dim = 1000,
                                       .num_tasks = 2,
                                       .task_experts = {1},
                                       .shared_experts = 500,
                                       .gate = narrow()})),
             refused);
  CHECK_THAT(answer(file_of(plait::PLE{.input_dim = 1000,
                                       .num_tasks = 2,
                                       .levels = std::vector<plait::Body>(2, plait::Body{}),
                                       .task_experts = {300},
                                       .gates = {narrow()}})),
             refused);
  CHECK_THAT(answer(file_of(plait::AdaTT{.input_dim = 1000,
                                         .num_tasks = 2,
                                         .levels = {plait::Body{}},
                                         .task_experts = {500},
                                         .gates = {narrow()}})),
             refused);
  CHECK_THAT(answer(file_of(plait::AdaTTSp{.input_dim = 2000,
                                           .num_tasks = 1,
                                           .levels = {plait::Body{}},
                                           .task_experts = 300,
                                           .gates = {narrow()}})),
             refused);
}

TEST_CASE("model file: small files whose rows would take work without bound are refused") {
  const auto refused = ContainsSubstring("terms of a row's sums: got ");
  std::vector<std::vector<Index>> all_before(300);
  for (std::size_t t = 0; t < all_before.size(); ++t)
    for (std::size_t s = 0; s < t; ++s) all_before[t].push_back(static_cast<Index>(s));
  CHECK_THAT(answer(file_of(plait::AsymmetricSharing{.input_dim = 300,
                                                     .num_tasks = 300,
                                                     .sources = all_before,
                                                     .fusion = plait::Fusion::sum})),
             refused);
  CHECK_THAT(answer(file_of(plait::CrossStitch{
                 .input_dim = 400, .num_tasks = 400, .levels = {plait::Body{}}})),
             refused);
  // Eighty times twelve layers, each many times in a row of work.
  CHECK_THAT(answer(file_of(plait::SoftOrdering{
                 .input_dim = 256, .num_tasks = 80, .depth = 12, .task_encoders = false})),
             refused);
}

TEST_CASE("model file: models whose rows would cost more than their file may ask are not saved") {
  const files::Directory directory;
  const Model<float> model(
      plait::MMoE{
          .input_dim = 2048, .num_tasks = 1, .num_experts = 2048, .expert = {}, .gate = narrow()},
      {}, 1);
  CHECK_THROWS_AS(plait::save(model, directory / "model"), plait::ConfigError);
  CHECK_FALSE(std::filesystem::exists(directory / "model"));
}

TEST_CASE("model file: models that use identity experts and many tasks for a reason are read") {
  CHECK(answer(file_of(plait::MMoE{
            .input_dim = 1024, .num_tasks = 3, .num_experts = 16, .expert = {}})) == "accepted");
  CHECK(answer(file_of(plait::SharedBottom{.input_dim = 8, .num_tasks = 500, .expert = {512}})) ==
        "accepted");
  CHECK(answer(file_of(plait::AsymmetricSharing{
            .input_dim = 64, .num_tasks = 3, .sources = {{}, {0}, {0, 1}}})) == "accepted");
  CHECK(answer(file_of(plait::CrossStitch{
            .input_dim = 1000, .num_tasks = 3, .levels = {plait::Body{}, {64}}})) == "accepted");
  CHECK(answer(file_of(plait::AdaTT{
            .input_dim = 16, .num_tasks = 40, .levels = {{64}, {32}}, .task_experts = {2}})) ==
        "accepted");
  CHECK(answer(file_of(plait::SNR{
            .input_dim = 16, .num_tasks = 4, .num_experts = 8, .levels = {64, 32}})) == "accepted");
  CHECK(answer(file_of(plait::LearningToBranch{
            .input_dim = 16, .num_tasks = 12, .num_experts = 6, .levels = {64, 64, 32}})) ==
        "accepted");
  std::vector<plait::Index> together(40, 0), apart(40);
  std::iota(apart.begin(), apart.end(), plait::Index{0});
  CHECK(answer(file_of(plait::BranchedNetwork{.input_dim = 16,
                                              .num_tasks = 40,
                                              .levels = {{64}, {32}},
                                              .groups = {together, apart}})) == "accepted");
  CHECK(answer(file_of(plait::AdaShare{
            .input_dim = 16, .num_tasks = 40, .stem = {64}, .blocks = {64, 64, 64}})) ==
        "accepted");
  CHECK(answer(file_of(plait::SoftOrdering{
            .input_dim = 16, .num_tasks = 40, .encoder = {64}, .depth = 4})) == "accepted");
  CHECK(answer(file_of(plait::SoftOrdering{.input_dim = 64,
                                           .num_tasks = 20,
                                           .encoder = {256},
                                           .depth = 4,
                                           .task_encoders = false})) == "accepted");
  CHECK(answer(file_of(plait::Sluice{
            .input_dim = 16, .num_tasks = 12, .levels = {{64}, {64}}, .subspaces = 4})) ==
        "accepted");
}

TEST_CASE("model file: a self-test takes work in proportion to the file") {
  // A file of 4 MB whose 100,000 rows over 500,000 numbers each would take minutes.
  constexpr Index rows = 100'000;
  const Model<float> model(plait::SharedBottom{.input_dim = 1, .num_tasks = 1, .expert = {200'000}},
                           {}, 1);
  const files::Directory directory;
  plait::save(model, directory / "model", {}, plait::Tensor<float>(2, 1, 1));
  const auto times = [](const std::string& data, Index count) {
    std::string all;
    for (Index i = 0; i < count; ++i) all += data;
    return all;
  };
  const auto with_rows = [&](Index wrong) {
    return files::resealed(files::contents(directory / "model"), [&](files::Parts& parts) {
      for (std::size_t i = 0; i < parts.data.size(); ++i) {
        plait::TensorInfo& tensor = parts.header.tensors[i];
        if (!tensor.name.starts_with("plait.self_test")) continue;
        tensor.shape.front() = rows;
        parts.data[i] = times(parts.data[i].substr(0, sizeof(float)), rows);
        if (tensor.name.ends_with("logits"))
          reinterpret_cast<float*>(parts.data[i].data())[wrong] += 1;
      }
    });
  };
  const auto start = std::chrono::steady_clock::now();
  CHECK_THAT(answer(with_rows(3)), ContainsSubstring("(row 3, column 0)"));
  CHECK(answer(with_rows(rows - 1)) == "accepted");  // beyond those that are replayed
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(60));

  using plait::detail::self_test_rows;
  CHECK(self_test_rows(1000, 10'000, 10'000) == 1000);
  CHECK(self_test_rows(5, Index{1} << 40, 10) == 1);
  CHECK(self_test_rows(0, 100, 100) == 0);
  for (const Index numbers : {Index{1000}, Index{1} << 20, Index{1} << 30})
    CHECK(self_test_rows(Index{1} << 40, numbers, numbers) * numbers <=
          (Index{1} << 27) + 64 * numbers);
}
