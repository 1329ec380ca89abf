// The optimizer chosen on the command line, as one update rule: a trainer is then compiled once for
// each architecture and not for each optimizer as well.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "plait/optim/adagrad.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/rmsprop.hpp"
#include "plait/optim/rule.hpp"
#include "plait/optim/sgd.hpp"

namespace ranker {

class Rule {
 public:
  Rule() : Rule("adam", 1e-3) {}
  // `name` is adam, adamw, adagrad, rmsprop or sgd; throws UsageError for another.
  Rule(std::string_view name, double rate);

  double learning_rate = 0;
  double weight_decay = 0;

  void validate() const;
  std::vector<std::string> moment_names() const;
  void update(const plait::UpdateStep& step, std::span<float> values, std::span<const float> grad,
              plait::Moments<float> moments) const;

 private:
  std::variant<plait::Adam, plait::AdamW, plait::Adagrad, plait::RMSprop, plait::SGD> rule_;
};

static_assert(plait::OptimizerRule<Rule, float>);

}  // namespace ranker
