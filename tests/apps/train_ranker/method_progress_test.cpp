#include "method_progress.hpp"

#include <memory>
#include <vector>

#include "support/catch.hpp"

TEST_CASE("method progress: a state comes back to the last bit, buffers included") {
  auto table = std::make_shared<plait::ParamTable>();
  table->add_vector("a", 3, plait::Init::constant(0));
  std::vector<plait::ParamBuffer<float>> buffers(2, plait::ParamBuffer<float>(table));
  buffers[1].flat()[2] = 0.1f;
  plait::MethodState state{12345, plait::Random(7), {0.1, -0.0}};
  state.random.bits();

  plait::Progress<float> progress;
  progress.numbers["early_stopping"] = {1};
  ranker::store_method(state, buffers, progress);
  CHECK(progress.numbers.at("early_stopping") == std::vector<double>{1});
  const auto stored = ranker::stored_method(progress);
  CHECK(stored.state.steps == 12345);
  CHECK(stored.state.random.state() == state.random.state());
  CHECK(stored.state.numbers == state.numbers);
  REQUIRE(stored.buffers.size() == 2);
  CHECK(stored.buffers[1].flat()[2] == 0.1f);

  const plait::MethodState all_ones{
      0, plait::Random(plait::Random::State{~0ull, 1, 1ull << 32, 0}), {}};
  ranker::store_method(all_ones, {}, progress);
  CHECK(ranker::stored_method(progress).state.random.state() == all_ones.random.state());
}
