// Trainer: one step of training, forward, loss, backward and optimizer, in bounded memory.
//
// A batch is cut into row tiles that run depth-first through the whole network, forward and
// backward, before the next tile starts; only the gradient outlives a tile. Activations therefore
// take O(tile_rows) memory whatever the batch, and stay in cache. No layer reduces over the batch
// and the loss normalises over all of it, so the summed gradients are those of the whole batch.
// Losses that compare rows get tiles of whole groups (see tiles.hpp).
//
// With tables a batch is one of features: ids, which tiles look up, and numbers beside them
// (sparse/table_optimizer.hpp). All else is the same.
//
// How tiles become a gradient, on one thread or several: lanes.hpp. The tasks' gradients one by
// one, for methods that balance tasks: compute_task_gradients, and step with a method.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/one_user.hpp"
#include "plait/core/options.hpp"
#include "plait/core/parallel.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/core/ranges.hpp"
#include "plait/core/view_argument.hpp"
#include "plait/kernels/packed_weights.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/losses/multi_task_loss.hpp"
#include "plait/methods/gradient_balancer.hpp"
#include "plait/methods/loss_weighting.hpp"
#include "plait/methods/shared_gradients.hpp"
#include "plait/model/check_towers.hpp"
#include "plait/model/model.hpp"
#include "plait/model/model_link.hpp"
#include "plait/optim/optimizer.hpp"
#include "plait/penalties/penalties.hpp"
#include "plait/sparse/input_tables.hpp"
#include "plait/train/asynchronous_updates.hpp"
#include "plait/train/lanes.hpp"
#include "plait/train/representation.hpp"
#include "plait/train/task_reach.hpp"
#include "plait/train/tiles.hpp"

namespace plait {

struct TrainerOptions {
  OptimizerOptions optimizer = {};  // parameter groups, schedule, clipping
  // Rows that run through the network at a time (see Tiles). The gradient of a tile is summed in
  // Scalar, that of many tiles more exactly: in float, terms that are all alike lose 1e-6 of their
  // sum with tiles of 128 rows and any number of them, 1e-5 with tiles of 4096.
  Index tile_rows = 128;
  Index lanes = 0;               // partial gradients at most; 0: 8 with an executor, else 1
  Executor* executor = nullptr;  // runs the lanes and must outlive the trainer; null: no threads
  bool check_finite = true;      // refuse inputs and gradients with NaN or infinity
  double expert_dropout = 0;     // share of experts that gates do without (fusion/dropout.hpp)
  std::uint64_t seed = 0;        // of what is dropped and of what layers draw (core/options.hpp)
  // Fusion levels whose activations backward computes again, so many at a time, with the same bits
  // (fusion/stack.hpp); 0: all are kept, as in steps that balance at the representation. For
  // networks that are deep: activations of a tile take memory by its depth, the batch's rows do
  // not.
  Index recompute_levels = 0;
};

// Trains `model`, which must outlive the trainer, stay where it is, and not be used by others
// during a step; one that was destroyed or moved from is a ConfigError in all that reads or changes
// it. Its values may be exchanged between steps for others of the same parameters. Not thread-safe,
// two uses at once are asserted where assertions are on, and not copyable: a copy would train the
// same model. Allocates in the first step of each kind, the first score, and for a batch, or a
// group, that is larger than any before; never otherwise.
template <class Scalar_>
class Trainer {
 public:
  using Scalar = Scalar_;

  // One head per task, in the order of the towers. Throws ConfigError when heads and towers differ,
  // tile_rows or lanes is below 1, or a hyper-parameter is out of range.
  PLAIT_COLD Trainer(Model<Scalar>& model, std::vector<Head> heads,
                     std::type_identity_t<Rule<Scalar>> rule, TrainerOptions options = {});
  // The same on features, whose rows are looked up in `tables` and move with the model's
  // parameters: they must outlive the trainer and stay where they are. clip_norm is of the gradient
  // of both, summed by row; a schedule scales both rates. Throws ConfigError as well when the
  // model's input is not as wide as the tables'.
  PLAIT_COLD Trainer(Model<Scalar>& model, InputTables<Scalar>& tables, std::vector<Head> heads,
                     std::type_identity_t<Rule<Scalar>> rule, TrainerOptions options = {});
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;
  Trainer(Trainer&&) = default;
  Trainer& operator=(Trainer&&) = default;
  ~Trainer();

  // One step on a batch; returns the total loss before it. x [B, S, D], or a FeatureBatch where
  // there are tables; labels [B, 1, T]; mask
  // [B, 1, T] and weights [B, 1, 1] may be absent (all valid, all 1). Matrices with one row per
  // sample convert. A batch without a label that counts changes nothing and returns 0. Throws
  // ShapeError or ValueError for data that does not fit, and for a gradient whose squared norm is
  // not finite (inputs may be finite and yet too large); the model and the optimizer are then as
  // they were. An update that makes values infinite is a ValueError, too, and an executor may throw
  // while the optimizer runs: what was before is then lost, and further steps are refused until a
  // whole state is restored (Optimizer::step).
  double step(BatchArgument<Scalar> x, ViewArgument<const Scalar> labels,
              ViewArgument<const Scalar> mask = {}, ViewArgument<const Scalar> weights = {});
  // The same with all that targets may have: sample spaces, groups.
  double step(BatchArgument<Scalar> x, const Targets<Scalar>& targets);

  // The same with the tasks' gradients combined by a method, in the parameters that several tasks
  // share:
  //
  //   GradientBalancer<float> balancer(PCGrad{}, trainer.num_tasks(),
  //                                    model.values().shared_table(), trainer.shared());
  //   trainer.step(x, targets, balancer);
  //
  // The losses that the method sees are those in the total, weight_t L_t; a task without a label
  // that counts has loss and gradient 0. gradient() is then the combined one. Throws what the
  // method throws as well; a gradient that is refused only once it is combined leaves model and
  // optimizer as they were, but the method has made its step. Rows of tables move by the plain sum
  // of the tasks' gradients.
  //
  // At the representation (train/representation.hpp) the method's weights come from the gradients
  // there, GradientBalancer::weigh, and are those of the tasks' losses in all of the trunk, its
  // private parameters included, and in the rows of tables; towers get their own task's gradient.
  // One backward pass, whatever the number of tasks, and memory for the activations of 2048 rows a
  // lane (train/representation_pass.hpp). Throws ConfigError for a method that changes gradients or
  // losses, and a trunk without a representation. Where a step balances is not in a checkpoint's
  // settings: go on as you began.
  double step(BatchArgument<Scalar> x, const Targets<Scalar>& targets,
              GradientBalancer<Scalar>& balancer, BalanceAt at = BalanceAt::parameters);

  // The same with the total Σ_t w_t weight_t L_t, w_t from a weighting that sees the losses
  // weight_t L_t and learns from them afterwards; the total that is returned is without w. Weights
  // that depend on the losses of the very batch cost a forward pass more, as do those that learn
  // from what they are after the step (and learn nothing where they are not finite; what throws
  // then leaves the step made). Those that
  // learn from gradient norms cost a backward pass per task; the norms are those over the ranges in
  // `layer`, or over all shared parameters when it is empty.
  double step(BatchArgument<Scalar> x, const Targets<Scalar>& targets, LossWeighting& weighting,
              std::span<const ParamRange> layer = {});

  // The same with every parameter moving when enough labelled samples have been seen for it
  // (asynchronous_updates.hpp): updates.values() are what has moved, gradient() is the batch's
  // summed one. Penalties add to what moves. A step that throws before it moves anything leaves
  // updates as they were. Throws ConfigError with tables and for heads that compare rows of a
  // group, ShapeError for updates of other parameters.
  double step(BatchArgument<Scalar> x, const Targets<Scalar>& targets,
              AsynchronousUpdates<Scalar>& updates);

  // The first half of a step: total loss and gradient() at the model's values, which stay as they
  // are.
  double compute_gradient(BatchArgument<Scalar> x, const Targets<Scalar>& targets);
  // The same with task_gradients() instead: one forward, and a backward per task of what its loss
  // reaches. They add up to gradient(), to rounding. The first call allocates T gradients per lane.
  double compute_task_gradients(BatchArgument<Scalar> x, const Targets<Scalar>& targets);
  // True when the last batch had a label that counts; without one there is nothing to apply.
  bool has_gradient() const;

  // The second half: moves the model's values by a gradient, that of the last batch or one made of
  // those of several (see gradient_mean.hpp). With tables it is gradient() alone, and the rows of
  // the last batch move as well; another is a ConfigError. Throws ValueError when its squared norm
  // is not finite, ShapeError when it is of other parameters; the model and the optimizer are then
  // as they were. An update that makes values infinite, or an executor that throws, spoils both, as
  // in step.
  void apply(const ParamBuffer<Scalar>& gradient);

  // Terms of the model's parameters alone, which every step adds to the total, and apply() to the
  // gradient that it is given; null for none, as at first. They must outlive the trainer, or its
  // last step, and stay where they are; rows of tables have none. What steps return and gradient()
  // are without them; their values are penalties->values(). Make them a part of the checkpoint,
  // which then holds a run to them. Throws ShapeError for those of other parameters than the
  // model's.
  void set_penalties(Penalties<Scalar>* penalties);
  Penalties<Scalar>* penalties() const { return penalties_; }

  // Of the last step: the gradient that it was made with, that of the total loss unless a method
  // changed it; each task's own loss, without weight_t; and of the last compute_task_gradients the
  // gradients [T] of weight_t L_t, none before it (a balancer may have changed them in place).
  const ParamBuffer<Scalar>& gradient() const { return lanes_.gradient(); }
  std::span<const double> task_losses() const { return lanes_.task_losses(); }
  std::span<ParamBuffer<Scalar>> task_gradients() { return lanes_.task_gradients(); }

  // logits [B, 1, C] of the model as it is now, bit for bit what a Scorer of it computes: for
  // validation between epochs, on the trainer's own weights and lanes, so that there is nothing to
  // make for it. Packs the weights in every call: give it many rows. A row with NaN or infinity
  // spoils its own logits only. Throws ShapeError, and then leaves logits as they were. The last
  // gradients and losses stay.
  void score(BatchArgument<Scalar> x, ViewArgument<Scalar> logits);

  const Model<Scalar>& model() const {
    model_.require("Trainer");
    return *model_;
  }
  // Other values of the same parameters: the best so far, an average, those of a checkpoint. Throws
  // ShapeError for others.
  void load(const ParamBuffer<Scalar>& values) {
    model_.require("Trainer");
    model_->load(values);
  }

  // What its numbers depend on beside model, optimizer and data, by name, to be read: heads,
  // tile_rows, lanes, expert_dropout and, where something is dropped or drawn, the seed.
  PLAIT_COLD void settings(FieldVisitor& visit) const;

  Index num_tasks() const { return loss_.num_tasks(); }
  // The parameters that two or more tasks' losses reach: what methods balance.
  const std::vector<ParamRange>& shared() const { return reach_.shared(); }
  const TaskReach& reach() const { return reach_; }
  const MultiTaskLoss<Scalar>& loss() const { return loss_; }
  // What the batches' features are looked up in; null for rows of numbers.
  InputTables<Scalar>* tables() const { return tables_; }
  Optimizer<Scalar>& optimizer() { return optimizer_; }
  const Optimizer<Scalar>& optimizer() const { return optimizer_; }

 private:
  // A gradient that a step can be made with, that of the penalties included. Throws for one that is
  // not finite.
  const ParamBuffer<Scalar>& whole(const ParamBuffer<Scalar>& gradient);
  void check_gradient(const ParamBuffer<Scalar>& gradient) const;

  // Lanes where the options leave it open.
  static Index num_lanes(const TrainerOptions& options);

  // Checks a batch and makes everything ready that its lanes read.
  LaneWork<Scalar> prepare(const BatchArgument<Scalar>& x, const Targets<Scalar>& targets);
  LaneWork<Scalar> work_of(const BatchArgument<Scalar>& x, const Targets<Scalar>& targets) const;
  double step_at_representation(const BatchArgument<Scalar>& x, const Targets<Scalar>& targets,
                                GradientBalancer<Scalar>& balancer);
  // What a weighting learns from the batch's losses after the step.
  void update_after(const LaneWork<Scalar>& work, LossWeighting& weighting);
  // Sorts the ids of a batch whose gradients are there.
  void collect(const LaneWork<Scalar>& work);

  // The model is there, with the parameters that it had.
  void check_model() const;
  void check_rows(const BatchArgument<Scalar>& x) const;
  void check(const BatchArgument<Scalar>& x, const Targets<Scalar>& targets) const;

  // One step of the optimizer, from which the penalties learn; with numbers, Optimizer::step_some.
  void move(const ParamBuffer<Scalar>& gradient, std::span<const Index> numbers = {});
  void move_values(const ParamBuffer<Scalar>& gradient, std::span<const Index> numbers);

  // Any batch where none is given.
  static void check_shape(const char* argument, View3<const Scalar> view,
                          std::optional<Index> batch, Shape expected);

  static double weight_of_rows(const Targets<Scalar>& targets, Index batch) {
    if (!targets.weights) return static_cast<double>(batch);
    double sum = 0;
    for (Index b = 0; b < batch; ++b) sum += static_cast<double>(*targets.weights.row(b));
    return sum;
  }

  double total() const { return loss_.total(task_losses()); }
  // weight_t L_t.
  std::span<const double> weighted_losses();

  detail::ModelLink<Model<Scalar>> model_;
  detail::OneUser user_;
  MultiTaskLoss<Scalar> loss_;
  Optimizer<Scalar> optimizer_;
  PackedWeights<Scalar> packed_;  // the model's values, as of the last pass
  Index tile_rows_;
  Index recompute_levels_;
  Executor* executor_;
  InputTables<Scalar>* tables_ = nullptr;
  Penalties<Scalar>* penalties_ = nullptr;
  std::optional<ParamBuffer<Scalar>> penalised_;  // a gradient with that of the penalties
  bool check_finite_;
  ExpertDropout dropout_;
  bool draws_;  // the network does
  Tiles tiles_;
  TaskReach reach_;
  std::optional<Representation<Scalar>> representation_;  // none before a step is balanced there
  Lanes<Scalar> lanes_;
  std::vector<double> normaliser_;
  std::vector<double> weighted_losses_;
  std::vector<double> labelled_;       // Σ_i v_t,i, of AsynchronousUpdates
  std::vector<double> norms_;          // of the tasks' gradients, for weightings that need them
  std::vector<double> losses_before_;  // of the step's batch and after it, for those that need both
  std::vector<double> losses_after_;
  std::vector<Index> lane_ends_;
};

template <class Scalar>
Trainer<Scalar>::Trainer(Model<Scalar>& model, std::vector<Head> heads,
                         std::type_identity_t<Rule<Scalar>> rule, TrainerOptions options)
    : model_(model),
      loss_(std::move(heads)),
      optimizer_(model.values().shared_table(), std::move(rule), std::move(options.optimizer)),
      packed_(model.table()),
      tile_rows_(options.tile_rows),
      recompute_levels_(options.recompute_levels),
      executor_(options.executor),
      check_finite_(options.check_finite),
      dropout_{.rate = options.expert_dropout, .seed = options.seed},
      draws_(model.network().draws()),
      reach_(model.network(), model.table(), loss_.heads()),
      lanes_(model.values().shared_table(), loss_.num_tasks(), num_lanes(options), executor_) {
  check_heads_fit("Trainer", loss_.heads(), model.towers());
  require_config(tile_rows_ >= 1, "Trainer", "tile_rows", text(tile_rows_), "at least 1");
  require_config(recompute_levels_ >= 0, "Trainer", "recompute_levels", text(recompute_levels_),
                 "0 or more");
  require_config(dropout_.rate >= 0 && dropout_.rate < 1, "Trainer", "expert_dropout",
                 text(dropout_.rate), "at least 0 and below 1");
  require_config(dropout_.rate == 0 || model.network().drops_experts(), "Trainer", "expert_dropout",
                 text(dropout_.rate), "0 for a network without fusion levels");
}

template <class Scalar>
Trainer<Scalar>::Trainer(Model<Scalar>& model, InputTables<Scalar>& tables, std::vector<Head> heads,
                         std::type_identity_t<Rule<Scalar>> rule, TrainerOptions options)
    : Trainer(model, std::move(heads), std::move(rule), std::move(options)) {
  const Shape in = model.in_shape();
  require_config(in == Shape{1, tables.width()}, "Trainer", "tables",
                 text("a width of ", tables.width()),
                 text("the model's input, ", in.slots, " slot(s) of ", in.dim));
  tables_ = &tables;
}

template <class Scalar>
Trainer<Scalar>::~Trainer() = default;

template <class Scalar>
double Trainer<Scalar>::step(BatchArgument<Scalar> x, ViewArgument<const Scalar> labels,
                             ViewArgument<const Scalar> mask, ViewArgument<const Scalar> weights) {
  return step(x, Targets<Scalar>{labels, mask, weights});
}

template <class Scalar>
double Trainer<Scalar>::step(BatchArgument<Scalar> x, const Targets<Scalar>& targets) {
  const double loss = compute_gradient(x, targets);
  if (has_gradient()) apply(gradient());
  return loss;
}

template <class Scalar>
double Trainer<Scalar>::step(BatchArgument<Scalar> x, const Targets<Scalar>& targets,
                             GradientBalancer<Scalar>& balancer, BalanceAt at) {
  if (at == BalanceAt::representation) return step_at_representation(x, targets, balancer);
  const double loss = compute_task_gradients(x, targets);
  if (!has_gradient()) return loss;
  balancer.combine(task_gradients(), weighted_losses(), lanes_.gradient());
  apply(gradient());
  return loss;
}

template <class Scalar>
double Trainer<Scalar>::step_at_representation(const BatchArgument<Scalar>& x,
                                               const Targets<Scalar>& targets,
                                               GradientBalancer<Scalar>& balancer) {
  const detail::OneUser::Use use(user_);
  model_.require("Trainer");
  balancer.require_weighs(num_tasks());
  if (!representation_) representation_.emplace(model_->network(), reach_);
  auto work = prepare(x, targets);
  work.options.recompute_levels = 0;  // the gates' weights are looked at after the forward pass
  if (has_gradient()) {
    lanes_.compute_balanced_gradient(work, *representation_, [&](const Eigen::MatrixXd& gramian) {
      return balancer.weigh(gramian, weighted_losses());
    });
  } else {
    lanes_.compute_gradient(work);
  }
  collect(work);
  if (!has_gradient()) return total();
  move(whole(gradient()));
  return total();
}

template <class Scalar>
double Trainer<Scalar>::step(BatchArgument<Scalar> x, const Targets<Scalar>& targets,
                             LossWeighting& weighting, std::span<const ParamRange> layer) {
  const detail::OneUser::Use use(user_);
  model_.require("Trainer");
  detail::check_ranges("Trainer", layer, model_->table().buffer_size());
  const auto work = prepare(x, targets);
  if (!has_gradient()) {
    lanes_.compute_gradient(work);
    collect(work);
    return total();
  }
  if (weighting.needs_gradient_norms()) {
    lanes_.compute_task_gradients(work, reach_);
    const std::span<const ParamBuffer<Scalar>> gradients = task_gradients();
    norms_.clear();
    for (const auto& gradient : gradients)
      norms_.push_back(
          std::sqrt(detail::squared_length(gradient, layer.empty() ? std::span(shared()) : layer)));
    const ParamRange all{0, model_->table().buffer_size()};
    const auto weights = weighting.weigh(weighted_losses());
    if (tables_ == nullptr) {
      detail::weighted_sum(gradients, weights, std::span(&all, 1), lanes_.gradient());
    } else {  // the rows' gradients are of the weighted total as well, which takes another pass
      lanes_.compute_gradient(work, weights);
    }
  } else {
    if (weighting.needs_losses()) lanes_.compute_losses(work);
    lanes_.compute_gradient(
        work,
        weighting.weigh(weighting.needs_losses() ? weighted_losses() : std::span<const double>()));
  }
  collect(work);
  const ParamBuffer<Scalar>& gradient = whole(this->gradient());
  if (weighting.needs_losses_after()) {
    move(gradient);
    update_after(work, weighting);
  } else {
    weighting.update(weighted_losses(), norms_);  // or throws, before anything is changed
    move(gradient);
  }
  return total();
}

template <class Scalar>
double Trainer<Scalar>::step(BatchArgument<Scalar> x, const Targets<Scalar>& targets,
                             AsynchronousUpdates<Scalar>& updates) {
  const detail::OneUser::Use use(user_);
  require_config(tables_ == nullptr, "Trainer", "updates", "some, with tables",
                 "none: rows of tables move by the gradient of one batch");
  require_config(!loss_.needs_groups(), "Trainer", "updates", "some, with losses of groups of rows",
                 "heads whose losses are sums over rows");
  require_schema("Trainer", "updates", updates.shared_table(), gradient().shared_table());
  const auto work = prepare(x, targets);
  loss_.masses(targets, labelled_);
  lanes_.compute_gradient(work, labelled_);
  if (!has_gradient()) return total();
  check_gradient(gradient());
  updates.prepare(gradient(), labelled_, weight_of_rows(targets, x.batch()));
  move(whole(updates.values()), updates.numbers());
  updates.commit(gradient());
  return total();
}

template <class Scalar>
void Trainer<Scalar>::update_after(const LaneWork<Scalar>& work, LossWeighting& weighting) {
  losses_before_.assign(task_losses().begin(), task_losses().end());
  const auto restore = [this] { lanes_.set_task_losses(losses_before_); };
  try {
    packed_.pack(model_->values(), executor_);
    lanes_.compute_losses(work);
  } catch (...) {
    restore();
    throw;
  }
  const auto after = weighted_losses();
  losses_after_.assign(after.begin(), after.end());
  restore();
  // A step that led to losses without bounds is no lesson; the next one says so.
  const auto is_finite = [](double loss) { return std::isfinite(loss); };
  if (!std::ranges::all_of(losses_after_, is_finite)) return;
  weighting.update(weighted_losses(), norms_, losses_after_);
}

template <class Scalar>
double Trainer<Scalar>::compute_gradient(BatchArgument<Scalar> x, const Targets<Scalar>& targets) {
  const detail::OneUser::Use use(user_);
  const auto work = prepare(x, targets);
  lanes_.compute_gradient(work);
  collect(work);
  return total();
}

template <class Scalar>
double Trainer<Scalar>::compute_task_gradients(BatchArgument<Scalar> x,
                                               const Targets<Scalar>& targets) {
  const detail::OneUser::Use use(user_);
  const auto work = prepare(x, targets);
  lanes_.compute_task_gradients(work, reach_);
  collect(work);
  return total();
}

template <class Scalar>
bool Trainer<Scalar>::has_gradient() const {
  return std::any_of(normaliser_.begin(), normaliser_.end(), [](double r) { return r > 0; });
}

template <class Scalar>
void Trainer<Scalar>::apply(const ParamBuffer<Scalar>& gradient) {
  const detail::OneUser::Use use(user_);
  model_.require("Trainer");
  require_config(tables_ == nullptr || &gradient == &this->gradient(), "Trainer", "gradient",
                 "another than the last batch's",
                 "gradient(), as the tables' rows are the batch's");
  move(whole(gradient));
}

template <class Scalar>
void Trainer<Scalar>::set_penalties(Penalties<Scalar>* penalties) {
  if (penalties != nullptr)
    require_schema("Trainer", "penalties", penalties->shared_table(), gradient().shared_table());
  penalties_ = penalties;
}

template <class Scalar>
const ParamBuffer<Scalar>& Trainer<Scalar>::whole(const ParamBuffer<Scalar>& gradient) {
  if (penalties_ == nullptr) {
    check_gradient(gradient);
    return gradient;
  }
  require_schema("Trainer", "gradient", gradient.shared_table(), this->gradient().shared_table());
  if (!penalised_) penalised_.emplace(gradient.shared_table());
  std::ranges::copy(gradient.flat(), penalised_->flat().begin());
  penalties_->add(model_->values(), *penalised_);
  check_gradient(*penalised_);
  return *penalised_;
}

template <class Scalar>
void Trainer<Scalar>::move(const ParamBuffer<Scalar>& gradient, std::span<const Index> numbers) {
  move_values(gradient, numbers);
  if (penalties_ != nullptr) penalties_->update(model_->values());
}

template <class Scalar>
void Trainer<Scalar>::move_values(const ParamBuffer<Scalar>& gradient,
                                  std::span<const Index> numbers) {
  using Values = typename Optimizer<Scalar>::Values;
  const Values values = check_finite_ ? Values::finite : Values::anything;
  if (!numbers.empty()) {
    optimizer_.step_some(model_->values_, gradient, numbers, executor_, values);
    return;
  }
  if (tables_ == nullptr) {
    optimizer_.step(model_->values_, gradient, executor_, values);
    return;
  }
  const double rows_squared =
      optimizer_.options().clip_norm ? tables_->squared_norm(executor_) : 0.0;
  const TableStep step{.number = optimizer_.steps() + 1,
                       .rate_factor = optimizer_.rate_factor(),
                       .gradient_scale = optimizer_.gradient_scale(gradient, rows_squared)};
  optimizer_.step(model_->values_, gradient, executor_, values, rows_squared);
  bool finite = false;
  try {
    finite = tables_->move(step, executor_);
  } catch (...) {
    optimizer_.spoil();
    throw;
  }
  if (finite || !check_finite_) return;
  optimizer_.spoil();
  throw ValueError("Trainer", "tables", "NaN or infinity after the update", "finite numbers");
}

template <class Scalar>
void Trainer<Scalar>::score(BatchArgument<Scalar> x, ViewArgument<Scalar> logits) {
  const detail::OneUser::Use use(user_);
  check_model();
  check_rows(x);
  check_shape("logits", logits, x.batch(), model_->out_shape());
  tiles_.cut(x.batch(), tile_rows_);
  packed_.pack(model_->values(), executor_);
  lanes_.score(work_of(x, {}), logits);
}

template <class Scalar>
void Trainer<Scalar>::settings(FieldVisitor& visit) const {
  std::vector<Head> heads = loss_.heads();
  Index tile_rows = tile_rows_;
  Index lanes = lanes_.most();
  double rate = dropout_.rate;
  visit("heads", heads);
  visit("tile_rows", tile_rows);
  visit("lanes", lanes);
  visit("expert_dropout", rate);
  if (rate != 0 || draws_) {
    std::string seed = text(dropout_.seed);
    visit("seed", seed);
  }
  if (tables_ != nullptr) tables_->settings(visit);
}

template <class Scalar>
void Trainer<Scalar>::check_gradient(const ParamBuffer<Scalar>& gradient) const {
  const auto grad = gradient.flat();
  if (!check_finite_) return;
  if (tables_ != nullptr && !tables_->has_finite_norm(lanes_.input_squared_norm(), executor_))
    throw ValueError("Trainer", "gradient of the tables", "NaN or infinity", "finite numbers");
  if (!kernels::has_finite_norm(std::ssize(grad), grad.data()))
    throw ValueError("Trainer", "gradient", "NaN or infinity", "finite numbers");
}

template <class Scalar>
Index Trainer<Scalar>::num_lanes(const TrainerOptions& options) {
  require_config(options.lanes >= 0, "Trainer", "lanes", text(options.lanes), "0 or more");
  return options.lanes > 0 ? options.lanes : options.executor != nullptr ? 8 : 1;
}

template <class Scalar>
LaneWork<Scalar> Trainer<Scalar>::prepare(const BatchArgument<Scalar>& x,
                                          const Targets<Scalar>& targets) {
  check(x, targets);
  loss_.normaliser(targets, normaliser_);
  if (loss_.needs_groups()) {
    tiles_.cut(targets.groups, tile_rows_);
  } else {
    tiles_.cut(x.batch(), tile_rows_);
  }
  packed_.pack(model_->values(), executor_);
  dropout_.step = optimizer_.steps();  // which a checkpoint restores
  auto work = work_of(x, targets);
  work.options = {.expert_dropout = dropout_,
                  .draws = {.seed = dropout_.seed, .step = dropout_.step},
                  .recompute_levels = recompute_levels_};
  if (tables_ != nullptr) work.dx = tables_->gradient(x.batch());
  return work;
}

template <class Scalar>
LaneWork<Scalar> Trainer<Scalar>::work_of(const BatchArgument<Scalar>& x,
                                          const Targets<Scalar>& targets) const {
  LaneWork<Scalar> work{model_->network(),
                        packed_.view(model_->values()),
                        loss_,
                        x,
                        targets,
                        normaliser_,
                        tiles_,
                        {}};
  work.tables = tables_;
  work.sparse = x.features().sparse;
  return work;
}

template <class Scalar>
void Trainer<Scalar>::collect(const LaneWork<Scalar>& work) {
  if (tables_ == nullptr) return;
  lane_ends_.clear();  // without a label that counts no row moves
  if (has_gradient()) lanes_.ends(tiles_, lane_ends_);
  tables_->collect({work.sparse, work.x}, lane_ends_, executor_);
}

template <class Scalar>
void Trainer<Scalar>::check_model() const {
  model_.require("Trainer");
  require_schema("Trainer", "model", model_->values().shared_table(), gradient().shared_table());
}

template <class Scalar>
void Trainer<Scalar>::check_rows(const BatchArgument<Scalar>& x) const {
  require_config(x.is_sparse() == (tables_ != nullptr), "Trainer", "x",
                 x.is_sparse() ? "features" : "rows of numbers",
                 x.is_sparse() ? "rows, as there are no tables" : "features, as there are tables");
  if (tables_ != nullptr) {
    tables_->check(x.features(), "Trainer");
  } else {
    check_shape("x", x, {}, model_->in_shape());
  }
}

template <class Scalar>
void Trainer<Scalar>::check(const BatchArgument<Scalar>& x, const Targets<Scalar>& targets) const {
  check_model();
  check_rows(x);
  loss_.check(targets, x.batch());
  if (!check_finite_) return;
  for (Index s = 0; s < x.slots(); ++s)
    if (!kernels::all_finite(x.slot(s)))
      throw ValueError("Trainer", "x", text("NaN or infinity in slot ", s), "finite numbers");
}

template <class Scalar>
void Trainer<Scalar>::check_shape(const char* argument, View3<const Scalar> view,
                                  std::optional<Index> batch, Shape expected) {
  if (view.batch() == batch.value_or(view.batch()) && view.shape() == expected) return;
  throw ShapeError(
      "Trainer", argument, text("[", view.batch(), ", ", view.slots(), ", ", view.dim(), "]"),
      text("[", batch ? text(*batch) : "batch", ", ", expected.slots, ", ", expected.dim, "]"));
}

template <class Scalar>
std::span<const double> Trainer<Scalar>::weighted_losses() {
  weighted_losses_.assign(task_losses().begin(), task_losses().end());
  for (std::size_t t = 0; t < weighted_losses_.size(); ++t)
    weighted_losses_[t] *= loss_.heads()[t].weight;
  return weighted_losses_;
}

#ifdef PLAIT_COMPILED
extern template class Trainer<float>;
extern template class Trainer<double>;
#endif

}  // namespace plait
