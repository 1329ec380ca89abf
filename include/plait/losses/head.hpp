// Head: what one task predicts and how its loss is computed, as plain data.
//
// The logits of all tasks lie side by side in one [batch, 1, C]: task t owns width() columns from
// its offset on. A kind of head is a loss with a file of its own; with_loss is the one place where
// kinds become losses.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/losses/bce.hpp"
#include "plait/losses/conditional.hpp"
#include "plait/losses/focal.hpp"
#include "plait/losses/huber.hpp"
#include "plait/losses/jrc.hpp"
#include "plait/losses/listwise.hpp"
#include "plait/losses/mse.hpp"
#include "plait/losses/ordinal.hpp"
#include "plait/losses/pairwise.hpp"
#include "plait/losses/softmax_cross_entropy.hpp"
#include "plait/losses/ziln.hpp"

namespace plait {

enum class HeadKind {
  binary,       // one logit, binary cross-entropy, predicts σ(z)
  conditional,  // one logit of an event that can only follow that of task `given`: cross-entropy of
                // the joint probability, which it predicts
  focal,        // one logit, cross-entropy that damps easy samples, predicts σ(z)
  regression,   // one number, squared error, predicts itself
  huber,        // one number, squared error near the label and linear far from it, predicts itself
  ziln,         // three logits of a value that is often 0, predicts its expectation and two parts
  multiclass,   // one logit per class, softmax cross-entropy, predicts softmax(z)
  ordinal,      // one logit per threshold between ordered classes, predicts P(y > k) = σ(z_k)
  pairwise,     // one score, logistic loss of the pairs of a group, predicts itself
  listwise,     // one score, softmax cross-entropy over a group, predicts itself
  jrc,          // two logits, their difference calibrated, each ranked, predicts softmax(z)
};
template <>
struct EnumNames<HeadKind> {
  static constexpr std::array<std::string_view, 11> names{
      "binary",     "conditional", "focal",    "regression", "huber", "ziln",
      "multiclass", "ordinal",     "pairwise", "listwise",   "jrc"};
};

struct Head {
  HeadKind kind = HeadKind::binary;
  Index classes = 1;      // multiclass and ordinal, at least 2
  double pos_weight = 1;  // binary, conditional and focal: what a positive label counts
  double delta = 1;       // huber: the distance from the label at which the loss turns linear
  double gamma = 2;       // focal: how strongly easy samples are damped
  double alpha = 0.5;     // jrc: the share of the cross-entropy, the ranking's being the rest
  // conditional: the earlier task whose event comes first.
  std::optional<Index> given = {};
  // The earlier task whose labels this head reads instead of its own.
  std::optional<Index> labels_of = {};
  // What a row counts inside the task's sample space (Targets::space), and outside of it. Only
  // their ratio matters to the gradient.
  double in_space = 1;
  double out_of_space = 0;
  double weight = 1;  // of the task's loss in the total
  std::string name = {};

  // Logits per sample.
  Index width() const;

  void fields(FieldVisitor& visit);
};

// Calls f with the loss that the head's kind and settings stand for. Throws ConfigError for a kind
// that is none of the above.
template <class F>
decltype(auto) with_loss(const Head& head, const F& f) {
  switch (head.kind) {
    case HeadKind::binary:
      return f(BinaryLoss{head.pos_weight});
    case HeadKind::conditional:
      return f(ConditionalLoss{{head.pos_weight}});
    case HeadKind::focal:
      return f(FocalLoss{head.gamma, head.pos_weight});
    case HeadKind::regression:
      return f(SquaredLoss{});
    case HeadKind::huber:
      return f(HuberLoss{head.delta});
    case HeadKind::ziln:
      return f(ZeroInflatedLognormalLoss{});
    case HeadKind::multiclass:
      return f(SoftmaxLoss{head.classes});
    case HeadKind::ordinal:
      return f(OrdinalLoss{head.classes});
    case HeadKind::pairwise:
      return f(PairwiseLoss{});
    case HeadKind::listwise:
      return f(ListwiseLoss{});
    case HeadKind::jrc:
      return f(JointRankingLoss{head.alpha});
  }
  throw ConfigError("Head", "kind", text(static_cast<int>(head.kind)), "one of HeadKind");
}

inline Index Head::width() const {
  return with_loss(*this, [](const auto& loss) { return loss.width(); });
}

PLAIT_COLD inline void Head::fields(FieldVisitor& visit) {
  const Head defaults;
  visit("kind", kind);
  visit("classes", classes);
  visit("pos_weight", pos_weight);
  visit("weight", weight);
  visit("name", name);
  visit.unless_default("delta", delta, defaults.delta);
  visit.unless_default("gamma", gamma, defaults.gamma);
  visit.unless_default("alpha", alpha, defaults.alpha);
  visit.unless_default("given", given, defaults.given);
  visit.unless_default("labels_of", labels_of, defaults.labels_of);
  visit.unless_default("in_space", in_space, defaults.in_space);
  visit.unless_default("out_of_space", out_of_space, defaults.out_of_space);
}

// The head's name, or "task<t>" for a head without one.
inline std::string task_name(std::span<const Head> heads, Index t) {
  const std::string& name = heads[static_cast<std::size_t>(t)].name;
  return name.empty() ? text("task", t) : name;
}

// A name per logit column: the task's, and ".<c>" for column c of a head with several.
inline std::vector<std::string> column_names(std::span<const Head> heads) {
  std::vector<std::string> names;
  for (Index t = 0; t < std::ssize(heads); ++t) {
    const Index width = heads[static_cast<std::size_t>(t)].width();
    const std::string task = task_name(heads, t);
    for (Index c = 0; c < width; ++c) names.push_back(width > 1 ? text(task, ".", c) : task);
  }
  return names;
}

// First logit column of every task, and their total width C as one more entry.
inline std::vector<Index> head_offsets(std::span<const Head> heads) {
  std::vector<Index> offsets = {0};
  for (const Head& head : heads) offsets.push_back(offsets.back() + head.width());
  return offsets;
}

// The column of labels, masks and sample spaces that task t reads.
inline Index label_column(std::span<const Head> heads, Index t) {
  return heads[static_cast<std::size_t>(t)].labels_of.value_or(t);
}

// K, the number of those columns.
inline Index num_label_columns(std::span<const Head> heads) {
  Index columns = 0;
  for (Index t = 0; t < std::ssize(heads); ++t)
    columns = (std::max)(columns, label_column(heads, t) + 1);
  return columns;
}

// True when a head's loss compares the rows of a group.
inline bool needs_groups(std::span<const Head> heads) {
  return std::ranges::any_of(heads, [](const Head& head) {
    return with_loss(head, []<class Loss>(const Loss&) { return GroupLoss<Loss, float>; });
  });
}

}  // namespace plait
