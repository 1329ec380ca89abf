// Parts of one's own, experts, gates' layers, towers, trunks and optimizer rules, in the same
// models, trainers, scorers and watches as the library's.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "plait/architectures/adatt.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/core/watch.hpp"
#include "plait/core/workspace.hpp"
#include "plait/inspect/expert_watch.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/layers/body.hpp"
#include "plait/layers/linear.hpp"
#include "plait/losses/auxiliary_heads.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/serve/scorer.hpp"
#include "plait/train/learning_rate_search.hpp"
#include "plait/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/difference.hpp"
#include "support/score.hpp"

using namespace plait;

namespace {

constexpr Index input_dim = 5;
constexpr Index tasks = 3;

// ---------------------------------------------------------------------------------------------
// Bodies: y = a², a = x Wᵀ + b, which tells how it reads its input, or does not.
// ---------------------------------------------------------------------------------------------

template <class Scalar_, bool Tells>
class SquareLayer {
 public:
  using Scalar = Scalar_;
  struct Workspace {
    Tensor<Scalar> sums;  // a [B, 1, width]
  };

  template <class Config>
  SquareLayer(ParamTable& table, const std::string& name, Index dim, const Config& config)
      : linear_(table, name, dim, config.width) {}

  Shape in_shape() const { return linear_.in_shape(); }
  Shape out_shape() const { return linear_.out_shape(); }
  bool visit_input_linears(VisitLinear visit) const requires Tells {
    return linear_.visit_input_linears(visit);
  }

  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace* workspace, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const auto sums = keep(part(workspace, &Workspace::sums), scratch, x.batch(), 1, y.dim());
    linear_.apply(theta, x, sums, Activation::identity);
    y.of_slot(0) = sums.of_slot(0).cwiseAbs2();
  }
  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                GradView<Scalar> grad, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    const auto dsums = scratch.take<Scalar>(x.batch(), 1, y.dim());
    dsums.of_slot(0) = 2 * workspace.sums.view().of_slot(0).cwiseProduct(dy.of_slot(0));
    linear_.backward(theta, x, y, dsums, dx, {}, grad, scratch);
  }

 private:
  Linear<Scalar> linear_;
};

struct Square {
  Index width = 0;
  template <class S>
  using Layer = SquareLayer<S, true>;
};
struct OpaqueSquare {
  Index width = 0;
  template <class S>
  using Layer = SquareLayer<S, false>;
};

// ---------------------------------------------------------------------------------------------
// Trunks: routes of one's own, and a layer around another trunk that adds a vector, with all that
// is optional for a layer or nothing of it.
// ---------------------------------------------------------------------------------------------

struct Funnel {
  Body expert{};
  GateConfig gate{};

  Plan plan(ParamTable& table, const std::string& prefix) const {
    const auto expert_at = [&](Index level, Index e, Index slot) {
      return ExpertRoute{join_name(prefix, text("experts.", level, ".", e)), slot};
    };
    const auto gate_at = [&](Index level, Index u, Index slot) {
      const std::string name = join_name(prefix, text("gates.", level, ".", u));
      return GateRoute{name + ".body", name, slot};
    };
    const ParamId own = table.add_matrix(join_name(prefix, "own"), 1, 2, Init::uniform(1));
    LevelPlan wide{.expert = expert, .gate = gate};
    wide.route.experts = {expert_at(0, 0, 0), expert_at(0, 1, 0), expert_at(0, 2, 0)};
    wide.route.units = {
        {.experts = {0, 1}, .gate = gate_at(0, 0, 0)},
        {.experts = {2, 1}, .gate = gate_at(0, 1, 0), .statics = StaticRoute{0, 2, own, 0}}};
    LevelPlan narrow{.expert = expert, .gate = gate};
    narrow.route.experts = {expert_at(1, 0, 0), expert_at(1, 1, 1)};
    narrow.route.units = {{.experts = {0, 1}, .gate = gate_at(1, 0, 0)},
                          {.experts = {1, 0}, .gate = gate_at(1, 1, 1)},
                          {.experts = {1}, .statics = StaticRoute{0, 1}}};
    return {{1, input_dim}, {wide, narrow}};
  }
};

template <class Scalar_, bool Tells>
class ShiftedTrunk {
 public:
  using Scalar = Scalar_;
  struct Workspace {
    typename Network<Scalar>::Workspace inner;
  };

  template <class Config>
  ShiftedTrunk(ParamTable& table, const std::string& prefix, const Config& config)
      : inner_(build<Scalar>(table, prefix, config.inner)),
        shift_(table.add_vector(join_name(prefix, "shift"), inner_.out_shape().dim,
                                Init::constant(0))) {}

  Shape in_shape() const { return inner_.in_shape(); }
  Shape out_shape() const { return inner_.out_shape(); }

  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace* workspace, Scratch& scratch) const {
    run(theta, x, y, workspace, scratch, {});
  }
  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                GradView<Scalar> grad, Scratch& scratch) const {
    for (Index t = 0; t < dy.slots(); ++t)
      kernels::add_batch_sums(dy.slot(t), grad.add_to(shift_).data);
    inner_.backward(theta, x, y, dy, dx, workspace.inner, grad, scratch);
  }

  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace* workspace, Scratch& scratch,
               const ForwardOptions& options) const requires Tells {
    run(theta, x, y, workspace, scratch, options);
  }
  bool drops_experts() const requires Tells { return inner_.drops_experts(); }
  bool visit_input_linears(VisitLinear visit) const requires Tells {
    return inner_.visit_input_linears(visit);
  }
  bool reach(Flags live, std::span<bool> live_in, MarkRange mark,
             Scratch& scratch) const requires Tells {
    if (std::ranges::count(live, true) > 0) mark(ParamRange{shift_.offset, shift_.size()});
    return inner_.reach(live, live_in, mark, scratch);
  }
  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                GradView<Scalar> grad, Scratch& scratch, Flags live) const requires Tells {
    for (Index t = 0; t < dy.slots(); ++t)
      if (live.empty() || live[static_cast<std::size_t>(t)])
        kernels::add_batch_sums(dy.slot(t), grad.add_to(shift_).data);
    inner_.backward(theta, x, y, dy, dx, workspace.inner, grad, scratch, live);
  }
  std::vector<WatchedLevel> watched() const requires Tells { return inner_.watched(); }
  void watch(ParamView<Scalar> theta, const Workspace& workspace, Scratch& scratch,
             ShowLevel<Scalar> show) const requires Tells {
    inner_.watch(theta, workspace.inner, scratch, show);
  }

 private:
  void run(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y, Workspace* workspace,
           Scratch& scratch, const ForwardOptions& options) const {
    inner_.forward(theta, x, y, part(workspace, &Workspace::inner), scratch, options);
    for (Index t = 0; t < y.slots(); ++t) y.of_slot(t).rowwise() += theta.vector(shift_);
  }

  Network<Scalar> inner_;
  ParamId shift_;
};

struct Shifted {
  AdaTT inner{};
  template <class S>
  using Layer = ShiftedTrunk<S, true>;
};
struct BareShifted {
  AdaTT inner{};
  template <class S>
  using Layer = ShiftedTrunk<S, false>;
};

// ---------------------------------------------------------------------------------------------
// Models of these.
// ---------------------------------------------------------------------------------------------

AdaTT adatt(const Body& expert = {4}, const Body& gate_body = {}) {
  return {.input_dim = input_dim,
          .num_tasks = tasks,
          .levels = {expert, expert},
          .task_experts = {2},
          .gates = {{.body = gate_body}}};
}
template <class Scalar>
Model<Scalar> model_of(const Trunk<Scalar>& trunk, const Body& tower = {3}) {
  return Model<Scalar>(trunk, {.hidden = {tower}}, 4);
}

template <class Scalar>
struct Named {
  std::string name;
  Model<Scalar> model;
  bool tells;  // how it reads its input
};
template <class Scalar>
std::vector<Named<Scalar>> own_models() {
  const Body square = Square{4}, opaque = OpaqueSquare{4};
  return {
      {"expert", model_of<Scalar>(adatt(square)), true},
      {"gate body", model_of<Scalar>(adatt({4}, square)), true},
      {"tower", model_of<Scalar>(adatt(), square), true},
      {"all three", model_of<Scalar>(adatt(square, square), square), true},
      {"opaque expert", model_of<Scalar>(adatt(opaque)), false},
      {"opaque gate body", model_of<Scalar>(adatt({4}, opaque)), false},
      {"opaque tower", model_of<Scalar>(adatt(), opaque), true},
      {"routes", model_of<Scalar>(Funnel{.expert = {4}}), true},
      {"routes and bodies", model_of<Scalar>(Funnel{square, {.body = square}}, square), true},
      {"layer", model_of<Scalar>(Shifted{adatt()}), true},
      {"layer and bodies", model_of<Scalar>(Shifted{adatt(square, square)}, square), true},
      {"bare layer", model_of<Scalar>(BareShifted{adatt()}), false},
  };
}

template <class Scalar>
Matrix<Scalar> inputs(Index rows = 40) {
  return data::normal<Scalar>(rows, input_dim, 1);
}
// Labels that the inputs determine.
template <class Scalar>
Matrix<Scalar> labels(Index rows = 40) {
  return (inputs<Scalar>(rows).leftCols(tasks).array() > 0).template cast<Scalar>();
}

}  // namespace

TEST_CASE("parts of one's own: the gradient is that of the loss, task by task too") {
  const auto x = inputs<double>(9);
  const auto y = labels<double>(9);
  const Targets<double> targets{.labels = y};
  const double step = 1e-5;
  for (auto& [name, model, tells] : own_models<double>()) {
    INFO(name);
    Trainer trainer(model, data::binary_heads(tasks), SGD{.learning_rate = 1}, {.tile_rows = 4});
    trainer.compute_gradient(x, targets);
    const auto gradient = trainer.gradient();
    for (const ParamEntry& entry : model.table().entries()) {
      const auto numbers = model.values_of(entry.id);
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        const double value = numbers[i];
        numbers[i] = value + step;
        const double above = trainer.compute_gradient(x, targets);
        numbers[i] = value - step;
        const double below = trainer.compute_gradient(x, targets);
        numbers[i] = value;
        INFO(entry.name << "[" << i << "]");
        REQUIRE(std::abs((above - below) / (2 * step) - gradient.of(entry.id)[i]) < 1e-8);
      }
    }
    trainer.compute_task_gradients(x, targets);
    auto sum = trainer.task_gradients()[0];
    for (std::size_t t = 1; t < 3; ++t)
      for (std::size_t i = 0; i < sum.flat().size(); ++i)
        sum.flat()[i] += trainer.task_gradients()[t].flat()[i];
    CHECK(difference(sum, gradient) < 1e-12);
  }
}

TEMPLATE_TEST_CASE("parts of one's own learn, and are scored bit for bit as forward does", "",
                   float, double) {
  using Scalar = TestType;
  const auto x = inputs<Scalar>();
  const auto y = labels<Scalar>();
  for (auto& [name, model, tells] : own_models<Scalar>()) {
    INFO(name);
    Trainer trainer(model, data::binary_heads(tasks), Adam{.learning_rate = 5e-3},
                    {.tile_rows = 16});
    const double first = trainer.step(x, y);
    double last = first;
    for (int i = 0; i < 200; ++i) last = trainer.step(x, y);
    CHECK(last < 0.6 * first);
    const auto expected = models::forward(model, x);
    CHECK(models::score(model, x) == expected);
    Matrix<Scalar> logits(x.rows(), tasks);
    trainer.score(x, logits);
    CHECK(logits == expected);
  }
}

TEST_CASE("parts of one's own are split by shared inputs when they tell how they read them") {
  auto x = inputs<double>();
  x.leftCols(2).rowwise() = x.row(0).head(2).eval();
  const Matrix<double> shared = x.topLeftCorner(1, 2);
  const Matrix<double> own = x.rightCols(input_dim - 2);
  for (const auto& [name, model, tells] : own_models<double>()) {
    INFO(name);
    if (!tells) {
      CHECK_THROWS_WITH(Scorer(model, {.shared_inputs = {0, 1}}),
                        "plait::Scorer: shared_inputs: got a layer that reads the input "
                        "otherwise, expected layers that read it through linear layers");
      CHECK_THROWS_AS(Scorer(model, {.shared_inputs = {0, 1}}), ConfigError);
      continue;
    }
    const Scorer scorer(model, {.shared_inputs = {0, 1}});
    auto context = scorer.context(16);
    Matrix<double> whole(x.rows(), tasks), split(x.rows(), tasks);
    context.score(x, whole);
    context.score(shared, own, split);
    CHECK((split - whole).norm() <= 1e-13 * whole.norm());
  }
}

TEST_CASE("parts of one's own are watched when they show themselves") {
  const auto x = inputs<double>();
  const auto report = [&](const Model<double>& model) {
    ExpertWatch watch(model);
    watch.add(x);
    return watch.report();
  };
  for (const auto& [name, model, tells] : own_models<double>()) {
    INFO(name);
    const auto watched = report(model);
    CHECK(watched.rows == 40);
    CHECK(watched.levels.size() == (name == "bare layer" ? 0u : 2u));
    for (const LevelReport& level : watched.levels) CHECK((level.output_rms.array() > 0).all());
  }
  // The layer shows what is in it, which starts as it does alone.
  const auto alone = report(model_of<double>(adatt()));
  const auto inside = report(model_of<double>(Shifted{adatt()}));
  CHECK(inside.csv() == alone.csv());

  const auto funnel = report(model_of<double>(Funnel{.expert = {4}})).levels;
  CHECK(funnel[0].gate_weights(0, 2) == 0);
  CHECK(funnel[0].static_weights(1, 2) != 0);
  CHECK(funnel[1].static_weights(2, 1) == 1);
  CHECK(std::isnan(funnel[1].entropy[2]));
}

TEST_CASE("a trunk of one's own around another trains as that does, with dropped experts too") {
  const auto x = inputs<double>();
  const auto y = labels<double>();
  for (const double dropout : {0.0, 0.4}) {
    CAPTURE(dropout);
    auto around = model_of<double>(Shifted{adatt()});
    auto alone = model_of<double>(adatt());
    const TrainerOptions options{.tile_rows = 16, .expert_dropout = dropout, .seed = 3};
    Trainer one(around, data::binary_heads(tasks), Adam{}, options);
    Trainer other(alone, data::binary_heads(tasks), Adam{}, options);
    CHECK(one.compute_task_gradients(x, {.labels = y}) ==
          other.compute_task_gradients(x, {.labels = y}));
    for (std::size_t t = 0; t < 3; ++t)
      for (const ParamEntry& entry : alone.table().entries())
        CHECK(std::ranges::equal(one.task_gradients()[t].of(entry.name),
                                 other.task_gradients()[t].of(entry.name)));
    CHECK(one.shared().size() >= other.shared().size());
    CHECK(one.step(x, y) == other.step(x, y));
  }
  // Another loss with dropped experts; refused where nobody hands them on.
  auto model = model_of<double>(Shifted{adatt()});
  Trainer drops(model, data::binary_heads(tasks), Adam{}, {.expert_dropout = 0.4});
  Trainer keeps(model, data::binary_heads(tasks), Adam{});
  CHECK(drops.compute_gradient(x, {.labels = y}) != keeps.compute_gradient(x, {.labels = y}));
  auto bare = model_of<double>(BareShifted{adatt()});
  CHECK_THROWS_AS(Trainer(bare, data::binary_heads(tasks), Adam{}, {.expert_dropout = 0.4}),
                  ConfigError);
}

TEST_CASE("what does not tell its reach is reached by all tasks") {
  auto model = model_of<double>(BareShifted{adatt()});
  const Trainer trainer(model, data::binary_heads(tasks), Adam{});
  const auto towers = model.table().at("task_modules.0.0.mlp_net.0.weight").id.offset;
  REQUIRE(trainer.shared().size() == 1);
  CHECK(trainer.shared().front().offset == 0);
  CHECK(trainer.shared().front().end() == towers);
}

TEST_CASE("small towers may be one's own as well") {
  Model<double> model(adatt(), {.hidden = {Square{3}}, .small = {Square{2}}}, 4);
  const auto x = inputs<double>();
  const auto y = labels<double>();
  Trainer trainer(model, with_auxiliary(data::binary_heads(tasks), 0.3),
                  Adam{.learning_rate = 5e-3});
  const double first = trainer.step(x, y);
  for (int i = 0; i < 100; ++i) trainer.step(x, y);
  CHECK(trainer.step(x, y) < 0.8 * first);
  CHECK(models::score(model.serving(), x) == models::score(model, x).leftCols(tasks));
}

namespace {

// p -= rate · sign(m), m = (m + g) / 2, where m starts at 1.
struct SignOfMean {
  double learning_rate = 0.1;
  double weight_decay = 0;

  void validate() const {
    require_config(learning_rate >= 0, "SignOfMean", "learning_rate", text(learning_rate),
                   "at least 0");
  }
  std::vector<std::string> moment_names() const { return {"mean"}; }
  double initial_moment(Index) const { return 1; }
  template <class Scalar>
  void update(const UpdateStep& step, std::span<Scalar> values, std::span<const Scalar> grad,
              Moments<Scalar> moments) const {
    for (std::size_t i = 0; i < values.size(); ++i) {
      Scalar& mean = moments[0][i];
      mean = (mean + static_cast<Scalar>(step.gradient_scale) * grad[i]) / 2;
      values[i] -=
          static_cast<Scalar>(step.learning_rate) * static_cast<Scalar>((mean > 0) - (mean < 0));
    }
  }
};

}  // namespace

TEMPLATE_TEST_CASE("a rule of one's own trains by what it says", "", float, double) {
  using Scalar = TestType;
  const auto x = inputs<Scalar>();
  const auto y = labels<Scalar>();
  Model<Scalar> model(MMoE{input_dim, tasks, 3, {6}}, {}, 4);
  Trainer trainer(model, data::binary_heads(tasks), SignOfMean{.learning_rate = 0.01},
                  {.optimizer = {.groups = {{.pattern = "task_modules.*", .learning_rate = 0.02}}},
                   .tile_rows = 16});
  auto expected = model.values();
  ParamBuffer<Scalar> mean(model.values().shared_table());
  for (const ParamEntry& entry : model.table().entries())
    std::ranges::fill(mean.of(entry.id), Scalar(1));
  const double first = trainer.step(x, y);
  for (int i = 0; i < 30; ++i) {
    for (const ParamEntry& entry : model.table().entries()) {
      const bool of_tower = entry.name.starts_with("task_modules");
      const Scalar rate = static_cast<Scalar>(of_tower ? 0.02 : 0.01);
      for (std::size_t k = 0; k < expected.of(entry.id).size(); ++k) {
        Scalar& m = mean.of(entry.id)[k];
        m = (m + trainer.gradient().of(entry.id)[k]) / 2;
        expected.of(entry.id)[k] -= rate * static_cast<Scalar>((m > 0) - (m < 0));
      }
    }
    REQUIRE(std::ranges::equal(model.values().flat(), expected.flat()));
    trainer.step(x, y);
  }
  CHECK(trainer.step(x, y) < 0.8 * first);
}

TEST_CASE("a rule of one's own is refused by its own words, and searched for its rate") {
  const auto x = inputs<double>();
  const auto y = labels<double>();
  auto model = model_of<double>(adatt());
  CHECK_THROWS_WITH(Trainer(model, data::binary_heads(tasks), SignOfMean{.learning_rate = -1}),
                    "plait::SignOfMean: learning_rate: got -1, expected at least 0");
  const auto curve = search_learning_rate(model, data::binary_heads(tasks), SignOfMean{},
                                          [&](Index) {
                                            return TrainingBatch<double>{x, {.labels = y}};
                                          },
                                          {.lowest = 1e-5, .highest = 1e-2, .steps = 20});
  CHECK(curve.points().size() == 20);
  CHECK(curve.points().back().loss < curve.points().front().loss);
}
