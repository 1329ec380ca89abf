#include "plait/optim/clip.hpp"

#include <cmath>
#include <limits>
#include <memory>

#include "support/catch.hpp"
#include "support/fixtures.hpp"
#include "support/tolerance.hpp"

using Catch::Matchers::WithinAbs;
using namespace plait;

TEMPLATE_TEST_CASE("clipping has the worked norm and coefficient", "", float, double) {
  const auto json = fixtures::load("F_optimizers").at("results").at("clip_grad_norm_max1");
  const double tolerance = fixtures::tolerance<TestType>;
  auto table = std::make_shared<ParamTable>();
  table->add_vector("a", 1, Init::constant(0));
  table->add_vector("b", 2, Init::constant(0));
  ParamBuffer<TestType> grad(table);
  grad.of("a")[0] = json.at("g").at(0).get<TestType>();
  for (std::size_t i = 0; i < 2; ++i) grad.of("b")[i] = json.at("g").at(i + 1).get<TestType>();

  const double norm = global_norm(grad);
  const double coefficient = clip_coefficient(norm, 1);
  CHECK_THAT(norm, WithinAbs(json.at("total_norm").get<double>(), tolerance));
  CHECK_THAT(coefficient, WithinAbs(json.at("coef").get<double>(), tolerance));
  CHECK_THAT(coefficient * double(grad.of("b")[1]),
             WithinAbs(json.at("clipped").at(2).get<double>(), tolerance));
}

TEST_CASE("a norm within the bound is left alone and a NaN stays one") {
  CHECK(clip_coefficient(0, 1) == 1);
  CHECK(clip_coefficient(0.5, 1) == 1);
  CHECK(clip_coefficient(2, 1) < 0.5);
  CHECK(clip_coefficient(std::numeric_limits<double>::infinity(), 1) == 0);
  CHECK(std::isnan(clip_coefficient(std::numeric_limits<double>::quiet_NaN(), 1)));
}

TEST_CASE("norms of float gradients are accumulated in double") {
  auto table = std::make_shared<ParamTable>();
  const ParamId id = table->add_vector("p", 1 << 16, Init::constant(0));
  ParamBuffer<float> grad(table);
  for (float& g : grad.of(id)) g = 1e25f;  // its square is no float
  CHECK_THAT(global_norm(grad) / (256 * double(1e25f)), WithinAbs(1, 1e-12));
}
