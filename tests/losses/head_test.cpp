#include "plait/losses/head.hpp"

#include <type_traits>
#include <vector>

#include "support/catch.hpp"

using plait::Head;
using plait::HeadKind;
using plait::Index;

TEST_CASE("heads lie side by side") {
  const std::vector<Head> heads = {{.name = "click"},
                                   {.kind = HeadKind::multiclass, .classes = 3},
                                   {.kind = HeadKind::regression},
                                   {.kind = HeadKind::ordinal, .classes = 5},
                                   {.kind = HeadKind::ziln},
                                   {.kind = HeadKind::jrc},
                                   {.kind = HeadKind::pairwise}};
  CHECK(plait::head_offsets(heads) == std::vector<Index>{0, 1, 4, 5, 9, 12, 14, 15});
  CHECK(plait::task_name(heads, 0) == "click");
  CHECK(plait::task_name(heads, 1) == "task1");
}

TEST_CASE("heads may read the labels of an earlier one") {
  const std::vector<Head> heads = {{}, {}, {.labels_of = 1}, {.labels_of = 0}};
  CHECK(plait::num_label_columns(heads) == 2);
  CHECK(plait::label_column(heads, 1) == 1);
  CHECK(plait::label_column(heads, 3) == 0);
}

TEST_CASE("only losses that compare rows need groups") {
  for (const HeadKind kind : {HeadKind::pairwise, HeadKind::listwise, HeadKind::jrc})
    CHECK(plait::needs_groups(std::vector<Head>{{}, {.kind = kind}}));
  CHECK_FALSE(plait::needs_groups(std::vector<Head>{{}, {.kind = HeadKind::ziln}}));
}

TEST_CASE("a kind's loss has the head's settings") {
  plait::with_loss({.kind = HeadKind::focal, .pos_weight = 3, .gamma = 4},
                   []<class L>(const L& loss) {
                     if constexpr (std::is_same_v<L, plait::FocalLoss>) {
                       CHECK(loss.gamma == 4);
                       CHECK(loss.pos_weight == 3);
                     } else {
                       FAIL("another loss");
                     }
                   });
  CHECK_THROWS_WITH(Head{.kind = static_cast<HeadKind>(99)}.width(),
                    "plait::Head: kind: got 99, expected one of HeadKind");
}
