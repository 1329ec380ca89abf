#include "plait/losses/predict.hpp"

#include <vector>

#include "plait/core/tensor.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using Catch::Matchers::Message;
using Catch::Matchers::WithinAbs;
using plait::Head;
using plait::HeadKind;

TEMPLATE_TEST_CASE("predictions are sigmoid, identity and softmax", "", float, double) {
  const std::vector<Head> heads = {
      {}, {.kind = HeadKind::regression}, {.kind = HeadKind::multiclass, .classes = 2}};
  plait::Tensor<TestType> logits(2, 1, 4);
  const double z[2][4] = {{-1.25, 3.5, 0.25, -0.5}, {1e4, -2, -1e4, 1e4}};
  // torch.sigmoid, identity, torch.softmax
  const double expected[2][4] = {{0.22270013882530884, 3.5, 0.679178699175393, 0.32082130082460703},
                                 {1, -2, 0, 1}};
  for (int b = 0; b < 2; ++b)
    for (int c = 0; c < 4; ++c) logits.view()(b, 0, c) = TestType(z[b][c]);

  plait::Tensor<TestType> out(2, 1, 4);
  plait::predict(heads, logits, out.view());
  plait::predict(heads, logits, logits.view());  // in place
  for (int b = 0; b < 2; ++b)
    for (int c = 0; c < 4; ++c) {
      CHECK_THAT(double(out.view()(b, 0, c)),
                 WithinAbs(expected[b][c], fixtures::tolerance<TestType>));
      CHECK(logits.view()(b, 0, c) == out.view()(b, 0, c));
    }
}

TEST_CASE("predict refuses shapes that do not fit the heads") {
  const std::vector<Head> heads = {{}, {}};
  plait::Tensor<float> narrow(3, 1, 1), right(3, 1, 2), shorter(2, 1, 2);
  CHECK_THROWS_MATCHES(plait::predict(heads, narrow, right.view()), plait::ShapeError,
                       Message("plait::predict: logits: got [3, 1, 1], expected [3, 1, 2]"));
  CHECK_THROWS_MATCHES(plait::predict(heads, right, shorter.view()), plait::ShapeError,
                       Message("plait::predict: out: got [2, 1, 2], expected [3, 1, 2]"));
}

TEST_CASE("scores, numbers and thresholds predict what they are") {
  const std::vector<Head> heads = {{.kind = HeadKind::pairwise},
                                   {.kind = HeadKind::listwise},
                                   {.kind = HeadKind::huber},
                                   {.kind = HeadKind::focal},
                                   {.kind = HeadKind::ordinal, .classes = 3}};
  plait::Matrix<double> logits(1, 6), out(1, 6);
  logits << 1.5, -2.5, 3.5, 0, -1e4, 1e4;
  plait::predict(heads, logits, out);
  CHECK(out == (plait::Matrix<double>(1, 6) << 1.5, -2.5, 3.5, 0.5, 0, 1).finished());
}
