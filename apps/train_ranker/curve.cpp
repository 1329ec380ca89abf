#include "curve.hpp"

#include <utility>

#include "errors.hpp"

namespace ranker {

void add_to(std::vector<double>& numbers, const Epoch& epoch) {
  numbers.insert(numbers.end(), {epoch.loss, epoch.total, epoch.best ? 1.0 : 0.0});
  for (const TaskScore& score : epoch.validation)
    numbers.insert(numbers.end(), {score.auc, score.ne, score.mse, score.r2});
}

std::vector<Epoch> curve_of(const std::vector<double>& numbers, plait::Index epochs,
                            std::size_t tasks, const std::string& path) {
  const std::size_t size = 3 + 4 * tasks;
  const auto count = static_cast<std::size_t>(epochs);
  if (numbers.size() % size != 0 || numbers.size() / size != count)
    throw UsageError("--resume: " + path + ": curve: got " + std::to_string(numbers.size()) +
                     " numbers, expected " + std::to_string(size) + " for each of " +
                     std::to_string(epochs) + " epochs");
  std::vector<Epoch> curve;
  auto next = numbers.begin();
  for (std::size_t e = 0; e < count; ++e) {
    Epoch epoch;
    epoch.number = static_cast<int>(e) + 1;
    epoch.loss = *next++;
    epoch.total = *next++;
    epoch.best = *next++ != 0;
    for (std::size_t t = 0; t < tasks; ++t) {
      TaskScore score;
      for (double* member : {&score.auc, &score.ne, &score.mse, &score.r2}) *member = *next++;
      epoch.validation.push_back(score);
    }
    curve.push_back(std::move(epoch));
  }
  return curve;
}

}  // namespace ranker
