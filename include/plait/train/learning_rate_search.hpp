// A learning-rate range test: train a copy of the model while the rate grows exponentially, and see
// where the loss falls fastest and where it breaks down (Smith, Cyclical learning rates for
// training neural networks, WACV 2017).
//
// Of models whose input is rows of numbers: embedding tables would have to be copied as well.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/function_ref.hpp"
#include "plait/core/view.hpp"
#include "plait/core/view_argument.hpp"
#include "plait/losses/head.hpp"
#include "plait/losses/targets.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/clip.hpp"
#include "plait/train/trainer.hpp"

namespace plait {

struct LearningRateRange {
  double lowest = 1e-6;
  double highest = 1;
  Index steps = 100;
  double smoothing = 0.9;  // of the losses: the factor of their running mean
  double divergence = 4;   // stop when the smoothed loss is this many times its lowest
};

struct LearningRatePoint {
  double learning_rate = 0;
  double loss = 0;      // of the step's batch, before the step
  double smoothed = 0;  // Σ_i s^(k-i) loss_i / Σ_i s^(k-i)
};

// The points of a range test, by rising learning rate.
class LearningRateCurve {
 public:
  explicit LearningRateCurve(std::vector<LearningRatePoint> points) : points_(std::move(points)) {}

  const std::vector<LearningRatePoint>& points() const { return points_; }

  // The rate at which the smoothed loss was lowest: already too much; a tenth of it is a usual
  // choice. NaN without points.
  double lowest_loss() const {
    if (points_.empty()) return std::numeric_limits<double>::quiet_NaN();
    return points_[lowest()].learning_rate;
  }

  // The rate at which the smoothed loss fell fastest per factor of the rate, on the way to its
  // lowest: the difference between two neighbours is largest. NaN where it never fell.
  double steepest_descent() const {
    double result = std::numeric_limits<double>::quiet_NaN();
    double steepest = 0;
    for (std::size_t k = 1; k + 1 < points_.size() && k <= lowest(); ++k) {
      const double fall = points_[k - 1].smoothed - points_[k + 1].smoothed;
      if (fall <= steepest) continue;
      steepest = fall;
      result = points_[k].learning_rate;
    }
    return result;
  }

 private:
  std::size_t lowest() const {
    const auto by_loss = [](const LearningRatePoint& a, const LearningRatePoint& b) {
      return a.smoothed < b.smoothed;
    };
    return static_cast<std::size_t>(std::min_element(points_.begin(), points_.end(), by_loss) -
                                    points_.begin());
  }

  std::vector<LearningRatePoint> points_;
};

// One batch of a range test; the numbers must live until the next is asked for.
template <class Scalar>
struct TrainingBatch {
  ViewArgument<const Scalar> x;
  Targets<Scalar> targets;
};

// Trains a copy of the model for range.steps steps with the rule, at the rates
//
//   lowest (highest / lowest)^(k / (steps - 1)),   k = 0 ... steps - 1
//
// on the batches that next(k), a TrainingBatch, returns, those without a label that counts being
// passed over; ends early when the loss diverges or is no longer finite. The model stays as it is.
// Parameter groups with rates of their own keep their ratio to the rule's;
// options.optimizer.schedule is replaced by the rising one.
//
// Throws ConfigError for a range without a meaning, and as Trainer's constructor and step do for
// heads, options and data; a gradient or an update that is not finite ends the search
// instead.
template <class Scalar>
LearningRateCurve search_learning_rate(
    const Model<Scalar>& model, const std::vector<Head>& heads,
    std::type_identity_t<Rule<Scalar>> rule,
    std::type_identity_t<FunctionRef<TrainingBatch<Scalar>(Index)>> next,
    const LearningRateRange& range = {}, TrainerOptions options = {}) {
  const char* where = "search_learning_rate";
  const auto positive = [](double x) { return std::isfinite(x) && x > 0; };
  require_config(positive(range.lowest), where, "lowest", text(range.lowest),
                 "a finite number above 0");
  require_config(positive(range.highest) && range.highest > range.lowest, where, "highest",
                 text(range.highest), "a finite number above lowest");
  require_config(range.steps >= 2, where, "steps", text(range.steps), "at least 2");
  require_config(range.smoothing >= 0 && range.smoothing < 1, where, "smoothing",
                 text(range.smoothing), "a number in [0, 1)");
  require_config(range.divergence > 1, where, "divergence", text(range.divergence), "above 1");
  require_config(positive(rule.learning_rate()), where, "learning_rate of the rule",
                 text(rule.learning_rate()), "a finite number above 0");

  const double growth =
      std::pow(range.highest / range.lowest, 1 / static_cast<double>(range.steps - 1));
  for (ParamGroup& group : options.optimizer.groups)
    if (group.learning_rate) *group.learning_rate *= range.lowest / rule.learning_rate();
  rule = rule.with_learning_rate(range.lowest);
  options.optimizer.schedule = Schedule::step_decay(1, growth);

  Model<Scalar> copy = model;
  Trainer trainer(copy, heads, std::move(rule), std::move(options));
  std::vector<LearningRatePoint> points;
  double weighted = 0;  // Σ_i s^(k-i) loss_i
  double weight = 0;    // Σ_i s^(k-i)
  double lowest = std::numeric_limits<double>::infinity();
  for (Index k = 0; k < range.steps; ++k) {
    const TrainingBatch<Scalar> batch = next(k);
    const double loss = trainer.compute_gradient(batch.x, batch.targets);
    if (!trainer.has_gradient()) continue;
    if (!std::isfinite(loss) || !std::isfinite(global_norm(trainer.gradient()))) break;
    weighted = range.smoothing * weighted + loss;
    weight = range.smoothing * weight + 1;
    const double smoothed = weighted / weight;
    const auto steps = static_cast<double>(trainer.optimizer().steps());
    points.push_back({range.lowest * std::pow(growth, steps), loss, smoothed});
    lowest = (std::min)(lowest, smoothed);
    if (smoothed - lowest > (range.divergence - 1) * std::abs(lowest)) break;
    try {
      trainer.apply(trainer.gradient());
    } catch (const ValueError&) {
      break;
    }
  }
  return LearningRateCurve(std::move(points));
}

}  // namespace plait
