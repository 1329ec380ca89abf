#include "plait/train/weight_average.hpp"

#include <cmath>
#include <memory>
#include <vector>

#include "support/allocations.hpp"
#include "support/catch.hpp"

using Catch::Matchers::WithinAbs;
using plait::Index;
using plait::Init;
using plait::ParamBuffer;
using plait::ParamTable;
using plait::WeightAverage;

namespace {

std::shared_ptr<const ParamTable> table(Index size = 3) {
  auto result = std::make_shared<ParamTable>();
  result->add_vector("w", size, Init::constant(0));
  return result;
}

// The values after step i.
template <class Scalar>
ParamBuffer<Scalar> values(const std::shared_ptr<const ParamTable>& of, int i) {
  ParamBuffer<Scalar> result(of);
  for (std::size_t k = 0; k < 3; ++k)
    result.of("w")[k] = static_cast<Scalar>(std::sin(1.0 + i) + static_cast<double>(k));
  return result;
}

}  // namespace

TEMPLATE_TEST_CASE("the average is the weighted mean of all values seen", "", float, double) {
  for (const double decay : {0.0, 0.5, 0.999}) {
    const auto parameters = table();
    WeightAverage<TestType> average(parameters, decay);
    CHECK(average.values().of("w")[2] == 0);
    for (int n = 1; n <= 40; ++n) {
      average.update(values<TestType>(parameters, n));
      double sum = 0, weight = 0;
      for (int i = 1; i <= n; ++i) {
        sum += std::pow(decay, n - i) * double(values<TestType>(parameters, i).of("w")[2]);
        weight += std::pow(decay, n - i);
      }
      CHECK_THAT(double(average.values().of("w")[2]),
                 WithinAbs(sum / weight, sizeof(TestType) == 4 ? 1e-5 : 1e-12));
    }
    CHECK(average.updates() == 40);
  }
}

TEST_CASE("a stored average goes on bit for bit, and copies are independent") {
  const auto parameters = table();
  WeightAverage<double> whole(parameters, 0.9), part(parameters, 0.9);
  for (int i = 0; i < 10; ++i) {
    whole.update(values<double>(parameters, i));
    if (i < 4) part.update(values<double>(parameters, i));
  }
  WeightAverage<double> after(parameters, 0.9);
  after.restore(part.updates(), part.buffers());
  for (int i = 4; i < 10; ++i) after.update(values<double>(parameters, i));
  CHECK(after.values().of("w")[1] == whole.values().of("w")[1]);
  CHECK(part.updates() == 4);
}

TEST_CASE("an average allocates once") {
  const auto parameters = table();
  WeightAverage<float> average(parameters, 0.9);
  const auto now = values<float>(parameters, 1);
  const auto before = allocations::count();
  average.update(now);
  average.update(now);
  const auto after = allocations::count();
  CHECK(after == before);
}

TEST_CASE("an average refuses what does not fit") {
  WeightAverage<double> average(table(), 0.9);
  CHECK_THROWS_WITH(average.update(ParamBuffer<double>(table(4))),
                    "plait::WeightAverage: values: got a table of 1 tensors, 4 numbers, expected "
                    "the one it was built for, of 1 tensors, 3 numbers");
  CHECK(average.updates() == 0);
  CHECK_THROWS_AS(average.restore(1, std::vector(2, ParamBuffer<double>(table(4)))),
                  plait::ShapeError);
  CHECK_THROWS_WITH(average.restore(-1, average.buffers()),
                    "plait::WeightAverage: updates: got -1, expected at least 0");
  CHECK_THROWS_WITH(WeightAverage<double>(table(), 1),
                    "plait::WeightAverage: decay: got 1, expected a number in [0, 1)");
}
