#include "golden/training_case.hpp"

#include <set>
#include <string>
#include <vector>

#include "golden/reference_config.hpp"
#include "plait/model/model.hpp"
#include "plait/model/registry.hpp"  // all architectures
#include "plait/optim/adagrad.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/rmsprop.hpp"
#include "plait/optim/rule.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/serve/scorer.hpp"
#include "plait/train/trainer.hpp"

namespace golden {
namespace {

// PyTorch's name and arguments; one that is not read is an error.
template <class Scalar>
plait::Rule<Scalar> parse_rule(const Json& json) {
  std::set<std::string> read{"name"};
  const auto value = [&](const char* key, auto otherwise) {
    read.insert(key);
    return json.value(key, otherwise);
  };
  const auto rule = [&]() -> plait::Rule<Scalar> {
    const std::string name = json.at("name");
    const double rate = value("lr", 0.0);
    const double decay = value("weight_decay", 0.0);
    if (name == "sgd")
      return plait::SGD{.learning_rate = rate,
                        .momentum = value("momentum", 0.0),
                        .weight_decay = decay,
                        .nesterov = value("nesterov", false)};
    if (name == "adam") return plait::Adam{.learning_rate = rate, .weight_decay = decay};
    if (name == "adamw") return plait::AdamW{.learning_rate = rate, .weight_decay = decay};
    if (name == "adagrad") return plait::Adagrad{.learning_rate = rate, .weight_decay = decay};
    if (name == "rmsprop") return plait::RMSprop{.learning_rate = rate, .weight_decay = decay};
    throw std::runtime_error("no optimizer " + name);
  }();
  for (const auto& [key, unused] : json.items()) {
    INFO("optimizer argument " << key);
    REQUIRE(read.contains(key));
  }
  return rule;
}

template <class Scalar>
void check_final(const plait::ParamBuffer<Scalar>& got,
                 const plait::ParamBuffer<Scalar>& expected) {
  for (const auto& entry : got.table().entries())
    check_close<Scalar>("final " + entry.name, got.of(entry.id), expected.of(entry.id),
                        Tolerance<Scalar>::training);
}

template <class Scalar>
void train(const plait::Trunk<Scalar>& trunk, const Case<Scalar>& file) {
  const plait::Body tower(file.json("task_mlp").template get<Widths>());
  plait::Model<Scalar> model(trunk, {.hidden = {tower}}, 1);
  model.load(file.parameters(model.values(), "param."));
  plait::Trainer<Scalar> trainer(
      model, std::vector<plait::Head>(static_cast<std::size_t>(model.num_tasks())),
      parse_rule<Scalar>(file.json("optimizer")));

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
  const plait::Scorer<Scalar> scorer(model);
  scorer.context().score(x.rows(0, batch), got_logits);
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
    return train<Scalar>(
        plait::SharedBottom{
            .input_dim = input, .num_tasks = tasks, .expert = plait::Body(flattened(widths))},
        file);
  if (name == "cross_st")
    return train<Scalar>(
        plait::CrossStitch{.input_dim = input, .num_tasks = tasks, .levels = bodies(widths)}, file);
  if (name == "mmoe")
    return train<Scalar>(plait::MLMMoE{.input_dim = input,
                                       .num_tasks = tasks,
                                       .num_experts = shared_experts,
                                       .levels = bodies(widths)},
                         file);
  if (name == "ple")
    return train<Scalar>(plait::PLE{.input_dim = input,
                                    .num_tasks = tasks,
                                    .levels = bodies(widths),
                                    .task_experts = {task_experts},
                                    .shared_experts = shared_experts},
                         file);
  if (name == "att_sp")
    return train<Scalar>(plait::AdaTTSp{.input_dim = input,
                                        .num_tasks = tasks,
                                        .levels = bodies(widths),
                                        .task_experts = task_experts},
                         file);
  if (name == "att_g")
    return train<Scalar>(plait::AdaTT{.input_dim = input,
                                      .num_tasks = tasks,
                                      .levels = bodies(widths),
                                      .task_experts = {task_experts},
                                      .shared_experts = shared_experts},
                         file);
  FAIL("no model " << name);
}

template void check_training(const Case<float>&);
template void check_training(const Case<double>&);

}  // namespace golden
