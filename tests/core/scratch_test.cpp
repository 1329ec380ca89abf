// Scratch: frames, growth without moving, and runs after the first that allocate nothing.
#include "plait/core/scratch.hpp"

#include <cstdint>
#include <vector>

#include "plait/core/random.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

using plait::Index;
using plait::Scratch;

TEST_CASE("a frame gives back what was taken in it", "[scratch]") {
  Scratch scratch;
  const Scratch::Frame outer(scratch);
  const float* first = scratch.take<float>(1, 1, 16).data();
  const float* inner_first = nullptr;
  {
    const Scratch::Frame inner(scratch);
    inner_first = scratch.take<float>(1, 1, 16).data();
    scratch.take<float>(1, 1, 16);
    CHECK(inner_first != first);
  }
  CHECK(scratch.take<float>(1, 1, 16).data() == inner_first);
}

TEST_CASE("scratch is aligned, contiguous and without overlap", "[scratch]") {
  Scratch scratch;
  const Scratch::Frame frame(scratch);
  const auto a = scratch.take<double>(2, 3, 5);
  const auto b = scratch.take<float>(1, 1, 1);
  const auto c = scratch.take<float>(0, 1, 1);
  const auto d = scratch.take<float>(1, 1, 1);
  CHECK(a.batch_stride() == 15);
  CHECK(reinterpret_cast<std::uintptr_t>(a.data()) % plait::buffer_alignment == 0);
  CHECK(reinterpret_cast<std::uintptr_t>(b.data()) % plait::buffer_alignment == 0);
  CHECK(reinterpret_cast<const std::byte*>(b.data()) >=
        reinterpret_cast<const std::byte*>(a.data() + 30));
  CHECK(c);  // no numbers, but not the empty view that means "skip"
  CHECK(d.data() != b.data());
}

TEST_CASE("scratch grows without moving what was taken", "[scratch]") {
  Scratch scratch;
  const Scratch::Frame frame(scratch);
  std::vector<plait::View3<double>> taken;
  for (Index i = 0; i < 12; ++i) {
    const auto capacity = scratch.capacity();
    taken.push_back(scratch.take<double>(Index{1} << i, 1, 32));
    taken.back().of_slot(0).setConstant(static_cast<double>(i));
    CHECK(scratch.capacity() >= capacity);
  }
  CHECK(scratch.capacity() > (std::size_t{1} << 16));
  for (std::size_t i = 0; i < taken.size(); ++i)
    CHECK((taken[i].of_slot(0).array() == static_cast<double>(i)).all());
}

namespace {

// A made-up call tree, the same for every batch: takes, and frames that nest.
void call_tree(Scratch& scratch, plait::Random& random, Index batch, int depth) {
  const Scratch::Frame frame(scratch);
  const Index takes = 1 + random.below(4);
  for (Index i = 0; i < takes; ++i) {
    scratch.take<float>(batch, 1 + random.below(3), 1 + random.below(300));
    if (depth > 0 && random.below(2) == 0) call_tree(scratch, random, batch, depth - 1);
  }
}

}  // namespace

TEST_CASE("after one run, runs at that or a smaller batch allocate nothing", "[scratch]") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    CAPTURE(seed);
    const auto run = [seed](Scratch& scratch, Index batch) {
      plait::Random random(seed);
      call_tree(scratch, random, batch, 3);
    };
    Scratch scratch;
    run(scratch, 64);
    const auto before = allocations::count();
    for (Index batch = 64; batch >= 0; --batch) run(scratch, batch);
    const auto after = allocations::count();
    CHECK(after == before);
  }
}

TEST_CASE("a copy of scratch starts empty", "[scratch]") {
  Scratch scratch;
  scratch.take<float>(1, 1, 1);
  CHECK(scratch.capacity() > 0);
  const Scratch copy = scratch;
  CHECK(copy.capacity() == 0);
}
