// What a mutation of a loss must make fail: the gradient of a loss with every kind of head, with
// masks, weights, sample spaces and groups.
#include <algorithm>
#include <cmath>
#include <string>

#include "mutation/checks.hpp"
#include "plait/core/tensor.hpp"
#include "plait/testing/gradcheck.hpp"
#include "support/every_kind.hpp"

std::string checks::run() {
  constexpr plait::Index batch = 40;
  every_kind::Batch<double> all(batch, 22);
  plait::Tensor<double> dlogits(batch, 1, all.loss.width());
  std::fill_n(dlogits.view().data(), batch * all.loss.width(), std::nan(""));
  auto targets = all.targets();
  targets.space = all.space;
  all.loss.evaluate_batch(all.logits, targets, dlogits);
  plait::testing::GradientCheck check;
  check.compare("logits", plait::testing::flat(all.logits), plait::testing::flat(dlogits),
                [&] { return all.loss.evaluate_batch(all.logits, targets); });
  const auto report = check.report();
  return report.passed() ? "" : report.text();
}
