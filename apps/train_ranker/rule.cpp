#include "rule.hpp"

#include <string>

#include "errors.hpp"
#include "plait/optim/adagrad.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/ftrl.hpp"
#include "plait/optim/rmsprop.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/sparse/lazy_adam.hpp"
#include "plait/sparse/rowwise_adagrad.hpp"
#include "plait/sparse/rowwise_adam.hpp"

namespace ranker {

plait::Rule<float> make_rule(std::string_view name, double rate) {
  if (name == "adam") return plait::Adam{.learning_rate = rate};
  if (name == "adamw") return plait::AdamW{.learning_rate = rate};
  if (name == "adagrad") return plait::Adagrad{.learning_rate = rate};
  if (name == "sgd") return plait::SGD{.learning_rate = rate};
  if (name == "rmsprop") return plait::RMSprop{.learning_rate = rate};
  throw UsageError("--optimizer: got " + std::string(name) +
                   ", expected adam, adamw, adagrad, rmsprop or sgd");
}

plait::RowRule<float> make_row_rule(std::string_view name, std::optional<double> rate) {
  if (name == "rowwise_adagrad") return plait::RowwiseAdagrad{.learning_rate = rate.value_or(0.05)};
  if (name == "adagrad") return plait::Adagrad{.learning_rate = rate.value_or(0.1)};
  if (name == "sgd") return plait::SGD{.learning_rate = rate.value_or(3)};
  if (name == "lazy_adam") return plait::LazyAdam{.learning_rate = rate.value_or(3e-3)};
  if (name == "rowwise_adam") return plait::RowwiseAdam{.learning_rate = rate.value_or(3e-3)};
  if (name == "ftrl") return plait::FTRL{.learning_rate = rate.value_or(0.2)};
  throw UsageError("--row-rule: got " + std::string(name) +
                   ", expected rowwise_adagrad, adagrad, sgd, lazy_adam, rowwise_adam or ftrl");
}

}  // namespace ranker
