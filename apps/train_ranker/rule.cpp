#include "rule.hpp"

#include <string>

#include "errors.hpp"
#include "plait/optim/adagrad.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/rmsprop.hpp"
#include "plait/optim/sgd.hpp"

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

}  // namespace ranker
