#include "rule.hpp"

#include "errors.hpp"

namespace ranker {

Rule::Rule(std::string_view name, double rate) : learning_rate(rate) {
  if (name == "adam")
    rule_ = plait::Adam{.learning_rate = rate};
  else if (name == "adamw")
    rule_ = plait::AdamW{.learning_rate = rate};
  else if (name == "adagrad")
    rule_ = plait::Adagrad{.learning_rate = rate};
  else if (name == "sgd")
    rule_ = plait::SGD{.learning_rate = rate};
  else if (name == "rmsprop")
    rule_ = plait::RMSprop{.learning_rate = rate};
  else
    throw UsageError("--optimizer: got " + std::string(name) +
                     ", expected adam, adamw, adagrad, rmsprop or sgd");
  weight_decay = std::visit([](const auto& rule) { return rule.weight_decay; }, rule_);
}

void Rule::validate() const {
  std::visit([](const auto& rule) { rule.validate(); }, rule_);
}

std::vector<std::string> Rule::moment_names() const {
  return std::visit([](const auto& rule) { return rule.moment_names(); }, rule_);
}

void Rule::update(const plait::UpdateStep& step, std::span<float> values,
                  std::span<const float> grad, plait::Moments<float> moments) const {
  std::visit([&](const auto& rule) { rule.update(step, values, grad, moments); }, rule_);
}

}  // namespace ranker
