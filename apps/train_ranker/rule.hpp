// The optimizer chosen on the command line.
#pragma once
#include <string_view>

#include "plait/optim/rule.hpp"

namespace ranker {

// `name` is adam, adamw, adagrad, rmsprop or sgd; throws UsageError for another.
plait::Rule<float> make_rule(std::string_view name, double rate);

}  // namespace ranker
