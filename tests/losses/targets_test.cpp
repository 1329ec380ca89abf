#include "plait/losses/targets.hpp"

#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "plait/core/tensor.hpp"
#include "support/catch.hpp"

using Catch::Matchers::Message;
using plait::Head;
using plait::HeadKind;
using plait::Index;
using plait::Tensor;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

// Two rows of a binary, a regression and a three-class task, all valid.
struct Batch {
  std::vector<Head> heads = {{.name = "click"},
                             {.kind = HeadKind::regression},
                             {.kind = HeadKind::multiclass, .classes = 3}};
  Tensor<float> labels{2, 1, 3}, mask{2, 1, 3}, weights{2, 1, 1};

  Batch() {
    mask.view().of_slot(0).setOnes();
    weights.view().of_slot(0).setOnes();
  }
  float& label(Index b, Index t) { return labels.view()(b, 0, t); }
  void check(Index batch = 2) const {
    plait::check_targets<float>("Loss", heads, {labels, mask, weights}, batch);
  }
};

}  // namespace

TEST_CASE("targets in their domain pass") {
  Batch batch;
  batch.label(0, 0) = 0.3f;  // soft
  batch.label(1, 0) = 1;
  batch.label(0, 1) = -1e30f;
  batch.label(1, 2) = 2;
  batch.weights.view()(1, 0, 0) = 0;
  CHECK_NOTHROW(batch.check());
  CHECK_NOTHROW(plait::check_targets<float>("Loss", batch.heads, {batch.labels}, 2));
}

TEST_CASE("labels that are masked out may be anything") {
  Batch batch;
  const float bad[] = {2, not_a_number, 7};
  for (Index t = 0; t < 3; ++t) {
    batch.label(1, t) = bad[t];
    CHECK_THROWS_AS(batch.check(), plait::ValueError);
    batch.mask.view()(1, 0, t) = 0;
    CHECK_NOTHROW(batch.check());
  }
}

TEST_CASE("labels outside their head's domain are refused") {
  Batch batch;
  SECTION("binary") {
    batch.label(1, 0) = 2;
    CHECK_THROWS_MATCHES(
        batch.check(), plait::ValueError,
        Message("plait::Loss: label of row 1, click: got 2, expected a number in [0, 1]"));
    batch.label(1, 0) = not_a_number;
    CHECK_THROWS_MATCHES(
        batch.check(), plait::ValueError,
        Message("plait::Loss: label of row 1, click: got nan, expected a number in [0, 1]"));
    batch.label(1, 0) = -0.5f;
    CHECK_THROWS_AS(batch.check(), plait::ValueError);
  }
  SECTION("regression") {
    batch.label(0, 1) = infinity;
    CHECK_THROWS_MATCHES(
        batch.check(), plait::ValueError,
        Message("plait::Loss: label of row 0, task1: got inf, expected a finite number"));
  }
  SECTION("multiclass") {
    batch.label(0, 2) = 3;
    CHECK_THROWS_MATCHES(
        batch.check(), plait::ValueError,
        Message(
            "plait::Loss: label of row 0, task2: got 3, expected the index of a class below 3"));
    for (const float bad : {-1.0f, 0.5f, not_a_number, infinity}) {
      batch.label(0, 2) = bad;
      CHECK_THROWS_AS(batch.check(), plait::ValueError);
    }
  }
}

TEST_CASE("masks other than 0 and 1 and impossible weights are refused") {
  Batch batch;
  SECTION("mask") {
    batch.mask.view()(1, 0, 0) = 0.5f;
    CHECK_THROWS_MATCHES(batch.check(), plait::ValueError,
                         Message("plait::Loss: mask of row 1, click: got 0.5, expected 0 or 1"));
    batch.mask.view()(1, 0, 0) = not_a_number;
    CHECK_THROWS_AS(batch.check(), plait::ValueError);
  }
  SECTION("weights") {
    batch.weights.view()(1, 0, 0) = -1;
    CHECK_THROWS_MATCHES(
        batch.check(), plait::ValueError,
        Message("plait::Loss: weight of row 1: got -1, expected a finite number of at least 0"));
    for (const float bad : {not_a_number, infinity}) {
      batch.weights.view()(1, 0, 0) = bad;
      CHECK_THROWS_AS(batch.check(), plait::ValueError);
    }
  }
}

TEST_CASE("targets of the wrong shape are refused") {
  Batch batch;
  CHECK_THROWS_MATCHES(batch.check(3), plait::ShapeError,
                       Message("plait::Loss: labels: got [2, 1, 3], expected [3, 1, 3]"));
  batch.mask = Tensor<float>(2, 1, 1);
  CHECK_THROWS_MATCHES(batch.check(), plait::ShapeError,
                       Message("plait::Loss: mask: got [2, 1, 1], expected [2, 1, 3]"));
  batch.mask = batch.labels;
  batch.weights = Tensor<float>(2, 1, 3);
  CHECK_THROWS_MATCHES(batch.check(), plait::ShapeError,
                       Message("plait::Loss: weights: got [2, 1, 3], expected [2, 1, 1]"));
}

TEST_CASE("labels in the domain of every kind") {
  const struct {
    Head head;
    float good, bad;
    const char* domain;
  } cases[] = {
      {{.kind = HeadKind::focal}, 0.5f, 1.5f, "a number in [0, 1]"},
      {{.kind = HeadKind::jrc}, 0.5f, -0.5f, "a number in [0, 1]"},
      {{.kind = HeadKind::huber}, -3, infinity, "a finite number"},
      {{.kind = HeadKind::pairwise}, -3, not_a_number, "a finite number"},
      {{.kind = HeadKind::ziln}, 0, -1, "a finite number of at least 0"},
      {{.kind = HeadKind::listwise}, 2.5f, -1, "a finite number of at least 0"},
      {{.kind = HeadKind::ordinal, .classes = 4}, 3, 4, "the index of a class below 4"},
      {{.kind = HeadKind::ordinal, .classes = 4}, 1, 0.5f, "the index of a class below 4"},
  };
  const std::vector<std::int64_t> groups{0};
  for (const auto& [head, good, bad, domain] : cases) {
    CAPTURE(domain);
    const std::vector<Head> heads{head};
    Tensor<float> label(1, 1, 1);
    const auto check = [&] {
      plait::check_targets<float>("Loss", heads, {label, {}, {}, {}, groups}, 1);
    };
    label.view()(0, 0, 0) = good;
    CHECK_NOTHROW(check());
    label.view()(0, 0, 0) = bad;
    CHECK_THROWS_MATCHES(check(), plait::ValueError,
                         Message(plait::text("plait::Loss: label of row 0, task0: got ", bad,
                                             ", expected ", domain)));
  }
}

TEST_CASE("rows outside of a sample space") {
  Batch batch;
  Tensor<float> space(2, 1, 3);
  space.view().of_slot(0).setOnes();
  const auto check = [&] {
    plait::check_targets<float>("Loss", batch.heads,
                                {batch.labels, batch.mask, batch.weights, space}, 2);
  };
  CHECK_NOTHROW(check());
  batch.label(1, 0) = not_a_number;
  CHECK_THROWS_AS(check(), plait::ValueError);
  space.view()(1, 0, 0) = 0;  // may be anything where it counts nothing
  CHECK_NOTHROW(check());
  batch.heads[0].out_of_space = 0.1;
  CHECK_THROWS_AS(check(), plait::ValueError);

  space.view()(1, 0, 0) = 0.5f;
  CHECK_THROWS_MATCHES(check(), plait::ValueError,
                       Message("plait::Loss: space of row 1, click: got 0.5, expected 0 or 1"));
  space = Tensor<float>(2, 1, 1);
  CHECK_THROWS_MATCHES(check(), plait::ShapeError,
                       Message("plait::Loss: space: got [2, 1, 1], expected [2, 1, 3]"));
}

TEST_CASE("groups lie side by side, one id per row, where a head needs them") {
  std::vector<Head> heads{{.kind = HeadKind::pairwise}};
  const Tensor<float> labels(4, 1, 1);
  const auto check = [&](const std::vector<std::int64_t>& groups) {
    plait::check_targets<float>("Loss", heads, {labels, {}, {}, {}, groups}, 4);
  };
  CHECK_NOTHROW(check({-2, -2, 0, 7}));
  CHECK_THROWS_MATCHES(check({}), plait::ShapeError,
                       Message("plait::Loss: groups: got 0 ids, expected 4, one per row"));
  CHECK_THROWS_MATCHES(check({1, 1, 2}), plait::ShapeError,
                       Message("plait::Loss: groups: got 3 ids, expected 4, one per row"));
  CHECK_THROWS_MATCHES(
      check({1, 2, 1, 2}), plait::ValueError,
      Message("plait::Loss: group of row 2: got 1 after 2, expected ids that do not decrease"));
  heads.front().kind = HeadKind::binary;
  CHECK_NOTHROW(check({}));
  CHECK_NOTHROW(check({1, 2, 1, 2}));
  CHECK_THROWS_AS(check({1}), plait::ShapeError);
}

TEST_CASE("groups are runs of equal ids") {
  std::vector<std::pair<Index, Index>> runs;
  const std::vector<std::int64_t> groups{5, 5, 5, 6, 9, 9};
  plait::for_each_group(groups, [&](Index first, Index count) { runs.emplace_back(first, count); });
  CHECK(runs == std::vector<std::pair<Index, Index>>{{0, 3}, {3, 1}, {4, 2}});
  plait::for_each_group({}, [&](Index, Index) { FAIL("no rows, no groups"); });
}

TEST_CASE("heads that share labels are checked against each their own domain") {
  const std::vector<Head> heads{{.kind = HeadKind::regression}, {.labels_of = 0, .name = "binary"}};
  Tensor<float> labels(1, 1, 1);
  labels.view()(0, 0, 0) = 2;
  CHECK_THROWS_MATCHES(
      (plait::check_targets<float>("Loss", heads, {labels}, 1)), plait::ValueError,
      Message("plait::Loss: label of row 0, binary: got 2, expected a number in [0, 1]"));
}
