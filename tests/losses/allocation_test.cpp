#include <vector>

#include "plait/core/tensor.hpp"
#include "plait/losses/multi_task_loss.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/every_kind.hpp"

TEST_CASE("a loss allocates nothing after its first normaliser") {
  const every_kind::Batch<float> batch(256);
  const auto& loss = batch.loss;
  const auto targets = batch.targets();
  plait::Tensor<float> dlogits(256, 1, loss.width());
  std::vector<double> normaliser, losses(static_cast<std::size_t>(batch.tasks), 0.0);
  const auto before_first = allocations::count();
  loss.normaliser(targets, normaliser);
  const auto after_first = allocations::count();
  loss.check(targets, 256);
  loss.normaliser(targets, normaliser);
  loss.evaluate(batch.logits, targets, normaliser, dlogits, losses);
  const auto at_end = allocations::count();
  CHECK(after_first == before_first + 1);  // the counter counts
  CHECK(at_end == after_first);
}
