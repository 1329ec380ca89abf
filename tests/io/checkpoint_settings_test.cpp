// A run that goes on with other settings than those of its checkpoint is refused, unless it means
// to.
#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "checkpoint_run.hpp"
#include "plait/architectures/snr.hpp"
#include "plait/layers/mlp.hpp"
#include "plait/methods/cagrad.hpp"
#include "plait/methods/db_mtl.hpp"
#include "plait/methods/dwa.hpp"
#include "plait/methods/gradient_balancer.hpp"
#include "plait/methods/loss_weighting.hpp"
#include "plait/methods/pcgrad.hpp"
#include "plait/methods/scheduled_weights.hpp"
#include "plait/methods/stch.hpp"
#include "plait/methods/uncertainty_weights.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/adagrad.hpp"
#include "plait/optim/rmsprop.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/penalties/norms.hpp"
#include "plait/penalties/penalties.hpp"
#include "plait/train/early_stopping.hpp"
#include "plait/train/weight_average.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using checkpoints::check_equal;
using checkpoints::Run;
using plait::Adam;
using plait::AdamW;
using plait::Checkpoints;
using plait::Head;
using plait::HeadKind;
using plait::Schedule;
using plait::TrainerOptions;
using Rule = plait::Rule<float>;

// What the run whose settings are the second ones is told when it wants to go on from the first.
template <class Make>
std::string refusal(const Make& stored, const Make& wanted) {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  auto first = stored();
  for (int i = 0; i < 3; ++i) first.step();
  const std::string path = first.save(checkpoints);
  auto second = wanted();
  const auto untouched = wanted();
  std::string told;
  try {
    second.resume(checkpoints);
    check_equal(second, first);
    return "nothing";
  } catch (const plait::FormatError& error) {
    told = error.what();
  }
  check_equal(second, untouched);
  const std::string where = "plait::" + path + ": ";
  return told.starts_with(where) ? told.substr(where.size()) : told;
}
std::string of_rules(const Rule& stored, const Rule& wanted) {
  const auto make = [](const Rule& rule) { return [rule] { return Run(rule); }; };
  return refusal(make(stored), make(wanted));
}
std::string of_options(const TrainerOptions& stored, const TrainerOptions& wanted) {
  const auto make = [](const TrainerOptions& options) {
    return [options] { return Run(Adam{}, options); };
  };
  return refusal(make(stored), make(wanted));
}
std::string of_heads(const Head& stored, const Head& wanted) {
  const auto make = [](const Head& head) {
    return [head] { return Run(Adam{}, Run::default_options(), {head, {}}); };
  };
  return refusal(make(stored), make(wanted));
}

}  // namespace

TEST_CASE("checkpoint: hyper-parameters of an optimizer are compared and told") {
  CHECK(of_rules(Adam{}, Adam{}) == "nothing");
  CHECK(of_rules(Adam{.weight_decay = 0.01}, AdamW{.weight_decay = 0.01}) ==
        "optimizer.rule: got Adam, expected AdamW as in this run");
  CHECK(of_rules(Adam{.beta1 = 0.9}, Adam{.beta1 = 0.8}) ==
        "optimizer.beta1: got 0.9, expected 0.8 as in this run");
  CHECK(of_rules(Adam{}, Adam{.beta2 = 0.9990000000000001}) ==
        "optimizer.beta2: got 0.999, expected 0.9990000000000001 as in this run");
  CHECK(of_rules(AdamW{.beta1 = 0.7, .epsilon = 1e-6}, AdamW{}) ==
        "optimizer.beta1, optimizer.epsilon: got 0.7, 1e-06, expected 0.9, 1e-08 as in this run");
  CHECK(of_rules(Adam{.learning_rate = 0.05}, Adam{.learning_rate = 0.06}) ==
        "learning_rate: got 0.05, expected 0.06 as in this run");
  CHECK(of_rules(Adam{}, Adam{.weight_decay = 0.5}) ==
        "weight_decay: got 0, expected 0.5 as in this run");
  using plait::RMSprop;
  CHECK(of_rules(RMSprop{}, RMSprop{.alpha = 0.9}) ==
        "optimizer.alpha: got 0.99, expected 0.9 as in this run");
  CHECK(of_rules(RMSprop{.momentum = 0.5}, RMSprop{.momentum = 0.25}) ==
        "optimizer.momentum: got 0.5, expected 0.25 as in this run");
  using plait::SGD;
  CHECK(of_rules(SGD{.momentum = 0.9}, SGD{.momentum = 0.9, .nesterov = true}) ==
        "optimizer.nesterov: got false, expected true as in this run");
  CHECK(of_rules(SGD{.momentum = 0.9, .dampening = 0.5}, SGD{.momentum = 0.9}) ==
        "optimizer.dampening: got 0.5, expected 0 as in this run");
  CHECK(of_rules(plait::Adagrad{.learning_rate_decay = 1}, plait::Adagrad{}) ==
        "optimizer.learning_rate_decay: got 1, expected 0 as in this run");
}

TEST_CASE("checkpoint: settings of the optimizer and the trainer are compared and told") {
  TrainerOptions options = Run::default_options();
  const TrainerOptions before = options;
  CHECK(of_options(before, options) == "nothing");
  options.optimizer.schedule = Schedule::cosine(13, 0.25).with_warmup(2, 0.5);
  CHECK(of_options(before, options) ==
        "optimizer.schedule: got cosine(12, 0), expected cosine(13, 0.25).with_warmup(2, 0.5) as "
        "in this run");
  options.optimizer.schedule = Schedule::step_decay(5);
  CHECK(of_options(options, before) ==
        "optimizer.schedule: got step_decay(5, 0.1), expected cosine(12, 0) as in this run");
  options = before;
  options.optimizer.clip_norm = {};
  CHECK(of_options(before, options) == "optimizer.clip_norm: got 1, expected none as in this run");
  options = before;
  options.optimizer.groups = {{.pattern = "task_modules.1*", .learning_rate = 0.5},
                              {.pattern = "*.bias", .frozen = true}};
  const std::string told = of_options(before, options);
  CHECK_THAT(told, ContainsSubstring("learning_rate of 'task_modules.1.0.mlp_net.0.weight', "));
  CHECK_THAT(told, ContainsSubstring(" more: got 0.001, 0.001, "));
  CHECK_THAT(told, ContainsSubstring("expected 0.5, 0.5, "));
  options = before;
  options.tile_rows = 2;
  CHECK(of_options(before, options) == "trainer.tile_rows: got 128, expected 2 as in this run");
  options = before;
  options.lanes = 3;
  CHECK(of_options(before, options) == "trainer.lanes: got 1, expected 3 as in this run");
  options = before;
  options.seed = 5;  // of what is dropped, and nothing is
  CHECK(of_options(before, options) == "nothing");
  options.expert_dropout = 0.25;
  TrainerOptions other_seed = options;
  other_seed.seed = 6;
  CHECK(of_options(options, other_seed) == "trainer.seed: got '5', expected '6' as in this run");
  CHECK(of_options(before, options) ==
        "trainer.expert_dropout, trainer.seed: got 0, none, expected 0.25, '5' as in this run");
}

TEST_CASE("checkpoint: what a network draws goes on, and its seed is compared and told") {
  const auto make = [](std::uint64_t seed) {
    return [seed] {
      TrainerOptions options = Run::default_options();
      options.seed = seed;
      return Run(
          Adam{}, options, {{}, {}},
          plait::Model<float>(
              plait::SNR{.input_dim = 3, .num_tasks = 2, .num_experts = 2, .levels = {4}}, {}, 1));
    };
  };
  CHECK(refusal(make(5), make(6)) == "trainer.seed: got '5', expected '6' as in this run");
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  auto first = make(5)();
  for (int i = 0; i < 3; ++i) first.step();
  first.save(checkpoints);
  for (int i = 0; i < 3; ++i) first.step();
  auto second = make(5)();
  second.resume(checkpoints);
  for (int i = 0; i < 3; ++i) second.step();
  check_equal(second, first);
}

TEST_CASE("checkpoint: heads, task weights and the model's description are compared and told") {
  CHECK(of_heads({}, {}) == "nothing");
  CHECK(of_heads({.weight = 1}, {.weight = 0.5}) ==
        "trainer.heads[0].weight: got 1, expected 0.5 as in this run");
  CHECK(of_heads({}, {.kind = HeadKind::focal}) ==
        "trainer.heads[0].kind: got binary, expected focal as in this run");
  CHECK(of_heads({.kind = HeadKind::focal, .gamma = 2}, {.kind = HeadKind::focal, .gamma = 3}) ==
        "trainer.heads[0].gamma: got 2, expected 3 as in this run");
  CHECK(of_heads({.name = "click"}, {.name = "a\n\x1b"}) ==
        "trainer.heads[0].name: got 'click', expected 'a\\x0a\\x1b' as in this run");

  // The same parameters, another network.
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  const auto model = [](plait::Activation activation) {
    return plait::Model<float>(plait::MMoE{.input_dim = 3,
                                           .num_tasks = 2,
                                           .num_experts = 2,
                                           .expert = plait::MLPConfig({4}, activation)},
                               {}, 1);
  };
  auto stored = model(plait::Activation::relu);
  auto wanted = model(plait::Activation::sigmoid);
  const auto before = wanted.values();
  plait::Optimizer<float> optimizer(stored.shared_table(), Adam{});
  plait::Progress<float> progress;
  checkpoints.save(stored, optimizer, progress);
  CHECK_THROWS_WITH(checkpoints.resume(wanted, optimizer, progress),
                    ContainsSubstring("activation: got relu, expected sigmoid as in this run"));
  CHECK(std::ranges::equal(wanted.values().flat(), before.flat()));
  CHECK(checkpoints.resume(stored, optimizer, progress));
}

TEST_CASE("checkpoint: a file from before a field was there goes on where that has its default") {
  const auto settings = [](double dropout) {
    plait::MLPConfig expert{8, 4};
    expert.dropout = dropout;
    const plait::Model<float> model(
        plait::MMoE{.input_dim = 3, .num_tasks = 2, .num_experts = 2, .expert = expert},
        {.hidden = {{4}}}, 1);
    return plait::detail::run_settings(model,
                                       plait::Optimizer<float>(model.shared_table(), Adam{}));
  };
  const auto ours = settings(0);
  plait::detail::Settings before =
      plait::detail::read_settings(plait::detail::write_settings(ours));
  const auto of_dropout = [](const auto& setting) { return setting.name.ends_with(".dropout"); };
  CHECK(std::ranges::count_if(before, of_dropout) >= 2);
  std::erase_if(before, of_dropout);
  CHECK_NOTHROW(plait::detail::require_settings("file", before, ours, {}));
  CHECK_THROWS_WITH(plait::detail::require_settings("file", before, settings(0.5), {}),
                    ContainsSubstring("model.expert.dropout: got none, expected 0.5"));
  // A field that always is there.
  std::erase_if(before, [](const auto& setting) { return setting.name.ends_with(".bias"); });
  CHECK_THROWS_WITH(plait::detail::require_settings("file", before, ours, {}),
                    ContainsSubstring("model.expert.bias, "));
}

TEST_CASE("checkpoint: options of what runs beside the optimizer are compared and told") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  Run run;
  plait::EarlyStopping stopping({{}, {.better = plait::Better::lower}}, {.patience = 3});
  plait::WeightAverage<float> average(run.model.shared_table(), 0.9);
  checkpoints.save(run.trainer, run.progress, {{"stopping", stopping}, {"average", average}});
  plait::EarlyStopping other({{.unit = 0.5}, {}}, {.patience = 4});
  CHECK_THROWS_WITH(run.resume(checkpoints, {{"stopping", other}, {"average", average}}),
                    ContainsSubstring("stopping.tasks[0].unit, stopping.tasks[1].better, "
                                      "stopping.patience: got 1, lower, 3, expected 0.5, none, 4"));
  plait::WeightAverage<float> slower(run.model.shared_table(), 0.99);
  CHECK_THROWS_WITH(run.resume(checkpoints, {{"stopping", stopping}, {"average", slower}}),
                    ContainsSubstring("average.decay: got 0.9, expected 0.99 as in this run"));
  CHECK(run.resume(checkpoints, {{"stopping", stopping}, {"average", slower}},
                   {.may_differ = {"average.decay"}}));
}

namespace {

// What is told of two balancers, or weightings, when one goes on from the other's state.
template <class Part>
std::string of_parts(Part stored, Part wanted) {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  Run run;
  const std::string path = checkpoints.save(run.trainer, run.progress, {{"method", stored}});
  try {
    run.resume(checkpoints, {{"method", wanted}});
  } catch (const plait::FormatError& error) {
    return std::string(error.what()).substr(std::string("plait::" + path + ": ").size());
  }
  return "nothing";
}
template <class Method>
plait::GradientBalancer<float> balancer(Method method) {
  static const Run run;
  return {method, 2, run.model.shared_table(), run.trainer.shared()};
}
template <class Method>
plait::LossWeighting weighting(Method method) {
  return {method, 2};
}

}  // namespace

TEST_CASE("checkpoint: methods and their hyper-parameters are compared and told") {
  CHECK(of_parts(balancer(plait::PCGrad{}), balancer(plait::PCGrad{})) == "nothing");
  CHECK(of_parts(balancer(plait::PCGrad{}), balancer(plait::CAGrad{.c = 0.25})) ==
        "method.method, method.c, method.include_self: got 'PCGrad', none, false, expected "
        "'CAGrad', 0.25, none as in this run");
  CHECK(of_parts(balancer(plait::CAGrad{}),
                 balancer(plait::CAGrad{.rescale = plait::CAGradRescale::by_one})) ==
        "method.rescale: got none, expected by_one as in this run");
  CHECK(of_parts(balancer(plait::DBMTL{.beta = 0.5}), balancer(plait::DBMTL{})) ==
        "method.beta: got 0.5, expected 0.9 as in this run");
  CHECK(of_parts(weighting(plait::DWA{}), weighting(plait::DWA{.temperature = 3})) ==
        "method.temperature: got 2, expected 3 as in this run");
  CHECK(of_parts(weighting(plait::STCH{}), weighting(plait::STCH{.preferences = {1, 2}})) ==
        "method.preferences[0], method.preferences[1]: got none, none, expected 1, 2 as in this "
        "run");
  CHECK(of_parts(weighting(plait::UncertaintyWeights{}),
                 weighting(plait::UncertaintyWeights{
                     .rule = Adam{.learning_rate = 0.5, .beta2 = 0.5}})) ==
        "method.learning_rate, method.beta2: got 0.001, 0.999, expected 0.5, 0.5 as in this run");
  using Per = plait::ScheduledWeights::Per;
  CHECK(of_parts(weighting(plait::ScheduledWeights{}),
                 weighting(plait::ScheduledWeights{.per = Per::step})) ==
        "method.per_step: got false, expected true as in this run");
}

TEST_CASE("checkpoint: penalties and their settings are compared and told") {
  const auto of = [](const std::string& name, plait::Penalty penalty) {
    static const Run run;
    return plait::Penalties<float>(run.model.shared_table(), {{name, std::move(penalty)}});
  };
  CHECK(of_parts(of("a", plait::L1{.weight = 2}), of("a", plait::L1{.weight = 2})) == "nothing");
  CHECK(of_parts(of("a", plait::L1{.weight = 2}), of("a", plait::L1{.weight = 3})) ==
        "method.a.weight: got 2, expected 3 as in this run");
  CHECK(of_parts(of("a", plait::L1{.weight = 2}), of("a", plait::L2{.weight = 2})) ==
        "method.a.penalty: got 'L1', expected 'L2' as in this run");
}

TEST_CASE("checkpoint: a run goes on with another learning rate on purpose") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  Run first;
  for (int i = 0; i < 3; ++i) first.step();
  first.save(checkpoints);

  const auto slower = [] {
    TrainerOptions options = Run::default_options();
    options.optimizer.schedule = Schedule::constant();
    return Run(Adam{.learning_rate = 0.01}, options);
  };
  Run second = slower();
  CHECK_THROWS_WITH(
      second.resume(checkpoints, {}, {.may_differ = {"learning_rate*"}}),
      ContainsSubstring("optimizer.schedule: got cosine(12, 0), expected constant()"));
  CHECK_THROWS_WITH(second.resume(checkpoints, {}, {.may_differ = {"learningrate"}}),
                    "plait::Checkpoints: may_differ: got 'learningrate', expected a pattern that a "
                    "setting's name matches");
  check_equal(second, slower());
  REQUIRE(second.resume(checkpoints, {}, {.may_differ = {"learning_rate*", "*.schedule"}}));
  check_equal(second, first);
  // The first step with the new rate: as long as Adam's with the old one, times the ratio.
  const auto before = second.model.values();
  first.step();
  second.step();
  double old_length = 0, length = 0;
  for (std::size_t i = 0; i < before.flat().size(); ++i) {
    old_length +=
        std::pow(static_cast<double>(first.model.values().flat()[i] - before.flat()[i]), 2);
    length += std::pow(static_cast<double>(second.model.values().flat()[i] - before.flat()[i]), 2);
  }
  const double factor = 0.05 * Schedule::cosine(12).factor(3) / 0.01;
  CHECK_THAT(std::sqrt(old_length / length), Catch::Matchers::WithinRel(factor, 1e-4));
  CHECK(second.trainer.optimizer().steps() == 4);

  // What it writes is of the new rate.
  second.save(checkpoints);
  Run third = slower();
  CHECK(third.resume(checkpoints));
  check_equal(third, second);
}

TEST_CASE("checkpoint: what only the file has set may differ as well") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  TrainerOptions options = Run::default_options();
  options.expert_dropout = 0.25;
  options.optimizer.groups = {{.pattern = "task_modules.1*", .learning_rate = 0.5},
                              {.pattern = "*.bias", .frozen = true}};
  Run first(Adam{.learning_rate = 0.05}, options);
  first.step();
  first.save(checkpoints);
  const std::vector<std::string> all{"learning_rate of *", "frozen of *bias'",
                                     "trainer.expert_dropout", "trainer.seed"};
  for (std::size_t without = 0; without < all.size(); ++without) {
    std::vector<std::string> some = all;
    some.erase(some.begin() + static_cast<std::ptrdiff_t>(without));
    Run refused;
    CHECK_THROWS_AS(refused.resume(checkpoints, {}, {.may_differ = some}), plait::FormatError);
  }
  Run mistaken;
  CHECK_THROWS_AS(mistaken.resume(checkpoints, {}, {.may_differ = {"learning_rate to *"}}),
                  plait::ConfigError);
  CHECK_THROWS_WITH(mistaken.resume(checkpoints, {}, {.may_differ = {"\x1b[2J"}}),
                    ContainsSubstring("may_differ: got '\\x1b[2J', expected"));
  Run second;
  REQUIRE(second.resume(checkpoints, {}, {.may_differ = all}));
  check_equal(second, first);

  // Without any file there are those of the run alone.
  const files::Directory empty;
  Checkpoints none(empty.path());
  CHECK_THROWS_AS(second.resume(none, {}, {.may_differ = {"frozen of *"}}), plait::ConfigError);
  CHECK_FALSE(second.resume(none, {}, {.may_differ = {"frozen"}}));
}

TEST_CASE("checkpoint: a model and an optimizer go on without their trainer, and the reverse") {
  const files::Directory directory;
  Checkpoints checkpoints(directory.path());
  Run run;
  run.step();
  run.save(checkpoints);
  Run alone;
  CHECK(checkpoints.resume(alone.model, alone.trainer.optimizer(), alone.progress));
  checkpoints.save(alone.model, alone.trainer.optimizer(), alone.progress);
  Run again;
  CHECK(again.resume(checkpoints));
  check_equal(again, run);
}

namespace {

// A rule of one's own, which has no name and lists nothing.
struct Plain {
  double learning_rate = 0.5;
  double weight_decay = 0;
  double factor = 1;
  std::vector<std::string> moment_names() const { return {}; }
  void validate() const {}
  template <class Scalar>
  void update(const plait::UpdateStep& step, std::span<Scalar> values, std::span<const Scalar> grad,
              plait::Moments<Scalar>) const {
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] -= static_cast<Scalar>(step.learning_rate * factor) * grad[i];
  }
};
// And one that does.
struct Listed : Plain {
  static constexpr std::string_view name = "Listed";
  void fields(plait::FieldVisitor& visit) { visit("factor", factor); }
};

}  // namespace

TEST_CASE("checkpoint: rules of one's own are compared as far as they tell") {
  Plain doubled;
  doubled.factor = 2;
  CHECK(of_rules(Plain{}, doubled) == "nothing");
  Listed listed;
  CHECK(of_rules(Plain{}, listed) ==
        "optimizer.rule, optimizer.factor: got , none, expected Listed, 1 as in this run");
  Listed other;
  other.factor = 2;
  CHECK(of_rules(listed, other) == "optimizer.factor: got 1, expected 2 as in this run");
}
