// Parameters: the table, the buffers over it, and how they start.
#include "plait/core/param_buffer.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using plait::ConfigError;
using plait::Index;
using plait::Init;
using plait::ParamBudget;
using plait::ParamBuffer;
using plait::ParamTable;

namespace {

struct Fixture {
  ParamTable table;
  plait::ParamId weight = table.add_matrix("layer.weight", 3, 5, Init::uniform(0.5));
  plait::ParamId bias = table.add_vector("layer.bias", 3, Init::constant(0.25));
  plait::ParamId stitch = table.add_matrix("stitch", 2, 2, Init::diagonal(0.9, 0.1));

  std::shared_ptr<const ParamTable> shared() const {
    return std::make_shared<const ParamTable>(table);
  }
};

}  // namespace

TEST_CASE("a table lists its parameters in order, by name and by shape", "[params]") {
  const Fixture f;
  REQUIRE(f.table.entries().size() == 3);
  CHECK(f.table.entries()[0].name == "layer.weight");
  CHECK(f.table.entries()[0].shape == std::vector<plait::Index>{3, 5});
  CHECK(f.table.entries()[1].shape == std::vector<plait::Index>{3});
  CHECK(f.table.at("stitch").id.index == 2);
  CHECK(f.table.contains("layer.bias"));
  CHECK_FALSE(f.table.contains("layer"));
  CHECK(f.table.num_parameters() == 15 + 3 + 4);
}

TEST_CASE("a name is taken once, a size is at least 1, and a refusal changes nothing", "[params]") {
  Fixture f;
  const auto size = f.table.buffer_size();
  CHECK_THROWS_AS(f.table.add_vector("stitch", 1, Init::constant(0)), plait::ConfigError);
  CHECK_THROWS_WITH(f.table.add_vector("stitch", 1, Init::constant(0)),
                    "plait::ParamTable: name: got a second 'stitch', expected unique names");
  CHECK_THROWS_WITH(f.table.add_matrix("empty", 0, 4, Init::constant(0)),
                    "plait::ParamTable: empty: got 0 x 4, expected sizes of at least 1");
  CHECK_THROWS_WITH(
      f.table.at("layer"),
      "plait::ParamTable: name: got layer, expected the name of a parameter of this table");
  CHECK(f.table.buffer_size() == size);
  CHECK(f.table.entries().size() == 3);
  CHECK_FALSE(f.table.contains("empty"));
}

TEST_CASE("sizes that could not be counted are refused, and change nothing", "[params]") {
  Fixture f;
  const auto size = f.table.buffer_size();
  constexpr Index most = (std::numeric_limits<Index>::max)();
  for (const auto& [rows, cols] :
       {std::pair{most, Index{1}}, std::pair{Index{1}, most}, std::pair{most, most},
        std::pair{Index{1} << 32, Index{1} << 32}})
    CHECK_THROWS_AS(f.table.add_matrix("wide", rows, cols, Init::constant(0)), ConfigError);
  CHECK(f.table.buffer_size() == size);
  CHECK_FALSE(f.table.contains("wide"));
}

TEST_CASE("a budget is spent by counts of at least 0, of widths of at least 1", "[params]") {
  ParamTable table(ParamBudget{.routes = 10, .activations = 10, .terms = 10});
  for (const Index count : {Index{-1}, (std::numeric_limits<Index>::min)()})
    CHECK_THROWS_AS(table.spend_activations(count, 2, "here"), ConfigError);
  for (const Index width : {Index{0}, Index{-3}})
    CHECK_THROWS_AS(table.spend_terms(1, width, "here"), ConfigError);
  CHECK_THROWS_AS(table.spend_routes(-5, "here"), ConfigError);
  CHECK(table.budget().activations == 10);
  table.spend_activations(5, 2, "here");
  CHECK(table.budget().activations == 0);
  CHECK_THROWS_AS(table.spend_activations(1, (std::numeric_limits<Index>::max)(), "here"),
                  ConfigError);
}

TEST_CASE("every tensor starts on a cache line in float and double buffers", "[params]") {
  const Fixture f;
  const ParamBuffer<float> floats(f.shared());
  const ParamBuffer<double> doubles(f.shared());
  for (const auto& entry : f.table.entries()) {
    CAPTURE(entry.name);
    const auto misaligned = [](const void* p) {
      return reinterpret_cast<std::uintptr_t>(p) % plait::buffer_alignment;
    };
    CHECK(misaligned(floats.of(entry.id).data()) == 0);
    CHECK(misaligned(doubles.of(entry.id).data()) == 0);
  }
  CHECK(f.bias.offset == 16);  // 15 numbers and one of padding
}

TEST_CASE("buffers start at zero and their copies are independent", "[params]") {
  const Fixture f;
  ParamBuffer<float> original(f.shared());
  for (const float number : original.flat()) CHECK(number == 0.0f);

  ParamBuffer<float> copy = original;
  copy.of(f.bias)[1] = 3.0f;
  CHECK(original.of("layer.bias")[1] == 0.0f);
  CHECK(&copy.table() == &original.table());

  original = copy;
  copy.set_zero();
  CHECK(original.of("layer.bias")[1] == 3.0f);
  CHECK(copy.of("layer.bias")[1] == 0.0f);
}

TEST_CASE("a view shows a tensor as a row-major matrix or a row vector", "[params]") {
  const Fixture f;
  ParamBuffer<double> buffer(f.shared());
  buffer.grad().claim(f.weight).matrix()(1, 2) = 12.0;
  buffer.grad().add_to(f.bias).data[2] = 2.0;
  CHECK(buffer.of(f.weight)[7] == 12.0);
  CHECK(buffer.of(f.bias)[2] == 2.0);
  const plait::ParamView<double> read = buffer;
  CHECK(read.matrix(f.weight).rows() == 3);
  CHECK(read.matrix(f.weight)(1, 2) == 12.0);
  CHECK(read.vector(f.bias).sum() == 2.0);
}

TEST_CASE("a gradient that holds anything is overwritten by whoever claims it first", "[params]") {
  const Fixture f;
  ParamBuffer<double> buffer(f.shared());
  std::ranges::fill(buffer.flat(), 7.0);
  std::vector<std::uint8_t> unclaimed(3, 1);
  const auto grad = plait::GradView<double>::from_anything(buffer.flat().data(), unclaimed.data());
  const auto bias = grad.add_to(f.bias);
  CHECK(!bias.overwrite);
  CHECK(bias.data == buffer.of(f.bias).data());
  CHECK((buffer.of(f.bias)[0] == 0 && buffer.of(f.bias)[2] == 0));
  bias.data[1] = 2.0;
  CHECK(grad.add_to(f.bias).data[1] == 2.0);
  CHECK(!grad.claim(f.bias).overwrite);

  const auto weight = grad.claim(f.weight);
  CHECK(weight.overwrite);
  CHECK((weight.rows == 3 && weight.cols == 5));
  CHECK(weight.matrix()(0, 0) == 7.0);  // whoever claimed it overwrites it
  CHECK(!grad.claim(f.weight).overwrite);

  CHECK(buffer.of(f.stitch)[0] == 7.0);
  grad.zero_unclaimed(buffer.table());
  for (const double number : buffer.of(f.stitch)) CHECK(number == 0.0);
  CHECK(buffer.of(f.weight)[0] == 7.0);
  CHECK(buffer.of(f.bias)[1] == 2.0);
  CHECK(unclaimed == std::vector<std::uint8_t>(3, 0));
}

TEST_CASE("a buffer's own gradient is added to", "[params]") {
  const Fixture f;
  ParamBuffer<double> buffer(f.shared());
  std::ranges::fill(buffer.flat(), 7.0);
  const plait::GradView<double> grad = buffer;
  CHECK(!grad.claim(f.stitch).overwrite);
  CHECK(grad.add_to(f.stitch).data[0] == 7.0);
  grad.zero_unclaimed(buffer.table());
  CHECK(std::ranges::all_of(buffer.flat(), [](double number) { return number == 7.0; }));
}

TEST_CASE("initialise fills each tensor as its entry says and leaves padding zero", "[params]") {
  const Fixture f;
  ParamBuffer<double> values(f.shared());
  plait::Random random(3);
  plait::initialise(values, random);

  for (const double w : values.of(f.weight)) CHECK(std::abs(w) <= 0.5);
  const auto weights = values.of(f.weight);
  CHECK(std::set<double>(weights.begin(), weights.end()).size() == 15);
  for (const double b : values.of(f.bias)) CHECK(b == 0.25);
  const auto stitch = values.of(f.stitch);
  CHECK(std::vector<double>(stitch.begin(), stitch.end()) == std::vector{0.9, 0.1, 0.1, 0.9});

  double inside = 0;
  for (const auto& entry : f.table.entries())
    for (const double p : values.of(entry.id)) inside += std::abs(p);
  double all = 0;
  for (const double p : values.flat()) all += std::abs(p);
  CHECK(all == inside);
}

TEST_CASE("float and double buffers start alike, and no two tensors do", "[params]") {
  ParamTable table;
  const auto first = table.add_vector("expert.0", 4, Init::uniform(1));
  const auto second = table.add_vector("expert.1", 4, Init::uniform(1));
  const auto shared = std::make_shared<const ParamTable>(table);
  ParamBuffer<float> floats(shared);
  ParamBuffer<double> doubles(shared);
  plait::Random random_floats(3);
  plait::Random random_doubles(3);
  plait::initialise(floats, random_floats);
  plait::initialise(doubles, random_doubles);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(floats.of(first)[i] == static_cast<float>(doubles.of(first)[i]));
    CHECK(doubles.of(first)[i] != doubles.of(second)[i]);
  }
}

TEST_CASE("a default buffer has an empty table", "[params]") {
  const ParamBuffer<float> buffer;
  CHECK(buffer.flat().empty());
  CHECK(buffer.table().num_parameters() == 0);
}
