// MetricValue: one number about one task, and which way it is better.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "plait/metrics/mtl_gain.hpp"

namespace plait {

struct MetricValue {
  std::string task;
  std::string name;
  double value;
  Better better;
};

// The first value of every task, which TaskMetrics makes the one to compare models by.
inline std::vector<MetricValue> first_of_each_task(std::span<const MetricValue> values) {
  std::vector<MetricValue> result;
  for (const MetricValue& value : values)
    if (result.empty() || result.back().task != value.task) result.push_back(value);
  return result;
}

}  // namespace plait
