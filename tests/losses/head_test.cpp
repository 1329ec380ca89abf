#include "plait/losses/head.hpp"

#include <limits>
#include <vector>

#include "plait/core/tensor.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using Catch::Matchers::Message;
using Catch::Matchers::WithinAbs;
using plait::Head;
using plait::HeadKind;

TEST_CASE("heads lie side by side") {
  const std::vector<Head> heads = {{.name = "click"},
                                   {.kind = HeadKind::multiclass, .classes = 3},
                                   {.kind = HeadKind::regression}};
  CHECK(plait::head_offsets(heads) == std::vector<plait::Index>{0, 1, 4, 5});
  CHECK(plait::task_name(heads, 0) == "click");
  CHECK(plait::task_name(heads, 1) == "task1");
}

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

TEST_CASE("heads without a meaning are refused") {
  const auto check = [](std::vector<Head> heads) { plait::check_heads("Loss", heads); };
  CHECK_NOTHROW(check({{}, {.kind = HeadKind::multiclass, .classes = 2}, {.weight = 0}}));
  CHECK_THROWS_MATCHES(check({}), plait::ConfigError,
                       Message("plait::Loss: heads: got none, expected at least one"));
  CHECK_THROWS_MATCHES(check({{}, {.kind = HeadKind::multiclass}}), plait::ConfigError,
                       Message("plait::Loss: classes of task1: got 1, expected at least 2"));
  CHECK_THROWS_MATCHES(
      check({{.classes = 3, .name = "like"}}), plait::ConfigError,
      Message("plait::Loss: classes of like: got 3, expected 1 unless multiclass"));
  CHECK_THROWS_MATCHES(
      check({{.pos_weight = 0}}), plait::ConfigError,
      Message("plait::Loss: pos_weight of task0: got 0, expected a finite number above 0"));
  CHECK_THROWS_MATCHES(
      check({{.kind = HeadKind::regression, .pos_weight = 2}}), plait::ConfigError,
      Message("plait::Loss: pos_weight of task0: got 2, expected 1 unless binary"));
  CHECK_THROWS_MATCHES(
      check({{.weight = -1}}), plait::ConfigError,
      Message("plait::Loss: weight of task0: got -1, expected a finite number of at least 0"));
  CHECK_THROWS_MATCHES(
      check({{.weight = std::numeric_limits<double>::quiet_NaN()}}), plait::ConfigError,
      Message("plait::Loss: weight of task0: got nan, expected a finite number of at least 0"));
}
