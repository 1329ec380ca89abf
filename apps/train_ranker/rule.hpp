// The optimizers chosen on the command line: of the network, and of the rows of tables.
#pragma once
#include <optional>
#include <string_view>

#include "plait/optim/rule.hpp"
#include "plait/sparse/row_rule.hpp"

namespace ranker {

// `name` is adam, adamw, adagrad, rmsprop or sgd; throws UsageError for another.
plait::Rule<float> make_rule(std::string_view name, double rate);

// `name` is rowwise_adagrad, adagrad, sgd, lazy_adam, rowwise_adam or ftrl; throws UsageError for
// another. Without a rate, one that suits it.
plait::RowRule<float> make_row_rule(std::string_view name, std::optional<double> rate = {});

}  // namespace ranker
