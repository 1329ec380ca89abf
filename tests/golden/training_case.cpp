#include "golden/training_case.hpp"

#include <set>
#include <variant>

#include "golden/reference_config.hpp"
#include "plait/layers/adatt.hpp"
#include "plait/layers/cross_stitch.hpp"
#include "plait/layers/mmoe.hpp"
#include "plait/layers/model.hpp"
#include "plait/layers/ple.hpp"
#include "plait/layers/shared_bottom.hpp"
#include "plait/optim/adagrad.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/rmsprop.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/serve/scoring_context.hpp"
#include "plait/train/trainer.hpp"

namespace golden {
namespace {

// Any of the rules as one type, so that a trainer is compiled once per architecture.
struct AnyRule {
  std::variant<plait::SGD, plait::Adam, plait::AdamW, plait::Adagrad, plait::RMSprop> rule;
  double learning_rate = 0;
  double weight_decay = 0;

  void validate() const {
    std::visit([](const auto& r) { r.validate(); }, rule);
  }
  std::vector<std::string> moment_names() const {
    return std::visit([](const auto& r) { return r.moment_names(); }, rule);
  }
  template <class Scalar>
  void update(const plait::UpdateStep& step, std::span<Scalar> values, std::span<const Scalar> grad,
              plait::Moments<Scalar> moments) const {
    std::visit([&](const auto& r) { r.update(step, values, grad, moments); }, rule);
  }
};

// PyTorch's name and arguments; one that is not read is an error.
AnyRule parse_rule(const Json& json) {
  std::set<std::string> read{"name"};
  const auto value = [&](const char* key, auto otherwise) {
    read.insert(key);
    return json.value(key, otherwise);
  };
  AnyRule result;
  const std::string name = json.at("name");
  const double rate = value("lr", 0.0);
  const double decay = value("weight_decay", 0.0);
  if (name == "sgd")
    result.rule = plait::SGD{.learning_rate = rate,
                             .momentum = value("momentum", 0.0),
                             .weight_decay = decay,
                             .nesterov = value("nesterov", false)};
  else if (name == "adam")
    result.rule = plait::Adam{.learning_rate = rate, .weight_decay = decay};
  else if (name == "adamw")
    result.rule = plait::AdamW{.learning_rate = rate, .weight_decay = decay};
  else if (name == "adagrad")
    result.rule = plait::Adagrad{.learning_rate = rate, .weight_decay = decay};
  else if (name == "rmsprop")
    result.rule = plait::RMSprop{.learning_rate = rate, .weight_decay = decay};
  else
    FAIL("no optimizer " << name);
  std::visit(
      [&](const auto& rule) {
        result.learning_rate = rule.learning_rate;
        result.weight_decay = rule.weight_decay;
      },
      result.rule);
  for (const auto& [key, unused] : json.items()) {
    INFO("optimizer argument " << key);
    REQUIRE(read.contains(key));
  }
  return result;
}

template <class Scalar>
void check_final(const plait::ParamBuffer<Scalar>& got,
                 const plait::ParamBuffer<Scalar>& expected) {
  for (const auto& entry : got.table().entries())
    check_close<Scalar>("final " + entry.name, got.of(entry.id), expected.of(entry.id),
                        Tolerance<Scalar>::training);
}

template <plait::Layer Trunk>
void train(const typename Trunk::Config& config, const Case<typename Trunk::Scalar>& file) {
  using Scalar = typename Trunk::Scalar;
  const plait::MLPConfig tower(file.json("task_mlp").template get<Widths>());
  plait::Model<Trunk> model(config, {.hidden = {tower}}, 1);
  model.values() = file.parameters(model.values(), "param.");
  plait::Trainer trainer(model,
                         std::vector<plait::Head>(static_cast<std::size_t>(model.num_tasks())),
                         parse_rule(file.json("optimizer")));

  const Index steps = file.json("steps");
  const Index batch = file.json("batch");
  // [steps, B, n] as [steps * B, 1, n], whose rows are the batches one after the other.
  const auto batches = [&](plait::Tensor<Scalar>& tensor) {
    REQUIRE(tensor.view().shape().slots == batch);
    return plait::View3<const Scalar>(tensor.view().data(), steps * batch, 1, tensor.dim());
  };
  auto x_numbers = file.tensor("x");
  auto label_numbers = file.tensor("labels");
  auto mask_numbers = file.tensor("mask");
  const auto x = batches(x_numbers);
  const auto labels = batches(label_numbers);
  const auto mask = batches(mask_numbers);

  auto logits = file.tensor("logits");
  plait::Tensor<Scalar> got_logits(batch, 1, logits.dim());
  plait::ScoringContext(model).score(x.rows(0, batch), got_logits);
  check_output("logits", got_logits, logits);

  auto losses = file.tensor("losses");
  std::vector<Scalar> got_losses;
  for (Index step = 0; step < steps; ++step) {
    const Index first = step * batch;
    got_losses.push_back(static_cast<Scalar>(
        trainer.step(x.rows(first, batch), labels.rows(first, batch), mask.rows(first, batch))));
    if (step == 0)
      check_gradients(trainer.gradient(), file.parameters(trainer.gradient(), "grad."));
  }
  check_close<Scalar>("losses", got_losses, Case<Scalar>::numbers(losses),
                      Tolerance<Scalar>::training);
  check_final(model.values(), file.parameters(model.values(), "final."));
}

}  // namespace

template <class Scalar>
void check_training(const Case<Scalar>& file) {
  const Json c = file.json("mtl");
  const std::string name = c.at("mtl_model");
  const Index input = file.json("input_dim");
  const Index tasks = file.json("num_task");
  const Index task_experts = c.at("num_task_experts");
  const Index shared_experts = c.at("num_shared_experts");
  const auto widths = c.at("expert_out_dims").get<std::vector<Widths>>();
  if (name == "share_bottom")
    return train<plait::SharedBottom<Scalar>>(
        {.input_dim = input, .num_tasks = tasks, .expert = plait::MLPConfig(flattened(widths))},
        file);
  if (name == "cross_st")
    return train<plait::CrossStitch<Scalar>>(
        {.input_dim = input, .num_tasks = tasks, .levels = mlps(widths)}, file);
  if (name == "mmoe")
    return train<plait::MLMMoE<Scalar>>({.input_dim = input,
                                         .num_tasks = tasks,
                                         .num_experts = shared_experts,
                                         .levels = mlps(widths)},
                                        file);
  if (name == "ple")
    return train<plait::PLE<Scalar>>({.input_dim = input,
                                      .num_tasks = tasks,
                                      .levels = mlps(widths),
                                      .task_experts = {task_experts},
                                      .shared_experts = shared_experts},
                                     file);
  if (name == "att_sp")
    return train<plait::AdaTTSp<Scalar>>({.input_dim = input,
                                          .num_tasks = tasks,
                                          .levels = mlps(widths),
                                          .task_experts = task_experts},
                                         file);
  if (name == "att_g")
    return train<plait::AdaTT<Scalar>>({.input_dim = input,
                                        .num_tasks = tasks,
                                        .levels = mlps(widths),
                                        .task_experts = {task_experts},
                                        .shared_experts = shared_experts},
                                       file);
  FAIL("no model " << name);
}

template void check_training(const Case<float>&);
template void check_training(const Case<double>&);

}  // namespace golden
