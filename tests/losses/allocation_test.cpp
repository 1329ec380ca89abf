#include <vector>

#include "plait/core/tensor.hpp"
#include "plait/losses/multi_task_loss.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

TEST_CASE("a loss allocates nothing after its first normaliser") {
  const plait::MultiTaskLoss<float> loss({{}, {.kind = plait::HeadKind::multiclass, .classes = 4}});
  const plait::Tensor<float> logits(256, 1, 5), labels(256, 1, 2);
  plait::Tensor<float> dlogits(256, 1, 5);
  const plait::Targets<float> targets{labels};
  std::vector<double> normaliser, losses(2, 0.0);
  const auto before_first = allocations::count();
  loss.normaliser(targets, normaliser);
  const auto after_first = allocations::count();
  loss.check(targets, 256);
  loss.normaliser(targets, normaliser);
  loss.evaluate(logits, targets, normaliser, dlogits, losses);
  const auto at_end = allocations::count();
  CHECK(after_first == before_first + 1);  // the counter counts
  CHECK(at_end == after_first);
}
