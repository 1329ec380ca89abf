// Metrics of a model on some rows of a data set.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "dataset.hpp"
#include "plait/core/view.hpp"
#include "plait/metrics/metric_value.hpp"
#include "plait/sparse/input_tables.hpp"
#include "results.hpp"

namespace plait {
template <class Scalar>
class Trainer;
}

namespace ranker {

using Score = std::function<void(const plait::BatchArgument<float>& x, plait::View3<float> logits)>;

// plait::TaskMetrics of what `score` predicts. Throws plait::ValueError, of `who`, where that is
// NaN or infinity.
std::vector<plait::MetricValue> measure(const char* who, const Score& score, const Dataset& data,
                                        std::span<const Index> rows);

// Of the model that the trainer trains, as it is now. Throws plait::ValueError where it predicts
// NaN or infinity.
std::vector<TaskScore> evaluate(plait::Trainer<float>& trainer, const Dataset& data,
                                std::span<const Index> rows);

// Sum over tasks of TaskScore::value, without those that are NaN.
double total_value(std::span<const plait::Head> heads, std::span<const TaskScore> scores);

}  // namespace ranker
