#include <memory>

#include "plait/optim/adagrad.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/optimizer.hpp"
#include "plait/optim/rmsprop.hpp"
#include "plait/optim/sgd.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

using namespace plait;

TEMPLATE_TEST_CASE("a step allocates nothing", "", SGD, Adam, AdamW, Adagrad, RMSprop) {
  auto table = std::make_shared<ParamTable>();
  table->add_matrix("weight", 300, 200, Init::constant(0));
  table->add_vector("bias", 300, Init::constant(0));
  ParamBuffer<float> values(table);
  const ParamBuffer<float> grad(table);
  TestType rule;
  if constexpr (requires { rule.momentum; }) rule.momentum = 0.9;
  if constexpr (requires { rule.centered; }) rule.centered = true;
  if constexpr (requires { rule.amsgrad; }) rule.amsgrad = true;

  const auto before_construction = allocations::count();
  Optimizer<float> optimizer(table, rule,
                             {.groups = {{.pattern = "bias", .learning_rate = 0.1}},
                              .schedule = Schedule::cosine(5).with_warmup(2),
                              .clip_norm = 1});
  const auto constructed = allocations::count();
  for (int k = 0; k < 3; ++k) optimizer.step(values, grad);
  const auto at_end = allocations::count();
  CHECK(constructed > before_construction);  // the counter counts
  CHECK(at_end == constructed);
}
