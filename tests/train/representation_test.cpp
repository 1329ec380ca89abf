// Balancing at the representation: the Gramian, the gradient that is stepped with, and what is
// refused.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plait/core/fields.hpp"
#include "plait/embeddings.hpp"
#include "plait/losses/auxiliary_heads.hpp"
#include "plait/methods/graddrop.hpp"
#include "plait/methods/gradient_balancer.hpp"
#include "plait/methods/mgda.hpp"
#include "plait/methods/pcgrad.hpp"
#include "plait/methods/upgrad.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/train/representation.hpp"
#include "plait/train/trainer.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/models.hpp"
#include "train/three_tasks.hpp"

using namespace plait;

namespace {

using three_tasks::Batch;
using three_tasks::heads;
using three_tasks::sizes;
using three_tasks::tasks;

// α that nothing changes.
struct Fixed {
  std::vector<double> alpha;
  static constexpr bool needs_gramian = true;
  void validate(Index) const {}
  void weights(const BalancingInput&, MethodState&, std::span<double> out, Scratch&) const {
    std::ranges::copy(alpha, out.begin());
  }
};

// Σ log L, by slopes alone.
struct LogSum {
  static constexpr bool needs_gramian = false;
  void validate(Index) const {}
  void loss_slopes(std::span<const double> losses, std::span<double> out) const {
    for (std::size_t t = 0; t < out.size(); ++t) out[t] = losses[t] == 0 ? 1 : 1 / losses[t];
  }
  void weights(const BalancingInput&, MethodState&, std::span<double> out, Scratch&) const {
    std::ranges::fill(out, 1.0);
  }
};

// Three networks beside each other, and what somebody says of them.
struct Boastful {
  template <class S>
  struct Layer : ExpertBank<S> {
    Layer(ParamTable& table, const std::string& prefix, const Boastful& config)
        : ExpertBank<S>(table, {{prefix + ".a"}, {prefix + ".b"}, {prefix + ".c"}}, {1, 5},
                        Body{4}),
          level(config.level) {}
    std::vector<WatchedLevel> watched() const { return {level}; }
    void watch(ParamView<S>, const typename ExpertBank<S>::Workspace&, Scratch&,
               ShowLevel<S>) const {}
    WatchedLevel level;
  };
  WatchedLevel level;
};

template <class Method>
GradientBalancer<double> balancer_of(Method method, const Trainer<double>& trainer) {
  return {std::move(method), trainer.num_tasks(), trainer.model().shared_table(), trainer.shared()};
}

bool is_of_towers(const std::string& name) { return !name.starts_with("mtl_arch."); }

double largest(std::span<const double> numbers) {
  double result = 0;
  for (const double x : numbers) result = std::max(result, std::abs(x));
  return result;
}

// The largest difference of a gradient from Σ_t α_t g_t in the trunk and Σ_t g_t in the towers, by
// the largest number.
double difference_from(const ParamBuffer<double>& got, std::span<const double> alpha,
                       std::span<const ParamBuffer<double>> task_gradients) {
  double difference = 0, size = 0;
  for (const ParamEntry& entry : got.table().entries())
    for (Index i = 0; i < entry.id.size(); ++i) {
      double expected = 0;
      for (std::size_t t = 0; t < task_gradients.size(); ++t)
        expected += (is_of_towers(entry.name) ? 1 : alpha[t]) *
                    task_gradients[t].of(entry.id)[static_cast<std::size_t>(i)];
      const double number = got.of(entry.id)[static_cast<std::size_t>(i)];
      difference = std::max(difference, std::abs(number - expected));
      size = std::max(size, std::abs(expected));
    }
  return difference / size;
}

// Trunks whose outputs are sums over experts.
std::vector<models::NamedTrunk<double>> trunks() {
  auto result = models::all_trunks<double>(sizes);
  std::erase_if(result, [](const auto& architecture) {
    const auto watched = models::make(architecture.trunk, sizes).trunk().watched();
    return watched.empty() || !watched.back().makes_output;
  });
  return result;
}

// A level of linear experts of two tasks, the second of which may learn nothing from the first's.
struct Onlooker {
  Index input_dim = 5;
  bool stops = true;
  Plan plan(ParamTable& table, const std::string& prefix) const {
    Plan result{{1, input_dim}, {}};
    LevelPlan& level = result.levels.emplace_back();
    level.expert = Body({4}, Activation::identity);
    for (Index e = 0; e < 3; ++e)
      level.route.experts.push_back({join_name(prefix, text("experts.0.", e)), 0});
    const ParamId weights = table.add_matrix(join_name(prefix, "mix"), 2, 3, Init::uniform(1));
    level.route.units.push_back({.experts = {0, 1, 2}, .statics = StaticRoute{0, 3, weights, 0}});
    level.route.units.push_back({.experts = {2, 0, 0},
                                 .gate = GateRoute{"", join_name(prefix, "gate"), 0},
                                 .statics = StaticRoute{0, 2, weights, 1}});
    if (stops) level.route.units.back().stopped = {2};
    return result;
  }
};

// M by another way: of linear experts, dL/dE of a single row is the gradient of their biases.
// Gradients of a batch's rows one by one are those of losses with the batch's normalisers, one over
// the labels that count.
Eigen::MatrixXd gramian_by_biases(Trainer<double>& trainer, const Batch& batch,
                                  const std::string& level) {
  const Index count = trainer.num_tasks();
  Eigen::MatrixXd result = Eigen::MatrixXd::Zero(count, count);
  const Vector<double> valid = batch.mask.colwise().sum();
  for (Index b = 0; b < batch.x.rows(); ++b) {
    trainer.compute_task_gradients(batch.x.row(b), {batch.labels.row(b), batch.mask.row(b)});
    const std::span<const ParamBuffer<double>> gradients = trainer.task_gradients();
    for (Index s = 0; s < count; ++s)
      for (Index t = 0; t < count; ++t) {
        if (batch.mask(b, s) == 0 || batch.mask(b, t) == 0) continue;
        double product = 0;
        for (const ParamEntry& entry : trainer.model().table().entries()) {
          if (entry.name.find(level) == std::string::npos || !entry.name.ends_with(".bias"))
            continue;
          for (std::size_t i = 0; i < static_cast<std::size_t>(entry.id.size()); ++i)
            product += gradients[static_cast<std::size_t>(s)].of(entry.id)[i] *
                       gradients[static_cast<std::size_t>(t)].of(entry.id)[i];
        }
        result(s, t) += product / valid[s] / valid[t];
      }
  }
  return result;
}

}  // namespace

TEST_CASE("at the representation: the Gramian is that of the last level's experts") {
  const Body linear({4}, Activation::identity);
  const std::vector<Body> levels{Body{6}, linear};
  const std::vector<std::pair<Trunk<double>, std::string>> cases{
      {SharedBottom{5, 3, linear}, "bottom_projection"},
      {MMoE{5, 3, 4, linear}, ".experts.0."},
      {MLMMoE{5, 3, 4, levels}, ".experts.1."},
      {CrossStitch{.input_dim = 5, .num_tasks = 3, .levels = levels}, ".experts.1."},
      {CGC{5, 3, linear, {2}, 2}, ".experts.0."},
      {PLE{5, 3, levels, {2}, 2}, ".experts.1."},
      {AdaTTSp{5, 3, levels, 2}, ".experts.1."},
      {AdaTT{.input_dim = 5, .num_tasks = 3, .levels = levels, .task_experts = {1, 3, 2}},
       ".experts.1."}};
  Batch batch(30);
  for (const auto& [trunk, level] : cases) {
    INFO(trunk.name());
    Model<double> model(trunk, {.hidden = {{3}}}, 3);
    Trainer trainer(model, heads(), SGD{.learning_rate = 0}, {.tile_rows = 8});
    const auto expected = gramian_by_biases(trainer, batch, level);
    auto balancer = balancer_of(Fixed{{1, 1, 1}}, trainer);
    trainer.step(batch.x, batch.targets(), balancer, BalanceAt::representation);
    CHECK((balancer.gramian() - expected).norm() < 1e-12 * expected.norm());
    CHECK(std::abs(expected(0, 1)) > 1e-6 * expected.norm());
  }
  batch.labels.conservativeResize(Eigen::NoChange, 2);
  batch.mask.conservativeResize(Eigen::NoChange, 2);
  for (const bool stops : {true, false}) {
    Model<double> model(Onlooker{.stops = stops}, {.hidden = {{3}}}, 3);
    Trainer trainer(model, std::vector<Head>(2), SGD{.learning_rate = 0}, {.tile_rows = 8});
    const auto expected = gramian_by_biases(trainer, batch, ".experts.0.");
    auto balancer = balancer_of(Fixed{{1, 1}}, trainer);
    trainer.step(batch.x, batch.targets(), balancer, BalanceAt::representation);
    CHECK((balancer.gramian() - expected).norm() < 1e-12 * expected.norm());
  }
}

TEST_CASE("at the representation: trunks get the weighted sum, towers their own task's") {
  constexpr auto more = RepresentationPass<double>::kept_rows;
  for (const Index rows : {Index{50}, more + 300})
    for (const bool conditional : {false, true})
      for (const bool small : {false, true})
        for (const auto& [name, trunk] : trunks()) {
          if (rows > more && name != "PLE" && name != "MMoE") continue;
          INFO(name << (conditional ? ", conditional" : "") << (small ? ", small towers" : "")
                    << ", " << rows << " rows");
          TowersConfig towers{.hidden = {Body{sizes.tower}}};
          if (small) towers.small = {Body{2}};
          Model<double> model(trunk, towers, 1);
          const auto all = small ? with_auxiliary(heads(conditional), 0.3) : heads(conditional);
          Trainer trainer(model, all, SGD{.learning_rate = 0},
                          {.tile_rows = rows > more ? 128 : 16, .expert_dropout = 0.2});
          const Batch batch(rows);
          const double loss = trainer.compute_task_gradients(batch.x, batch.targets());
          const std::vector<double> losses(trainer.task_losses().begin(),
                                           trainer.task_losses().end());
          auto balancer = balancer_of(Fixed{small ? std::vector<double>{0.5, -1, 3, 0, 2, 0.7}
                                                  : std::vector<double>{0.5, -1, 3}},
                                      trainer);
          const double again =
              trainer.step(batch.x, batch.targets(), balancer, BalanceAt::representation);
          CHECK(std::abs(again - loss) < 1e-13 * loss);
          for (std::size_t t = 0; t < losses.size(); ++t)
            CHECK(std::abs(trainer.task_losses()[t] - losses[t]) < 1e-13);
          // The optimizer's step, which dropout depends on, has gone on.
          const auto gradient = trainer.gradient();
          Trainer fresh(model, all, SGD{.learning_rate = 0},
                        {.tile_rows = rows > more ? 128 : 16, .expert_dropout = 0.2});
          fresh.compute_task_gradients(batch.x, batch.targets());
          CHECK(difference_from(gradient, balancer.weights(), fresh.task_gradients()) < 1e-12);
        }
}

TEST_CASE("at the representation: a task without labels takes no part") {
  Batch batch(40);
  batch.mask.col(1).setZero();
  for (const auto& [name, trunk] : trunks()) {
    INFO(name);
    auto model = models::make(trunk, sizes);
    Trainer trainer(model, heads(), SGD{.learning_rate = 0}, {.tile_rows = 16});
    auto balancer = balancer_of(MGDA{}, trainer);
    trainer.step(batch.x, batch.targets(), balancer, BalanceAt::representation);
    CHECK(balancer.gramian().row(1).isZero(0));
    CHECK(balancer.gramian().trace() > 0);
    CHECK(balancer.weights()[1] == 0);
    const auto gradient = trainer.gradient();
    trainer.compute_task_gradients(batch.x, batch.targets());
    CHECK(difference_from(gradient, balancer.weights(), trainer.task_gradients()) < 1e-12);

    Batch empty(40);
    empty.mask.setZero();
    const auto before = model.values();
    const Index steps = balancer.state().steps;
    CHECK(trainer.step(empty.x, empty.targets(), balancer, BalanceAt::representation) == 0);
    CHECK(std::ranges::equal(before.flat(), model.values().flat()));
    CHECK(balancer.state().steps == steps);
    CHECK(largest(trainer.gradient().flat()) == 0);
  }
}

TEST_CASE("at the representation: bits are the same for every number of threads") {
  const Batch batch(300);
  const auto train = [&](Executor* executor) {
    auto model = models::make<double>(
        PLE{.input_dim = 5, .num_tasks = 3, .levels = sizes.levels(), .task_experts = {2}}, sizes);
    Trainer trainer(model, heads(), Adam{.learning_rate = 1e-2},
                    {.tile_rows = 16, .lanes = 4, .executor = executor});
    auto balancer = balancer_of(UPGrad{}, trainer);
    for (int i = 0; i < 20; ++i)
      trainer.step(batch.x, batch.targets(), balancer, BalanceAt::representation);
    return model.values();
  };
  const auto alone = train(nullptr);
  for (const Index threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    CHECK(std::ranges::equal(alone.flat(), train(&pool).flat()));
  }
}

TEST_CASE("at the representation: tables move with the trunk") {
  const Index rows = 60;
  EmbeddingConfig config{.tables = {{.name = "id", .rows = 20, .dim = 4}},
                         .features = {{.name = "id"}}};
  std::vector<std::uint64_t> ids;
  for (Index b = 0; b < rows; ++b) ids.push_back(static_cast<std::uint64_t>(b * b % 20));
  const std::vector<SparseFeature> features{{.ids = ids}};
  const FeatureBatch<double> x{.sparse = {rows, features}, .dense = {}};
  const auto labels = data::binary<double>(rows, 2, 3);
  const auto train = [&](std::vector<double> head_weights, std::vector<double> alpha) {
    Model<double> model(MMoE{4, 2, 3, {5}}, {.hidden = {{3}}}, 2);
    EmbeddingTables<double> tables(config, 9);
    TableOptimizer<double> optimizer(tables, RowwiseAdagrad{.learning_rate = 0.1});
    std::vector<Head> of_tasks(2);
    for (std::size_t t = 0; t < 2; ++t) of_tasks[t].weight = head_weights[t];
    Trainer<double> trainer(model, optimizer, of_tasks, SGD{.learning_rate = 0.1});
    if (alpha.empty()) {
      trainer.step(x, Targets<double>{labels});
    } else {
      auto balancer = balancer_of(Fixed{alpha}, trainer);
      trainer.step(x, Targets<double>{labels}, balancer, BalanceAt::representation);
    }
    std::vector<double> values;
    for (Index id = 0; id < 20; ++id)
      for (const double v : tables.row(0, id)) values.push_back(v);
    return values;
  };
  const auto balanced = train({1, 1}, {0.4, 1.7});
  const auto weighted = train({0.4, 1.7}, {});
  double difference = 0;
  for (std::size_t i = 0; i < balanced.size(); ++i)
    difference = std::max(difference, std::abs(balanced[i] - weighted[i]));
  CHECK(difference < 1e-14);
  CHECK(balanced != train({1, 1}, {}));
}

TEST_CASE("at the representation: allocates in the first step only") {
  const Batch batch(RepresentationPass<double>::kept_rows + 200);
  const Batch smaller(70);
  for (const auto& [name, trunk] : trunks()) {
    INFO(name);
    auto model = models::make(trunk, sizes);
    Trainer trainer(model, heads(), Adam{}, {.tile_rows = 128});
    auto balancer = balancer_of(PCGrad{}, trainer);
    trainer.step(batch.x, batch.targets(), balancer, BalanceAt::representation);
    const auto warm = allocations::count();
    trainer.step(batch.x, batch.targets(), balancer, BalanceAt::representation);
    trainer.step(smaller.x, smaller.targets(), balancer, BalanceAt::representation);
    CHECK(allocations::count() == warm);
  }
}

TEST_CASE("at the representation: lanes that a smaller batch gives more tiles allocate nothing") {
  auto model = models::make<double>(MMoE{5, 3, 2, {4}}, sizes);
  Trainer trainer(model, heads(), Adam{}, {.tile_rows = 16, .lanes = 2});
  auto balancer = balancer_of(PCGrad{}, trainer);
  const Batch batch(128), smaller(112);  // 2 lanes of 4 tiles, 1 of 7
  trainer.step(batch.x, batch.targets(), balancer, BalanceAt::representation);
  const auto warm = allocations::count();
  trainer.step(smaller.x, smaller.targets(), balancer, BalanceAt::representation);
  CHECK(allocations::count() == warm);
}

TEST_CASE("at the representation: gradients that cancel at an expert have no negative length") {
  // A shared bottom whose tasks 0 and 2 = task 0 and more reach one slot each; in float.
  Model<float> model(SharedBottom{.input_dim = 5, .num_tasks = 2, .expert = {8}}, {}, 3);
  const std::vector<Head> chain{{}, {.kind = HeadKind::conditional, .given = 0}};
  Trainer<float> trainer(model, chain, SGD{.learning_rate = 0});
  const auto weight = model.values_of("task_modules.0.1.weight");
  std::ranges::transform(weight, model.values_of("task_modules.1.1.weight").begin(),
                         [](float w) { return -w; });
  const Matrix<float> x = data::normal<float>(1, 5, 2);
  const Matrix<float> labels = Matrix<float>::Zero(1, 2);
  GradientBalancer<float> balancer(PCGrad{}, 2, model.shared_table(), trainer.shared());
  for (int i = 0; i < 20; ++i) {
    model.values_of("task_modules.1.1.weight")[0] *= 1 + 1e-7f;
    trainer.step(x, Targets<float>{labels}, balancer, BalanceAt::representation);
    CHECK(balancer.gramian()(1, 1) >= 0);
  }
}

TEST_CASE("at the representation: a trunk that tells of units that it has not is refused") {
  const auto refused = [](WatchedLevel level, const std::string& word) {
    level.makes_output = true;
    Model<double> model(Boastful{level}, {}, 1);
    Trainer trainer(model, std::vector<Head>(3), SGD{.learning_rate = 0.1});
    auto balancer = balancer_of(PCGrad{}, trainer);
    const Batch batch(4);
    CHECK_THROWS_WITH(
        trainer.step(batch.x, Targets<double>{batch.labels}, balancer, BalanceAt::representation),
        Catch::Matchers::ContainsSubstring(word));
  };
  refused({3, {{0}, {1}}, {false, false}}, "units of the last level");
  refused({3, {{0}, {1}, {2}}, {false, false}}, "units of the last level");
  refused({3, {{0}, {1}, {3}}, {false, false, false}}, "expert of a unit");
}

TEST_CASE("at the representation: what has none, and methods that change gradients, are refused") {
  const Batch batch(20);
  const auto refused = [&](const Trunk<double>& trunk, auto method, Index of_tasks,
                           const std::string& word) {
    auto model = models::make(trunk, sizes);
    Trainer trainer(model, heads(), SGD{.learning_rate = 0.1});
    GradientBalancer<double> balancer(method, of_tasks, model.shared_table(), trainer.shared());
    const auto before = model.values();
    CHECK_THROWS_WITH(trainer.step(batch.x, batch.targets(), balancer, BalanceAt::representation),
                      Catch::Matchers::ContainsSubstring(word));
    CHECK(std::ranges::equal(before.flat(), model.values().flat()));
    CHECK(balancer.state().steps == 0);
    CHECK(trainer.optimizer().steps() == 0);
  };
  refused(AsymmetricSharing{5, 3, {4}, {{}, {0}, {1}}}, PCGrad{}, 3, "sums over experts");
  refused(CustomizedSharing{5, 3, {4}}, PCGrad{}, 3, "sums over experts");
  refused(Sluice{.input_dim = 5, .num_tasks = 3, .levels = {{4}, {4}}}, PCGrad{}, 3,
          "sums over experts");
  refused(SoftOrdering{.input_dim = 5, .num_tasks = 3, .encoder = {4}, .depth = 2}, PCGrad{}, 3,
          "sums over experts");
  refused(MTAN{.input_dim = 5, .num_tasks = 3, .levels = {4}}, PCGrad{}, 3, "sums over experts");
  refused(MMoE{5, 3, 2, {4}}, GradDrop{}, 3, "changes the gradients");
  refused(MMoE{5, 3, 2, {4}}, LogSum{}, 3, "changes the gradients");
  refused(MMoE{5, 3, 2, {4}}, PCGrad{}, 2, "tasks");

  // A gradient that is not finite, of logits that are not.
  auto model = models::make<double>(MMoE{5, 3, 2, {4}}, sizes);
  Trainer trainer(model, heads(), SGD{.learning_rate = 0.1});
  auto balancer = balancer_of(PCGrad{}, trainer);
  const Matrix<double> huge = batch.x * 1e300;
  const auto before = model.values();
  CHECK_THROWS_AS(trainer.step(huge, batch.targets(), balancer, BalanceAt::representation),
                  ValueError);
  CHECK(std::ranges::equal(before.flat(), model.values().flat()));
  CHECK(balancer.state().steps == 0);
}
