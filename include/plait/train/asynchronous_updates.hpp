// AsynchronousUpdates: parameters move once enough labelled samples have been seen for them, a
// task's own by the task's labels, what tasks share by all samples.
//
//   AsynchronousUpdates<float> updates(trainer.gradient().shared_table(), trainer.reach(),
//                                      {.shared_samples = 512, .task_samples = {512, 64}});
//   trainer.step(x, targets, updates);
//
// For tasks of which one has few labels: a batch holds a handful of them, whose mean is noise, and
// waiting for more must not hold up the rest. Every tensor p belongs to the one task that reaches
// it, or else to all. With l_t,i the loss of task t at sample i, v_t,i 1 where it has a label that
// counts, times the sample's weight (1 without weights), and w_t the head's weight, a batch adds
//
//   s_p += Σ_i Σ_t w_t v_t,i ∇_p l_t,i
//   n_p += Σ_i v_t,i   of a task's own,      n_p += Σ_i weight_i   of what is shared
//
// and where n_p has reached its number of samples p moves by the gradient s_p / n_p, after which
// s_p = n_p = 0. With batches of that number and every label there, it is a plain step. Momenta and
// bias corrections count the moves of p, schedules the batches.
//
// Source: Kokkinos, "UberNet", CVPR 2017, its asynchronous updates, by batches instead of samples.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/methods/method_state.hpp"
#include "plait/train/task_reach.hpp"

namespace plait {

struct AsynchronousOptions {
  double shared_samples = 0;              // N of what tasks share, above 0
  std::vector<double> task_samples = {};  // N of each task's own, above 0; or one for all tasks
};

// A value, and a part of a checkpoint (io/checkpoint_part.hpp). Not thread-safe. Does not allocate
// after its construction.
template <class Scalar>
class AsynchronousUpdates {
 public:
  // Throws ConfigError for numbers of samples that are not finite and above 0, or not one or one
  // per task.
  PLAIT_COLD AsynchronousUpdates(const std::shared_ptr<const ParamTable>& table,
                                 const TaskReach& reach, AsynchronousOptions options)
      : sums_{ParamBuffer<Scalar>(table), ParamBuffer<Scalar>(table)},
        mean_(table),
        numbers_(table->entries().size()) {
    const auto tasks = static_cast<std::size_t>(reach.num_tasks());
    if (options.task_samples.size() == 1)
      options.task_samples.resize(tasks, options.task_samples[0]);
    require_config(options.task_samples.size() == tasks, where, "task_samples",
                   text(options.task_samples.size()), text("1 or ", tasks));
    samples_ = std::move(options.task_samples);
    samples_.push_back(options.shared_samples);
    for (const double& samples : samples_)
      require_config(std::isfinite(samples) && samples > 0, where,
                     &samples == &samples_.back() ? "shared_samples" : "task_samples",
                     text(samples), "a finite number above 0");
    seen_.resize(samples_.size());
    next_.resize(samples_.size());
    moves_.resize(samples_.size());
    for (const ParamEntry& entry : table->entries()) {
      const ParamRange all{entry.id.offset, entry.id.size()};
      std::size_t owner = tasks, owners = 0;
      for (std::size_t t = 0; t < tasks; ++t)
        if (overlaps(reach.of(static_cast<Index>(t)), all)) owner = t, ++owners;
      owners_.push_back(owners == 1 ? owner : tasks);
    }
  }

  const std::shared_ptr<const ParamTable>& shared_table() const { return mean_.shared_table(); }
  Index num_tasks() const { return std::ssize(samples_) - 1; }

  // What a batch makes due: values() and numbers(). Nothing else changes. Of the batch: its summed
  // gradient Σ_i Σ_t w_t v_t,i ∇ l_t,i, Σ_i v_t,i of each task, and the rows' weight. Throws
  // ValueError for sums beyond what Scalar holds.
  void prepare(const ParamBuffer<Scalar>& summed, std::span<const double> labelled, double rows) {
    for (std::size_t t = 0; t < labelled.size(); ++t) next_[t] = seen_[t] + labelled[t];
    next_.back() = seen_.back() + rows;
    double largest = 0;
    for_each_tensor([&](std::size_t i, ParamId id, std::size_t owner) {
      const bool due = is_due(owner);
      numbers_[i] = due ? moves_[owner] + 1 : 0;
      const auto g = summed.of(id);
      const auto mean = mean_.of(id);
      for (std::size_t k = 0; k < g.size(); ++k) {
        const double exact = sum_with(id, k, g[k]);
        largest = (std::max)(largest, std::abs(exact));
        mean[k] = due ? static_cast<Scalar>(exact / next_[owner]) : Scalar(0);
      }
    });
    if (!(largest <= static_cast<double>((std::numeric_limits<Scalar>::max)())))
      throw ValueError(where, "sum of gradients", text(largest), "numbers that Scalar holds");
  }
  // s_p / n_p of the tensors that are due, 0 of others.
  const ParamBuffer<Scalar>& values() const { return mean_; }
  // Of every tensor in table order, which of its moves is due, from 1, or 0.
  std::span<const Index> numbers() const { return numbers_; }
  // What was due has moved: the batch that was prepared is part of what was seen.
  void commit(const ParamBuffer<Scalar>& summed) {
    for_each_tensor([&](std::size_t, ParamId id, std::size_t owner) {
      const auto g = summed.of(id);
      const auto sum = sums_[0].of(id), rest = sums_[1].of(id);
      for (std::size_t k = 0; k < g.size(); ++k) {
        const double exact = is_due(owner) ? 0 : sum_with(id, k, g[k]);
        sum[k] = static_cast<Scalar>(exact);
        rest[k] = static_cast<Scalar>(exact - static_cast<double>(sum[k]));
      }
    });
    for (std::size_t p = 0; p < samples_.size(); ++p) {
      moves_[p] += is_due(p) ? 1 : 0;
      seen_[p] = is_due(p) ? 0 : next_[p];
    }
  }

  // n_p and the moves so far, of task t's own parameters, and of what is shared at num_tasks().
  double samples_seen(Index p) const { return seen_[static_cast<std::size_t>(p)]; }
  Index moves(Index p) const { return moves_[static_cast<std::size_t>(p)]; }

  // n_p of all and then their moves; buffers() are s_p and what it rounds away.
  MethodState state() const {
    MethodState state;
    state.numbers = seen_;
    for (const Index moves : moves_) state.numbers.push_back(static_cast<double>(moves));
    return state;
  }
  std::span<const ParamBuffer<Scalar>> buffers() const { return sums_; }
  // Throws ConfigError for numbers that no run has, ShapeError for other buffers; nothing has
  // changed then.
  void restore(const MethodState& state, std::vector<ParamBuffer<Scalar>> buffers) {
    const std::size_t groups = samples_.size();
    require_config(state.numbers.size() == 2 * groups, where, "numbers", text(state.numbers.size()),
                   text(2 * groups));
    for (std::size_t p = 0; p < groups; ++p) {
      const double seen = state.numbers[p], moves = state.numbers[groups + p];
      require_config(seen >= 0 && seen < samples_[p], where, "samples seen", text(seen),
                     text("at least 0, below ", samples_[p]));
      require_config(
          moves >= 0 && moves <= static_cast<double>(largest_count) && moves == std::floor(moves),
          where, "moves", text(moves), "a count up to 2^53");
    }
    if (buffers.size() != sums_.size())
      throw ShapeError(where, "buffers", text(buffers.size()), text(sums_.size()));
    for (const auto& buffer : buffers)
      require_schema(where, "buffers", buffer.shared_table(), shared_table());
    for (std::size_t p = 0; p < groups; ++p) {
      seen_[p] = state.numbers[p];
      moves_[p] = static_cast<Index>(state.numbers[groups + p]);
    }
    std::ranges::move(buffers, sums_.begin());
  }

  // What a checkpoint compares.
  PLAIT_COLD void settings(FieldVisitor& visit) const {
    std::vector<double> tasks(samples_.begin(), samples_.end() - 1);
    double shared = samples_.back();
    visit("shared_samples", shared);
    visit("task_samples", tasks);
  }

 private:
  static constexpr const char* where = "AsynchronousUpdates";

  bool is_due(std::size_t p) const { return next_[p] >= samples_[p]; }
  template <class Visit>
  void for_each_tensor(const Visit& visit) const {
    const auto& entries = mean_.table().entries();
    for (std::size_t i = 0; i < entries.size(); ++i) visit(i, entries[i].id, owners_[i]);
  }
  // A number of s with one more term. What a sum of floats rounds away is kept beside it.
  double sum_with(ParamId id, std::size_t k, Scalar term) const {
    return static_cast<double>(sums_[0].of(id)[k]) +
           (static_cast<double>(sums_[1].of(id)[k]) + static_cast<double>(term));
  }
  static bool overlaps(const std::vector<ParamRange>& ranges, const ParamRange& other) {
    return std::ranges::any_of(ranges, [&](const ParamRange& range) {
      return range.offset < other.end() && other.offset < range.end();
    });
  }

  std::vector<std::size_t> owners_;  // of each tensor; the number of tasks for what is shared
  std::vector<double> samples_;      // N of each owner
  std::vector<double> seen_;         // n
  std::vector<double> next_;         // n with the batch that was prepared
  std::vector<Index> moves_;
  std::array<ParamBuffer<Scalar>, 2> sums_;  // s, and what it rounds away
  ParamBuffer<Scalar> mean_;
  std::vector<Index> numbers_;
};

}  // namespace plait
