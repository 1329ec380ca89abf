// Every kind of step adds a trainer's penalties, and learns in them, or changes nothing.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "plait/architectures/mmoe.hpp"
#include "plait/methods/famo.hpp"
#include "plait/methods/gradient_balancer.hpp"
#include "plait/methods/gradnorm.hpp"
#include "plait/methods/loss_weighting.hpp"
#include "plait/methods/upgrad.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/penalties/norms.hpp"
#include "plait/penalties/penalties.hpp"
#include "plait/penalties/tensor_normal.hpp"
#include "plait/train/trainer.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/difference.hpp"
#include "train/three_tasks.hpp"

using namespace plait;

namespace {

using three_tasks::Batch;

constexpr double rate = 0.1;
const Batch batch(60);

std::vector<NamedPenalty> two() {
  return {
      {"small", L1{.weight = 0.02, .parameters = "*experts*"}},
      {"near each other",
       TensorNormal{.weight = 0.3, .every = 2, .parameters = "task_modules.*.mlp_net.0.weight"}}};
}

struct Run {
  explicit Run(double weight_decay = 0)
      : model(MMoE{.input_dim = 5, .num_tasks = 3, .num_experts = 2, .expert = {4}},
              {.hidden = {{3}}}, 3),
        trainer(model, three_tasks::heads(),
                SGD{.learning_rate = rate, .weight_decay = weight_decay}),
        penalties(model.values().shared_table(), two()) {}

  Model<double> model;
  Trainer<double> trainer;
  Penalties<double> penalties;
};

}  // namespace

TEST_CASE("every kind of step adds the penalties' gradient to its own") {
  using Step = void (*)(Trainer<double>&);
  const std::vector<std::pair<const char*, Step>> kinds{
      {"plain", [](Trainer<double>& trainer) { trainer.step(batch.x, batch.targets()); }},
      {"halves",
       [](Trainer<double>& trainer) {
         trainer.compute_gradient(batch.x, batch.targets());
         const ParamBuffer<double> gradient = trainer.gradient();
         trainer.apply(gradient);
       }},
      {"balanced",
       [](Trainer<double>& trainer) {
         GradientBalancer<double> balancer(UPGrad{}, 3, trainer.model().values().shared_table(),
                                           trainer.shared());
         trainer.step(batch.x, batch.targets(), balancer);
       }},
      {"at the representation",
       [](Trainer<double>& trainer) {
         GradientBalancer<double> balancer(UPGrad{}, 3, trainer.model().values().shared_table(),
                                           trainer.shared());
         trainer.step(batch.x, batch.targets(), balancer, BalanceAt::representation);
       }},
      {"weighted",
       [](Trainer<double>& trainer) {
         LossWeighting weighting(GradNorm{}, 3);
         trainer.step(batch.x, batch.targets(), weighting);
       }},
      {"weighted by what it led to", [](Trainer<double>& trainer) {
         LossWeighting weighting(FAMO{}, 3);
         trainer.step(batch.x, batch.targets(), weighting);
       }}};
  for (const auto& [name, step] : kinds) {
    INFO(name);
    Run plain, with;
    with.trainer.set_penalties(&with.penalties);
    ParamBuffer<double> wanted(plain.model.values().shared_table());
    Penalties<double> same = with.penalties;
    const double total = same.add(plain.model.values(), wanted);
    step(plain.trainer);
    step(with.trainer);
    double most = 0;
    for (std::size_t i = 0; i < wanted.flat().size(); ++i)
      most = std::max(most, std::abs(plain.model.values().flat()[i] - rate * wanted.flat()[i] -
                                     with.model.values().flat()[i]));
    CHECK(most < 1e-14);
    CHECK(std::ranges::any_of(wanted.flat(), [](double g) { return g != 0; }));
    // What is told of the step is without them.
    CHECK(std::ranges::equal(plain.trainer.gradient().flat(), with.trainer.gradient().flat()));
    CHECK(std::ranges::equal(plain.trainer.task_losses(), with.trainer.task_losses()));
    CHECK(with.penalties.values()[0] + with.penalties.values()[1] == total);
    CHECK(with.penalties.state().steps == 1);
    const auto learned = with.penalties.state().numbers;
    step(with.trainer);
    CHECK(with.penalties.state().numbers != learned);  // after two steps
    with.trainer.set_penalties(nullptr);
    step(with.trainer);
    CHECK(with.penalties.state().steps == 2);
  }
}

TEST_CASE("L2 is SGD's weight decay") {
  Run decayed(0.3), with;
  Penalties<double> norm(with.model.values().shared_table(), {{"decay", L2{.weight = 0.3}}});
  with.trainer.set_penalties(&norm);
  for (int step = 0; step < 5; ++step) {
    const double wanted = decayed.trainer.step(batch.x, batch.targets());
    CHECK(std::abs(with.trainer.step(batch.x, batch.targets()) - wanted) < 1e-12);
  }
  CHECK(difference(decayed.model.values(), with.model.values()) < 1e-12);
}

TEST_CASE("the gradient of the total is clipped, its penalties included") {
  Run free, clipped;
  free.trainer.set_penalties(&free.penalties);
  const ParamBuffer<double> start = free.model.values();
  free.trainer.step(batch.x, batch.targets());
  double squared = 0;
  for (std::size_t i = 0; i < start.flat().size(); ++i)
    squared += std::pow((free.model.values().flat()[i] - start.flat()[i]) / rate, 2);
  const double norm = std::sqrt(squared), most = norm / 3;
  Trainer<double> trainer(clipped.model, three_tasks::heads(), SGD{.learning_rate = rate},
                          {.optimizer = {.clip_norm = most}});
  trainer.set_penalties(&clipped.penalties);
  trainer.step(batch.x, batch.targets());
  const double scale = most / (norm + 1e-6);  // PyTorch's
  for (std::size_t i = 0; i < start.flat().size(); ++i)
    CHECK(std::abs(clipped.model.values().flat()[i] - start.flat()[i] -
                   scale * (free.model.values().flat()[i] - start.flat()[i])) < 1e-12);
}

TEST_CASE("a step whose penalty is not finite changes nothing") {
  Run run;
  Penalties<double> norm(run.model.values().shared_table(), {{"too large", L2{.weight = 1e200}}});
  run.trainer.set_penalties(&norm);
  const ParamBuffer<double> before = run.model.values();
  CHECK_THROWS_AS(run.trainer.step(batch.x, batch.targets()), ValueError);
  LossWeighting weighting(GradNorm{}, 3);
  const auto weights = weighting.state();
  CHECK_THROWS_AS(run.trainer.step(batch.x, batch.targets(), weighting), ValueError);
  CHECK(weighting.state().numbers == weights.numbers);
  CHECK(std::ranges::equal(before.flat(), run.model.values().flat()));
  CHECK(run.trainer.optimizer().steps() == 0);
  CHECK(norm.state().steps == 0);
  run.trainer.set_penalties(nullptr);
  run.trainer.step(batch.x, batch.targets());
  CHECK(run.trainer.optimizer().steps() == 1);
}

TEST_CASE("penalties are of the model's parameters, and of steps that are made") {
  Run run;
  Model<double> other(MMoE{.input_dim = 5, .num_tasks = 3, .num_experts = 3, .expert = {4}}, {}, 3);
  Penalties<double> others(other.values().shared_table(), {{"norm", L2{}}});
  CHECK_THROWS_AS(run.trainer.set_penalties(&others), ShapeError);
  run.trainer.set_penalties(&run.penalties);
  const Matrix<double> none = Matrix<double>::Zero(60, 3);
  run.trainer.step(batch.x, batch.labels, none);
  CHECK(run.penalties.state().steps == 0);
  run.trainer.compute_gradient(batch.x, batch.targets());
  CHECK_THROWS_AS(run.trainer.apply(ParamBuffer<double>(other.values().shared_table())),
                  ShapeError);
  CHECK(run.penalties.state().steps == 0);
}

TEST_CASE("steps with penalties allocate at first only") {
  Run run;
  run.trainer.set_penalties(&run.penalties);
  run.trainer.step(batch.x, batch.targets());
  const auto before = allocations::count();
  for (int step = 0; step < 4; ++step) run.trainer.step(batch.x, batch.targets());
  CHECK(allocations::count() == before);
}
