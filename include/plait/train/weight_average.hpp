// WeightAverage: an exponential moving average of a model's values, which often scores better than
// the last of them.
//
//   WeightAverage<float> average(model.values().shared_table(), 0.999);
//   for (...) { trainer.step(...); average.update(model.values()); }
//   model.load(average.values());          // to evaluate, save or serve
//
// Embedding tables are left out: an average would pass over all of their rows in every step. The
// averaged network is used with the tables as they are.
#pragma once
#include <cmath>
#include <memory>
#include <span>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/train/running_mean.hpp"

namespace plait {

// After n updates, with the values v_1 ... v_n,
//
//   average = Σ_i decay^(n-i) v_i / Σ_i decay^(n-i)
//
// a mean of what was seen and nothing else, from the first update on, so there is nothing to warm
// up. A value; not thread-safe. Does not allocate after its construction.
template <class Scalar>
class WeightAverage {
 public:
  // Throws ConfigError unless decay is in [0, 1).
  WeightAverage(const std::shared_ptr<const ParamTable>& table, double decay)
      : decay_(decay), mean_(table) {
    require_config(decay >= 0 && decay < 1, "WeightAverage", "decay", text(decay),
                   "a number in [0, 1)");
  }

  // Throws ShapeError for the values of other parameters.
  void update(const ParamBuffer<Scalar>& values) {
    require_schema("WeightAverage", "values", values.shared_table(), mean_.values().shared_table());
    ++updates_;
    // (1 - d) / (1 - d^n): 1 at first, 1 - d in the long run.
    const double share =
        (1 - decay_) / -std::expm1(static_cast<double>(updates_) * std::log(decay_));
    mean_.move(values, share);
  }

  // The average; zeros before the first update.
  const ParamBuffer<Scalar>& values() const { return mean_.values(); }
  Index updates() const { return updates_; }

  // With updates(), all that a stored state needs: the average and what it rounds away.
  std::span<const ParamBuffer<Scalar>> buffers() const { return mean_.buffers(); }
  // Goes on from a stored state. Throws before anything is changed: ConfigError for a negative
  // number of updates, ShapeError for other buffers than buffers() has.
  void restore(Index updates, std::span<const ParamBuffer<Scalar>> buffers) {
    require_config(updates >= 0, "WeightAverage", "updates", text(updates), "at least 0");
    mean_.restore("WeightAverage", buffers);
    updates_ = updates;
  }
  // By name, to be read.
  void settings(FieldVisitor& visit) const {
    double decay = decay_;
    visit("decay", decay);
  }

 private:
  double decay_;
  RunningMean<Scalar> mean_;
  Index updates_ = 0;
};

}  // namespace plait
