#include "plait/losses/conditional.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

#include "plait/core/tensor.hpp"
#include "plait/losses/joint_logit.hpp"
#include "plait/losses/multi_task_loss.hpp"
#include "plait/losses/predict.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"
#include "support/tolerance.hpp"

using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;
using plait::Head;
using plait::HeadKind;
using plait::Index;
using plait::product_logit;
using plait::product_logit_slope;
using plait::Tensor;

namespace {

double probability(double z) { return 1 / (1 + std::exp(-z)); }

// click, like given click, share given like; something else between them.
const std::vector<Head> chain = {{.name = "click"},
                                 {.kind = HeadKind::multiclass, .classes = 3},
                                 {.kind = HeadKind::conditional, .given = 0, .name = "like"},
                                 {.kind = HeadKind::regression},
                                 {.kind = HeadKind::conditional, .given = 2, .name = "share"}};

}  // namespace

TEMPLATE_TEST_CASE("ESMM's product head has the worked values", "", float, double) {
  const auto json = fixtures::load("C_losses").at("esmm");
  const double tolerance = fixtures::tolerance<TestType>;
  const auto at = [&](const char* key, Index b) {
    return json.at(key).at(static_cast<std::size_t>(b)).get<double>();
  };
  const plait::MultiTaskLoss<TestType> loss({{}, {.kind = HeadKind::conditional, .given = 0}});
  Tensor<TestType> logits(3, 1, 2), labels(3, 1, 2), dlogits(3, 1, 2), predictions(3, 1, 2);
  for (Index b = 0; b < 3; ++b) {
    logits.view()(b, 0, 0) = TestType(at("ctr_logit", b));
    logits.view()(b, 0, 1) = TestType(at("cvr_logit", b));
    labels.view()(b, 0, 0) = TestType(at("click", b));
    labels.view()(b, 0, 1) = TestType(at("click", b) * at("conversion", b));
    CHECK_THAT(product_logit(at("ctr_logit", b), at("cvr_logit", b)),
               WithinAbs(at("joint_logit", b), 1e-10));
  }
  const plait::Targets<TestType> targets{labels};
  CHECK_THAT(loss.evaluate_batch(logits, targets, dlogits),
             WithinAbs(json.at("total").get<double>(), tolerance));
  std::vector<double> normaliser, losses(2, 0.0);
  loss.normaliser(targets, normaliser);
  loss.evaluate(logits, targets, normaliser, {}, losses);
  CHECK_THAT(losses[0], WithinAbs(json.at("loss_ctr").get<double>(), tolerance));
  CHECK_THAT(losses[1], WithinAbs(json.at("loss_ctcvr").get<double>(), tolerance));
  plait::predict(loss.heads(), logits, predictions.view());
  for (Index b = 0; b < 3; ++b) {
    CHECK_THAT(double(dlogits.view()(b, 0, 0)), WithinAbs(at("grad_ctr_logit", b), tolerance));
    CHECK_THAT(double(dlogits.view()(b, 0, 1)), WithinAbs(at("grad_cvr_logit", b), tolerance));
    CHECK_THAT(double(predictions.view()(b, 0, 1)), WithinAbs(at("pctcvr", b), tolerance));
  }
}

TEST_CASE("the product's logit is that of the product") {
  for (const double a : {-20.0, -1.0, 0.0, 3.0, 12.0})
    for (const double b : {-15.0, -0.5, 2.0, 10.0}) {
      CAPTURE(a, b);
      const double z = product_logit(a, b);
      CHECK_THAT(probability(z), WithinRel(probability(a) * probability(b), 1e-13));
      CHECK(z == product_logit(b, a));
      constexpr double h = 1e-5;
      const double difference = product_logit(a + h, b) - product_logit(a - h, b);
      CHECK_THAT(product_logit_slope(a, z), WithinAbs(difference / (2 * h), 1e-9));
    }
}

TEST_CASE("the product's logit is finite where the product is 0 or 1") {
  CHECK(product_logit(-1e4, -1e4) == -2e4);
  CHECK(product_logit(-1e4, 1e4) == -1e4);
  CHECK_THAT(product_logit(1e4, 1e4), WithinAbs(1e4 - std::log(2.0), 1e-9));
  CHECK(product_logit_slope(-1e4, -2e4) == 1);
  CHECK(product_logit_slope(1e4, -1e4) == 0);
  CHECK_THAT(product_logit_slope(1e4, product_logit(1e4, 1e4)), WithinAbs(0.5, 1e-9));
}

TEST_CASE("a chain multiplies the probabilities of all its events") {
  const double z[] = {0.8,  9, 9,  9,
                      -0.4, 9, 1.3};  // as chain lies: click, 3 classes, like, 1, share
  CHECK(plait::joint_logit(chain, 0, z) == z[0]);
  CHECK_THAT(probability(plait::joint_logit(chain, 2, z + 4)),
             WithinRel(probability(z[0]) * probability(z[4]), 1e-14));
  CHECK_THAT(probability(plait::joint_logit(chain, 4, z + 6)),
             WithinRel(probability(z[0]) * probability(z[4]) * probability(z[6]), 1e-14));

  Tensor<double> rows(1, 1, 7);
  for (Index c = 0; c < 7; ++c) rows.view()(0, 0, c) = z[c];
  plait::predict(chain, rows, rows.view());  // in place
  CHECK_THAT(rows.view()(0, 0, 0), WithinRel(probability(z[0]), 1e-14));
  CHECK_THAT(rows.view()(0, 0, 4), WithinRel(probability(z[0]) * probability(z[4]), 1e-14));
  CHECK_THAT(rows.view()(0, 0, 6),
             WithinRel(probability(z[0]) * probability(z[4]) * probability(z[6]), 1e-14));
}

TEST_CASE("an event of the chain reaches the logits of all that come before, and no others") {
  const plait::MultiTaskLoss<double> loss(chain);
  Tensor<double> logits(1, 1, 7), labels(1, 1, 5), mask(1, 1, 5), dlogits(1, 1, 7);
  for (Index c = 0; c < 7; ++c) logits.view()(0, 0, c) = 0.3 * double(c) - 1;
  mask.view()(0, 0, 4) = 1;  // share alone
  labels.view()(0, 0, 4) = 1;
  loss.evaluate_batch(logits, {labels, mask}, dlogits);
  for (Index c = 0; c < 7; ++c) {
    CAPTURE(c);
    CHECK((dlogits.view()(0, 0, c) < 0) == (c == 0 || c == 4 || c == 6));
  }
}
