// Steps of Trainer and TableOptimizer against those of reference.hpp, for random settings.
#include "sparse/reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plait/architectures/adatt.hpp"
#include "plait/architectures/ple.hpp"
#include "plait/architectures/shared_bottom.hpp"
#include "plait/embeddings.hpp"
#include "plait/methods/geometric_mean.hpp"
#include "plait/methods/gradnorm.hpp"
#include "plait/methods/mgda.hpp"
#include "plait/methods/pcgrad.hpp"
#include "plait/methods/static_weights.hpp"
#include "plait/optim/adam.hpp"
#include "plait/train/trainer.hpp"
#include "support/catch.hpp"

using namespace plait;
using sparse_test::SlowTrainer;

namespace {

constexpr Index tasks = 3;

const EmbeddingConfig config{
    .tables = {{.name = "item", .rows = 300, .dim = 5},
               {.name = "user", .rows = 7, .dim = 8},
               {.name = "place", .rows = 70, .dim = 1}},
    .features = {{.name = "user", .side = Side::user},
                 {.name = "history", .table = "item", .pooling = Pooling::mean},
                 {.name = "item"},
                 {.name = "seen", .table = "item", .weighted = true},
                 {.name = "places", .table = "place"},
                 {.name = "place", .weighted = true}},
    .dense = {Side::item, Side::user}};

enum class Kind { plain, static_weights, geometric_mean, gradnorm, pcgrad, mgda };

struct Setting {
  Kind kind = Kind::plain;
  int architecture = 0;
  double expert_dropout = 0;
  bool freezes = false;  // a table, and a tensor of the network
  bool own_rate = false;
  double weight_decay = 0;
  Schedule schedule = {};
  std::optional<double> clip_norm = {};
  Index tile_rows = 7;
  Index lanes = 1;
};

Setting random_setting(Random& random) {
  Setting s;
  s.kind = static_cast<Kind>(random.below(6));
  s.architecture = static_cast<int>(random.below(3));
  s.expert_dropout = s.architecture > 0 && random.below(2) == 0 ? 0.3 : 0;
  s.freezes = random.below(2) == 0;
  s.own_rate = random.below(2) == 0;
  s.weight_decay = random.below(2) == 0 ? 0.1 : 0;
  if (random.below(2) == 0) s.schedule = Schedule::cosine(6, 0.1).with_warmup(3);
  if (random.below(2) == 0) s.clip_norm = 0.05;
  s.tile_rows = 1 + random.below(20);
  s.lanes = 1 + random.below(4);
  return s;
}

Trunk<double> trunk(int architecture, Index width) {
  if (architecture == 0)
    return SharedBottom{.input_dim = width, .num_tasks = tasks, .expert = Body{6}};
  if (architecture == 1) return PLE{.input_dim = width, .num_tasks = tasks, .levels = {{5}, {4}}};
  return AdaTT{.input_dim = width, .num_tasks = tasks, .levels = {{5}, {4}}, .shared_experts = 1};
}

double difference(std::span<const double> a, std::span<const double> b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double apart = std::abs(a[i] - b[i]) / std::max(1.0, std::abs(b[i]));
    worst = apart <= worst ? worst : apart;
  }
  return worst;
}

// Six steps, one of them without a label of the second task and one without any.
template <class R>
void compare(const Setting& s, const R& rule, std::uint64_t seed) {
  EmbeddingTables<double> tables(config, seed);
  Model<double> model(trunk(s.architecture, tables.width()), {.hidden = {{3}}}, seed);
  const std::vector<Head> heads{{.weight = 0.5}, {.kind = HeadKind::regression}, {}};
  std::vector<ParamGroup> groups, table_groups;
  if (s.freezes) {
    groups.push_back({.pattern = model.table().entries()[0].name, .frozen = true});
    table_groups.push_back({.pattern = "us*", .frozen = true});
  }
  if (s.own_rate)
    table_groups.push_back({.pattern = "item", .learning_rate = 0.02, .weight_decay = 0.3});
  const OptimizerOptions optimizer{groups, s.schedule, s.clip_norm};

  TableOptimizer<double> rows(tables, rule, table_groups);
  SlowTrainer slow(model, tables, heads, Adam{.learning_rate = 0.01}, rule,
                   {.optimizer = optimizer,
                    .tables = rows.table_settings(),
                    .dropout = {.rate = s.expert_dropout, .seed = seed}});
  Trainer<double> trainer(model, rows, heads, Adam{.learning_rate = 0.01},
                          {.optimizer = optimizer,
                           .tile_rows = s.tile_rows,
                           .lanes = s.lanes,
                           .expert_dropout = s.expert_dropout,
                           .seed = seed});
  CHECK(rows.table_settings()[0].learning_rate == (s.own_rate ? 0.02 : rule.learning_rate));
  CHECK(rows.table_settings()[0].weight_decay == (s.own_rate ? 0.3 : rule.weight_decay));
  CHECK(rows.table_settings()[1].frozen == s.freezes);

  std::optional<LossWeighting> weighting, slow_weighting;
  std::optional<GradientBalancer<double>> balancer, slow_balancer;
  if (s.kind == Kind::static_weights) weighting.emplace(StaticWeights{{0.3, 2, 0.7}}, tasks);
  if (s.kind == Kind::geometric_mean) weighting.emplace(GeometricMean{}, tasks);
  if (s.kind == Kind::gradnorm) weighting.emplace(GradNorm{}, tasks);
  const auto balance = [&](auto method) {
    balancer.emplace(method, tasks, model.values().shared_table(), trainer.shared(), 4);
  };
  if (s.kind == Kind::pcgrad) balance(PCGrad{});
  if (s.kind == Kind::mgda) balance(MGDA{});
  slow_weighting = weighting;
  slow_balancer = balancer;

  for (std::uint64_t k = 0; k < 6; ++k) {
    const Index batch_rows = k == 4 ? 1 : 60;
    const auto batch = sparse_test::random_batch<double>(config, batch_rows, 5, seed + 10 * k);
    const auto labels = data::binary<double>(batch_rows, tasks, seed + 10 * k + 1);
    auto mask = data::binary<double>(batch_rows, tasks, seed + 10 * k + 2);
    // Weightings by the losses themselves have no use for a loss of 0.
    if (s.kind == Kind::geometric_mean || k == 4) mask.setOnes();
    if (s.kind != Kind::geometric_mean && k == 2) mask.col(1).setZero();
    if (k == 3) mask.setZero();
    const auto weights = data::normal<double>(batch_rows, 1, seed + 10 * k + 3).cwiseAbs().eval();
    const Targets<double> targets{.labels = labels, .mask = mask, .weights = weights};
    const double expected = slow.step(batch, targets, slow_weighting ? &*slow_weighting : nullptr,
                                      slow_balancer ? &*slow_balancer : nullptr);
    const double got = balancer    ? trainer.step(batch.view(), targets, *balancer)
                       : weighting ? trainer.step(batch.view(), targets, *weighting)
                                   : trainer.step(batch.view(), targets);
    INFO("step " << k);
    CHECK(std::abs(got - expected) < 1e-12);
    CHECK(difference(model.values().flat(), slow.model.values().flat()) < 1e-10);
    for (Index t = 0; t < tables.num_tables(); ++t) {
      CHECK(difference(tables.values(t), slow.values[static_cast<std::size_t>(t)]) < 1e-10);
      CHECK(difference(rows.state(t), slow.state[static_cast<std::size_t>(t)]) < 1e-10);
    }
  }
  CHECK(trainer.optimizer().steps() == 5);
}

template <class R>
void compare_random(const R& rule) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    Random random(seed);
    const Setting s = random_setting(random);
    INFO("seed " << seed << ", kind " << static_cast<int>(s.kind) << ", architecture "
                 << s.architecture << ", dropout " << s.expert_dropout << ", freezes " << s.freezes
                 << ", own rate " << s.own_rate << ", weight decay " << s.weight_decay << ", clips "
                 << s.clip_norm.has_value() << ", tiles of " << s.tile_rows << ", lanes "
                 << s.lanes);
    R with_decay = rule;
    with_decay.weight_decay = s.weight_decay;
    compare(s, with_decay, seed);
  }
}

}  // namespace

TEST_CASE("steps are those of the definitions, with every rule for dense parameters") {
  compare_random(SGD{.learning_rate = 0.3});
  compare_random(Adagrad{.learning_rate = 0.1, .learning_rate_decay = 0.1});
}

TEST_CASE("steps are those of the definitions, with FTRL at a constant rate") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    Random random(seed);
    Setting s = random_setting(random);
    s.schedule = {};
    compare(s, FTRL{.learning_rate = 0.1, .l1 = 0.01, .l2 = 0.1}, seed);
  }
}

TEST_CASE("steps are those of the definitions, with every rule for rows alone") {
  compare_random(RowwiseAdagrad{.learning_rate = 0.1});
  compare_random(RowwiseAdagrad{.learning_rate = 0.1, .decay = RowDecay::decoupled});
  compare_random(RowwiseAdam{.learning_rate = 0.02});
  compare_random(LazyAdam{.learning_rate = 0.02});
}

TEST_CASE("steps are those of the definitions, with every kind of step") {
  for (const Kind kind : {Kind::plain, Kind::static_weights, Kind::geometric_mean, Kind::gradnorm,
                          Kind::pcgrad, Kind::mgda})
    for (const Index lanes : {1, 3}) {
      INFO("kind " << static_cast<int>(kind) << ", lanes " << lanes);
      compare({.kind = kind,
               .architecture = 1,
               .expert_dropout = 0.2,
               .freezes = lanes == 3,
               .own_rate = true,
               .schedule = Schedule::step_decay(2, 0.5),
               .clip_norm = 0.1,
               .tile_rows = 4,
               .lanes = lanes},
              RowwiseAdagrad{.learning_rate = 0.1}, 7);
    }
}
