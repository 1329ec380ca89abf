// TaskReach: which parameters the loss of each task reaches, derived from a network's routing.
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "plait/core/param_buffer.hpp"
#include "plait/core/ranges.hpp"
#include "plait/core/reach.hpp"
#include "plait/core/scratch.hpp"
#include "plait/core/view.hpp"
#include "plait/losses/head.hpp"
#include "plait/losses/joint_logit.hpp"

namespace plait {

// A parameter is shared when two or more tasks reach it, private when one does. In SharedBottom,
// MMoE, CGC, PLE, CrossStitch and AdaTT with independent heads that is the same as "all tasks reach
// it". It is not where a task sees some of the others (AsymmetricSharing without stop-gradient), or
// a head is conditional on another, whose tower it then reaches: there the tasks that reach a
// parameter may conflict over it, while the others' gradients are zero in it and take no part.
//
// Layers that do not tell (core/reach.hpp) are reached by all tasks, parameters and inputs. A
// value; const and safe to read from any number of threads.
class TaskReach {
 public:
  // `network` was built on `table`; one head per output of the network, or all tasks count as
  // reaching everything.
  template <Layer L>
  PLAIT_COLD TaskReach(const L& network, const ParamTable& table, std::span<const Head> heads)
      : reached_(heads.size()) {
    const Index tasks = std::ssize(heads);
    const Index outputs = num_outputs(network);
    live_.setConstant(tasks, outputs, outputs != tasks);
    if (outputs == tasks)
      for (Index t = 0; t < tasks; ++t) {
        live_(t, t) = true;
        for_each_given(heads, t, [&](Index s, Index) { live_(t, s) = true; });
      }

    Scratch scratch;
    const auto walk = [&](Flags live, std::vector<ParamRange>& ranges) {
      const Scratch::Frame frame(scratch);
      return reach(
          network, live, take_flags(scratch, network.in_shape().slots),
          [&](const ParamRange& range) { ranges.push_back(range); }, scratch);
    };
    for (Index t = 0; t < tasks; ++t) walk(outputs_of(t), reached_[static_cast<std::size_t>(t)]);

    const Vector<bool> all = Vector<bool>::Constant(outputs, true);
    std::vector<ParamRange> told;
    if (!walk(Flags(all.data(), static_cast<std::size_t>(outputs)), told)) {
      for (auto& ranges : reached_) {
        const auto rest = detail::complement(at_least(1, {told}), table.buffer_size());
        ranges.insert(ranges.end(), rest.begin(), rest.end());
      }
    }
    for (auto& ranges : reached_) ranges = at_least(1, {ranges});
    shared_ = at_least(2, reached_);
  }

  Index num_tasks() const { return std::ssize(reached_); }

  // The outputs of the network that task t's loss has a gradient in.
  Flags outputs_of(Index t) const {
    return {live_.data() + t * live_.cols(), static_cast<std::size_t>(live_.cols())};
  }
  // Parameters that task t's loss reaches, and those that two or more tasks' losses do: ranges in
  // order and apart.
  const std::vector<ParamRange>& of(Index t) const { return reached_[static_cast<std::size_t>(t)]; }
  const std::vector<ParamRange>& shared() const { return shared_; }

 private:
  // The numbers that at least `count` of the lists cover. With a count of 1 a list may cover a
  // number more than once.
  PLAIT_COLD static std::vector<ParamRange> at_least(
      Index count, const std::vector<std::vector<ParamRange>>& lists) {
    std::vector<std::pair<Index, Index>>
        changes;  // place, and lists that begin less those that end
    for (const auto& ranges : lists)
      for (const ParamRange& range : ranges) {
        changes.emplace_back(range.offset, 1);
        changes.emplace_back(range.end(), -1);
      }
    std::sort(changes.begin(), changes.end());
    std::vector<ParamRange> result;
    Index depth = 0;
    for (std::size_t i = 0; i < changes.size();) {
      const Index place = changes[i].first;
      const Index before = depth;
      for (; i < changes.size() && changes[i].first == place; ++i) depth += changes[i].second;
      if (before < count && depth >= count) result.push_back({place, 0});
      if (before >= count && depth < count) result.back().size = place - result.back().offset;
    }
    return result;
  }

  Matrix<bool> live_;  // [task, output]
  std::vector<std::vector<ParamRange>> reached_;
  std::vector<ParamRange> shared_;
};

}  // namespace plait
