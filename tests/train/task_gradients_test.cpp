// The tasks' gradients one by one, which parameters they share, and steps that balance them.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "methods/all_methods.hpp"
#include "plait/methods/gradient_balancer.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/train/trainer.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/difference.hpp"
#include "support/every_kind.hpp"
#include "support/models.hpp"
#include "train/three_tasks.hpp"

using namespace plait;

namespace {

using three_tasks::Batch;
using three_tasks::heads;
using three_tasks::sizes;
using three_tasks::tasks;

bool equal_bits(const ParamBuffer<double>& a, const ParamBuffer<double>& b) {
  return std::ranges::equal(a.flat(), b.flat());
}

// The gradient of one task's share of the total by the plain way: its mask alone.
ParamBuffer<double> gradient_alone(Trainer<double>& trainer, const Batch& batch, Index task) {
  Matrix<double> mask = Matrix<double>::Zero(batch.mask.rows(), tasks);
  mask.col(task) = batch.mask.col(task);
  trainer.compute_gradient(batch.x, {batch.labels, mask});
  return trainer.gradient();
}

std::vector<bool> covered(const std::vector<ParamRange>& ranges, Index size) {
  std::vector<bool> result(static_cast<std::size_t>(size));
  for (const ParamRange& range : ranges)
    std::fill_n(result.begin() + range.offset, range.size, true);
  return result;
}

// Names of tensors, and of rows of those that are covered in part.
std::vector<std::string> names(const Model<double>& model, const std::vector<ParamRange>& ranges) {
  const auto in = covered(ranges, model.table().buffer_size());
  std::vector<std::string> result;
  for (const ParamEntry& entry : model.table().entries()) {
    Index count = 0;
    for (Index i = 0; i < entry.id.size(); ++i) count += in[std::size_t(entry.id.offset + i)];
    if (count == entry.id.size()) {
      result.push_back(entry.name);
    } else if (count > 0) {
      for (Index r = 0; r < entry.id.rows; ++r)
        if (in[std::size_t(entry.id.offset + r * entry.id.cols)])
          result.push_back(text(entry.name, "[", r, "]"));
    }
  }
  return result;
}

Model<double> with_trunk(Trunk<double> trunk) { return Model<double>(std::move(trunk), {}, 1); }

// The names of a trunk's shared parameters without weight and bias, each once.
std::vector<std::string> shared_names(const Trunk<double>& trunk) {
  const Model<double> model = with_trunk(trunk);
  const std::vector<Head> binary(2);
  const TaskReach reach(model.network(), model.table(), binary);
  std::vector<std::string> result;
  for (std::string name : names(model, reach.shared())) {
    for (const char* end : {".mlp_net.0.weight", ".mlp_net.0.bias", ".0.weight", ".0.bias"})
      if (name.ends_with(end) && name.find("stitchs") == std::string::npos)
        name.resize(name.size() - std::string(end).size());
    name.erase(0, std::string("mtl_arch.").size());
    if (result.empty() || result.back() != name) result.push_back(name);
  }
  std::ranges::sort(result);
  return result;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("shared parameters are those of each architecture's paper") {
  const std::vector<Body> levels{{4}, {3}};
  CHECK(shared_names(SharedBottom{3, 2, {4}}) == Names{"bottom_projection"});
  CHECK(shared_names(SingleTask{3, 2, {4}}).empty());
  CHECK(shared_names(MMoE{3, 2, 2, {4}}) == Names{"experts.0.0", "experts.0.1"});
  CHECK(shared_names(MLMMoE{3, 2, 2, levels}) ==
        Names{"experts.0.0", "experts.0.1", "experts.1.0", "experts.1.1", "gates.0.0.1.bias",
              "gates.0.0.1.weight", "gates.0.1.1.bias", "gates.0.1.1.weight"});
  CHECK(shared_names(CGC{3, 2, {4}}) == Names{"experts.0.2"});
  CHECK(shared_names(PLE{3, 2, levels}) ==
        Names{"experts.0.0", "experts.0.1", "experts.0.2", "experts.1.2", "gate_weights.0.2"});
  CHECK(shared_names(PLE{2, 2, {{4}, {3}, {2}}}) ==
        Names{"experts.0.0", "experts.0.1", "experts.0.2", "experts.1.0", "experts.1.1",
              "experts.1.2", "experts.2.2", "gate_weights.0.0", "gate_weights.0.1",
              "gate_weights.0.2", "gate_weights.1.2"});
  CHECK(shared_names(PLE{3, 2, levels, {1}, 0}).empty());
  CHECK(shared_names(CrossStitch{3, 2, levels}) ==
        Names{"experts.0.0", "experts.0.1", "experts.1.0", "experts.1.1", "stitchs.0.weight"});
  CHECK(shared_names(AdaTTSp{3, 2, levels, 1}) == Names{"experts.0.0", "experts.0.1", "experts.1.0",
                                                        "experts.1.1", "gate_weights.0.0",
                                                        "gate_weights.0.1"});
  // v has a row per level, those of the last level private.
  CHECK(shared_names(AdaTT{3, 2, levels, {2}, 1}) ==
        Names{"experts.0.0", "experts.0.1", "experts.0.2", "experts.0.3", "experts.0.4",
              "experts.1.0", "experts.1.1", "experts.1.2", "experts.1.3", "experts.1.4",
              "gate_weights.0.0", "gate_weights.0.1", "gate_weights.0.2", "self_exp_weights.0[0]",
              "self_exp_weights.1[0]", "self_exp_weights.2"});
  CHECK(shared_names(CustomizedSharing{3, 2, {4}}) == Names{"shared_bottom"});
  CHECK(shared_names(AsymmetricSharing{3, 2, {4}, {{}, {0}}}).empty());
  CHECK(shared_names(AsymmetricSharing{3, 2, {4}, {{}, {0}}, Fusion::concat, false}) ==
        Names{"bottoms.0"});
  // As cross-stitch; β has a row per task.
  CHECK(shared_names(Sluice{3, 2, {{4}, {4}}}) ==
        Names{"alphas.0", "experts.0.0", "experts.0.1", "experts.1.0", "experts.1.1"});
  // Encoders and orders are a task's own.
  CHECK(shared_names(SoftOrdering{3, 2, {4}, 2}) == Names{"layers.0", "layers.1"});
  CHECK(shared_names(SoftOrdering{3, 2, {4}, 2, Activation::relu, false}) ==
        Names{"encoder", "layers.0", "layers.1"});
  // Connections are of what they lead to.
  CHECK(shared_names(SNR{3, 2, 2, {4}}) == Names{"experts.0.0", "experts.0.1"});
  CHECK(shared_names(LearningToBranch{3, 2, 2, {4, 4}}) == Names{"experts.0.0", "experts.0.1"});
  // Policies are a task's own.
  CHECK(shared_names(AdaShare{3, 2, {4}, {3}}) ==
        Names{"blocks.0", "blocks.0.mlp_net.2.bias", "blocks.0.mlp_net.2.weight", "stem"});
  // A branch is of the tasks that it leads to.
  CHECK(shared_names(BranchedNetwork{3, 2, {{4}, {4}}, {{0, 0}, {0, 1}}}) == Names{"experts.0.0"});
  // Masks are a task's own.
  CHECK(shared_names(MTAN{3, 2, {4, 3}}) == Names{"p.0", "p.1", "q.0", "u.0", "u.1"});
}

TEST_CASE("a conditional head reaches the towers of what it is conditional on") {
  auto model = with_trunk(SingleTask{3, 2, {4}});
  const std::vector<Head> chain{{}, {.kind = HeadKind::conditional, .given = 0}};
  const TaskReach reach(model.network(), model.table(), chain);
  CHECK(reach.of(1).back().end() == model.table().buffer_size());
  CHECK(names(model, reach.shared()) == Names{"mtl_arch.networks.0.mlp_net.0.weight",
                                              "mtl_arch.networks.0.mlp_net.0.bias",
                                              "task_modules.0.1.weight", "task_modules.0.1.bias"});
}

TEST_CASE("every architecture: task gradients equal separate runs, and add up to the plain one") {
  const Batch batch(50);
  for (const bool conditional : {false, true})
    for (const auto& [name, trunk] : models::all_trunks<double>(sizes)) {
      INFO(name << (conditional ? ", conditional" : ""));
      auto model = models::make(trunk, sizes);
      Trainer trainer(model, heads(conditional), SGD{.learning_rate = 0.1}, {.tile_rows = 16});
      CHECK(trainer.task_gradients().empty());
      const double loss = trainer.compute_gradient(batch.x, batch.targets());
      const auto plain = trainer.gradient();
      CHECK(std::abs(trainer.compute_task_gradients(batch.x, batch.targets()) - loss) < 1e-13);
      REQUIRE(trainer.task_gradients().size() == 3);
      const std::vector<ParamBuffer<double>> gradients(trainer.task_gradients().begin(),
                                                       trainer.task_gradients().end());
      ParamBuffer<double> sum(plain.shared_table());
      const auto shared = covered(trainer.shared(), model.table().buffer_size());
      for (Index t = 0; t < tasks; ++t) {
        const auto& gradient = gradients[std::size_t(t)];
        CHECK(difference(gradient, gradient_alone(trainer, batch, t)) < 1e-12);
        const auto reached = covered(trainer.reach().of(t), model.table().buffer_size());
        for (std::size_t i = 0; i < reached.size(); ++i) {
          sum.flat()[i] += gradient.flat()[i];
          if (!reached[i]) REQUIRE(gradient.flat()[i] == 0);
        }
      }
      CHECK(difference(sum, plain) < 1e-12);
      // Outside of what is shared at most one task has a gradient.
      for (std::size_t i = 0; i < shared.size(); ++i)
        if (!shared[i])
          REQUIRE(std::ranges::count_if(gradients, [i](const auto& gradient) {
                    return gradient.flat()[i] != 0;
                  }) <= 1);
    }
}

TEST_CASE("private parameters get their own task's gradient under every method") {
  const Batch batch(40);
  for (const auto& architecture : models::all_trunks<double>(sizes)) {
    methods_test::for_each_balancing_method([&](const char* method_name, const auto& method) {
      INFO(architecture.name << ", " << method_name);
      auto model = models::make(architecture.trunk, sizes);
      Trainer trainer(model, heads(), SGD{.learning_rate = 0.1});
      GradientBalancer<double> balancer(method, tasks, model.values().shared_table(),
                                        trainer.shared(), 3);
      const auto before = model.values();
      trainer.compute_gradient(batch.x, batch.targets());
      const auto plain = trainer.gradient();
      const std::vector<double> losses(trainer.task_losses().begin(), trainer.task_losses().end());
      trainer.step(batch.x, batch.targets(), balancer);
      CHECK_FALSE(equal_bits(before, model.values()));
      // DB-MTL's gradients are those of the logarithms.
      constexpr bool logarithmic = ReshapesLosses<std::remove_cvref_t<decltype(method)>>;
      const auto shared = covered(trainer.shared(), model.table().buffer_size());
      for (Index t = 0; t < tasks; ++t) {
        const double loss = losses[std::size_t(t)] * heads()[std::size_t(t)].weight;
        const double scale = logarithmic ? 1 / (loss + 1e-8) : 1;
        const auto reached = covered(trainer.reach().of(t), model.table().buffer_size());
        for (std::size_t i = 0; i < reached.size(); ++i)
          if (reached[i] && !shared[i])
            REQUIRE(std::abs(trainer.gradient().flat()[i] - scale * plain.flat()[i]) <
                    1e-12 * scale);
      }
    });
  }
}

TEST_CASE("balanced steps are bitwise equal for every number of threads") {
  const Batch batch(300);
  const auto train = [&](Executor* executor) {
    auto model = models::make<double>(
        AdaTT{.input_dim = 5, .num_tasks = 3, .levels = sizes.levels(), .task_experts = {2}},
        sizes);
    Trainer trainer(model, heads(), Adam{.learning_rate = 1e-2},
                    {.tile_rows = 16, .lanes = 4, .executor = executor});
    GradientBalancer<double> balancer(PCGrad{}, tasks, model.values().shared_table(),
                                      trainer.shared());
    for (int i = 0; i < 20; ++i) trainer.step(batch.x, batch.targets(), balancer);
    return model.values();
  };
  const auto alone = train(nullptr);
  for (const Index threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    CHECK(equal_bits(alone, train(&pool)));
  }
}

TEST_CASE("task gradients allocate in their first call only") {
  const Batch batch(60);
  for (const auto& [name, trunk] : models::all_trunks<double>(sizes)) {
    INFO(name);
    auto model = models::make(trunk, sizes);
    Trainer trainer(model, heads(), Adam{}, {.tile_rows = 16});
    const auto start = allocations::count();
    trainer.compute_task_gradients(batch.x, batch.targets());
    const auto warm = allocations::count();
    trainer.compute_task_gradients(batch.x, batch.targets());
    const auto end = allocations::count();
    CHECK(warm > start);
    CHECK(end == warm);
  }
}

TEST_CASE("nothing of an earlier batch stays in a gradient") {
  for (const auto& [name, trunk] : models::all_trunks<double>(sizes)) {
    INFO(name);
    auto model = models::make(trunk, sizes);
    Trainer used(model, heads(), SGD{.learning_rate = 0.1}, {.tile_rows = 8});
    Trainer fresh(model, heads(), SGD{.learning_rate = 0.1}, {.tile_rows = 8});
    const Batch earlier(40);
    used.compute_gradient(earlier.x, earlier.targets());
    used.compute_task_gradients(earlier.x, earlier.targets());

    // A task without labels, and no rows at all.
    for (const Index rows : {20, 0}) {
      Batch batch(rows, 9);
      batch.mask.col(1).setZero();
      used.compute_task_gradients(batch.x, batch.targets());
      fresh.compute_task_gradients(batch.x, batch.targets());
      for (std::size_t t = 0; t < tasks; ++t)
        CHECK(equal_bits(used.task_gradients()[t], fresh.task_gradients()[t]));
      used.compute_gradient(batch.x, batch.targets());
      fresh.compute_gradient(batch.x, batch.targets());
      CHECK(equal_bits(used.gradient(), fresh.gradient()));
      const auto is_zero = [](double g) { return g == 0; };
      CHECK(std::ranges::all_of(used.task_gradients()[1].flat(), is_zero));
      CHECK(std::ranges::all_of(used.gradient().flat(), is_zero) == (rows == 0));
    }
  }
}

TEST_CASE("gradients are overwritten, whatever they hold") {
  const Batch batch(40);
  for (const auto& [name, trunk] : models::all_trunks<double>(sizes)) {
    INFO(name);
    auto model = models::make(trunk, sizes);
    Trainer used(model, heads(), SGD{.learning_rate = 0.1},
                 {.tile_rows = 4, .lanes = 2, .check_finite = false});
    Trainer fresh(model, heads(), SGD{.learning_rate = 0.1}, {.tile_rows = 4, .lanes = 2});
    const Matrix<double> spoiled = Matrix<double>::Constant(
        batch.x.rows(), batch.x.cols(), std::numeric_limits<double>::quiet_NaN());
    used.compute_gradient(spoiled, batch.targets());
    CHECK(std::isnan(used.gradient().flat()[0]));
    for (auto& gradient : used.task_gradients())
      std::ranges::fill(gradient.flat(), std::numeric_limits<double>::quiet_NaN());
    used.compute_gradient(batch.x, batch.targets());
    fresh.compute_gradient(batch.x, batch.targets());
    used.compute_task_gradients(batch.x, batch.targets());
    fresh.compute_task_gradients(batch.x, batch.targets());
    for (const ParamEntry& entry : model.table().entries()) {
      CAPTURE(entry.name);
      CHECK(std::ranges::equal(used.gradient().of(entry.id), fresh.gradient().of(entry.id)));
      for (std::size_t t = 0; t < tasks; ++t)
        CHECK(std::ranges::equal(used.task_gradients()[t].of(entry.id),
                                 fresh.task_gradients()[t].of(entry.id)));
    }
  }
}

TEST_CASE("batches in which one or all tasks have no label: every loss, every method") {
  every_kind::Batch<double> batch(24);
  const auto x = data::normal<double>(24, 5, 8);
  std::vector<Index> outputs;
  for (const Head& head : batch.loss.heads()) outputs.push_back(head.width());
  const auto mask = [&](Index task, double value) {
    for (Index b = 0; b < 24; ++b) batch.mask.view()(b, 0, task) = value;
  };
  methods_test::for_each_balancing_method([&](const char* name, const auto& method) {
    Model<double> model(MMoE{5, batch.tasks, 2, {6}}, {.hidden = {{}}, .outputs = outputs}, 2);
    Trainer trainer(model, batch.loss.heads(), Adam{});
    GradientBalancer<double> balancer(method, batch.tasks, model.values().shared_table(),
                                      trainer.shared());
    for (Index hidden = 0; hidden < batch.columns; ++hidden) {
      INFO(name << ", without labels " << hidden);
      batch.mask.view().of_slot(0).setOnes();
      mask(hidden, 0);
      CHECK(std::isfinite(trainer.step(x, batch.targets(), balancer)));
      CHECK(trainer.task_losses()[std::size_t(hidden)] == 0);
      for (const double g : trainer.gradient().flat()) REQUIRE(std::isfinite(g));
    }
    batch.mask.view().of_slot(0).setZero();
    const auto before = model.values();
    const auto steps = balancer.state().steps;
    CHECK(trainer.step(x, batch.targets(), balancer) == 0);
    CHECK(equal_bits(before, model.values()));
    CHECK(balancer.state().steps == steps);
  });
}
