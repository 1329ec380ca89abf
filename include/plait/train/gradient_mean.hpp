// GradientMean: one step from the gradients of several batches (gradient accumulation).
//
//   GradientMean<float> mean(model.values().shared_table());
//   for (const auto& part : parts) {
//     trainer.compute_gradient(part.x, part.targets);
//     if (trainer.has_gradient()) mean.add(trainer.gradient(), rows(part));
//   }
//   trainer.apply(mean.values());
//   mean.clear();
//
// A Trainer's memory does not grow with the batch, so this is not needed for size; it is for
// batches that arrive one after the other, each gone before the next comes. Not with embedding
// tables, whose rows move by the gradient of one batch: apply(mean.values()) is a ConfigError
// there.
#pragma once
#include <cmath>
#include <memory>
#include <span>

#include "plait/core/error.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/train/running_mean.hpp"

namespace plait {

// Σ_k w_k g_k / Σ_k w_k. When every label is valid and w_k is the number of rows of batch k (or the
// sum of their weights), this is the gradient of the batches put together. With labels missing it
// is a mean of the batches' means, as in every framework that accumulates gradients: the loss
// divides each task by its own number of labels, and one gradient cannot divide each task's part
// anew. Equal shares of labels make the difference vanish.
//
// A value; not thread-safe. Does not allocate after its construction.
template <class Scalar>
class GradientMean {
 public:
  explicit GradientMean(const std::shared_ptr<const ParamTable>& table) : mean_(table) {}

  // Throws, before anything is changed, ValueError unless weight is a finite number above 0,
  // ShapeError for a gradient of other parameters.
  void add(const ParamBuffer<Scalar>& gradient, double weight = 1) {
    if (!(std::isfinite(weight) && weight > 0))
      throw ValueError("GradientMean", "weight", text(weight), "a finite number above 0");
    require_schema("GradientMean", "gradient", gradient.shared_table(),
                   mean_.values().shared_table());
    weight_ += weight;
    mean_.move(gradient, weight / weight_);
  }
  void clear() {
    weight_ = 0;
    mean_.set_zero();
  }

  // The mean; zeros before the first gradient.
  const ParamBuffer<Scalar>& values() const { return mean_.values(); }
  // Σ_k w_k.
  double weight() const { return weight_; }

  // With weight(), all that a stored state needs: the mean and what it rounds away.
  std::span<const ParamBuffer<Scalar>> buffers() const { return mean_.buffers(); }
  // Goes on from a stored state. Throws before anything is changed: ConfigError for a weight that
  // is negative or not finite, ShapeError for other buffers than buffers() has.
  void restore(double weight, std::span<const ParamBuffer<Scalar>> buffers) {
    require_config(std::isfinite(weight) && weight >= 0, "GradientMean", "weight", text(weight),
                   "a finite number of at least 0");
    mean_.restore("GradientMean", buffers);
    weight_ = weight;
  }

 private:
  RunningMean<Scalar> mean_;
  double weight_ = 0;
};

}  // namespace plait
