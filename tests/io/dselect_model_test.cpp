// DSelect-k gates in models: trained, watched, saved, loaded, split and scored as any other's.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "changed_parts.hpp"
#include "plait/architectures/adatt.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/architectures/ple.hpp"
#include "plait/inspect/expert_watch.hpp"
#include "plait/io/model_file.hpp"
#include "plait/optim/adam.hpp"
#include "plait/serve/scorer.hpp"
#include "plait/train/trainer.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/files.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using plait::DSelectK;
using plait::GateConfig;
using plait::Index;
using plait::Matrix;
using plait::Model;
using plait::Trunk;

constexpr Index rows = 96, inputs = 6;
const Matrix<float> x = data::normal<float>(rows, inputs, 5);
const std::vector<plait::Head> heads{{.name = "click"}, {.name = "buy"}};
Matrix<float> labels() { return (x.leftCols(2).array() > 0).cast<float>(); }

std::vector<Trunk<float>> trunks(const GateConfig& gate) {
  const std::vector<plait::Body> levels{{6}, {5}};
  return {
      plait::MMoE{
          .input_dim = inputs, .num_tasks = 2, .num_experts = 5, .expert = {6}, .gate = gate},
      plait::MLMMoE{
          .input_dim = inputs, .num_tasks = 2, .num_experts = 4, .levels = levels, .gates = {gate}},
      plait::CGC{.input_dim = inputs,
                 .num_tasks = 2,
                 .expert = {6},
                 .task_experts = {2},
                 .shared_experts = 3,
                 .gate = gate},
      plait::PLE{.input_dim = inputs,
                 .num_tasks = 2,
                 .levels = levels,
                 .task_experts = {2, 1},
                 .shared_experts = 2,
                 .gates = {gate, {}}},  // a softmax above
      plait::PLE{.input_dim = inputs,
                 .num_tasks = 2,
                 .levels = levels,
                 .shared_experts = 0,  // nothing to choose from
                 .gates = {gate}},
      plait::AdaTTSp{.input_dim = inputs,
                     .num_tasks = 2,
                     .levels = levels,
                     .task_experts = 2,
                     .gates = {gate}},
      plait::AdaTT{.input_dim = inputs,
                   .num_tasks = 2,
                   .levels = levels,
                   .task_experts = {2},
                   .gates = {gate}},
  };
}

const std::vector<GateConfig> gates{
    {.dselect = DSelectK{}},
    {.body = {4}, .bias = false, .dselect = DSelectK{.selectors = 1, .gamma = 0.5}},
    {.dselect = DSelectK{.selectors = 3, .per_example = false}},
};

Matrix<float> score(const plait::Scorer<float>& scorer) {
  Matrix<float> logits(rows, 2);
  scorer.context().score(x, logits);
  return logits;
}

std::string saved(const Trunk<float>& trunk) {
  const files::Directory directory;
  plait::save(Model<float>(trunk, {.hidden = {{3}}}, 1), directory / "model");
  return files::contents(directory / "model");
}

// What loading the changed file says.
std::string answer(const std::string& bytes, const std::string& what, const std::string& by) {
  const auto changed = files::resealed(bytes, files::replacing("plait.config", what, by));
  auto reader = files::reader(changed);
  const std::size_t before = allocations::bytes();
  try {
    plait::load<float>(std::move(reader));
  } catch (const plait::FormatError& error) {
    CHECK(allocations::bytes() - before <= 200 * changed.size());
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("DSelect-k models: train, with and without expert dropout, and score as they were") {
  for (const GateConfig& gate : gates)
    for (const Trunk<float>& trunk : trunks(gate))
      for (const double dropout : {0.0, 0.3}) {
        INFO(trunk.name() << ", " << gate.dselect->selectors << ", " << dropout);
        Model<float> model(trunk, {.hidden = {{4}}}, 1);
        plait::Trainer trainer(model, heads, plait::Adam{.learning_rate = 1e-2},
                               {.tile_rows = 16, .lanes = 2, .expert_dropout = dropout});
        const double before = trainer.step(x, labels());
        double loss = 0;
        for (int step = 0; step < 60; ++step) loss = trainer.step(x, labels());
        CHECK(loss < 0.8 * before);

        const files::Directory directory;
        plait::save(model, directory / "model", {.heads = heads});
        const auto loaded = plait::load<float>(directory / "model");
        Matrix<float> trained(rows, 2);
        trainer.score(x, trained);
        CHECK(score(plait::Scorer(loaded.model)) == trained);
        plait::save(loaded.model, directory / "again", {.heads = heads});
        CHECK((files::contents(directory / "again") == files::contents(directory / "model")));
      }
}

TEST_CASE("DSelect-k models: one user's columns are computed once for all candidates") {
  for (const GateConfig& gate : gates)
    for (const Trunk<float>& trunk : trunks(gate)) {
      INFO(trunk.name() << ", " << gate.dselect->selectors);
      const Model<float> model(trunk, {.hidden = {{4}}}, 1);
      const plait::Scorer plain(model), split(model, {.shared_inputs = {0, 1}});
      Matrix<float> of_user = x;
      of_user.leftCols(2).rowwise() = x.topLeftCorner(1, 2).row(0);
      const Matrix<float> user = x.topLeftCorner(1, 2), candidates = x.rightCols(inputs - 2);
      Matrix<float> by_user(rows, 2), whole(rows, 2);
      split.context().score(user, candidates, by_user);
      plain.context().score(of_user, whole);
      CHECK((by_user - whole).cwiseAbs().maxCoeff() < 1e-5F);
    }
}

TEST_CASE("DSelect-k models: a watch shows the weights, zeros and all") {
  Model<float> model(trunks({.dselect = DSelectK{.selectors = 2, .per_example = false}}).front(),
                     {}, 1);
  // Task 0 chooses experts 4 and 1 for all rows, task 1 is undecided.
  auto values = model.values();
  const std::vector<float> chosen{1, -1, -1, -1, -1, 1};
  std::ranges::copy(chosen, values.of("mtl_arch.gates.0.0.1.z").begin());
  std::ranges::fill(values.of("mtl_arch.gates.0.0.1.w"), 0.0F);
  std::ranges::fill(values.of("mtl_arch.gates.0.1.1.z"), 0.0F);
  model.load(values);
  plait::ExpertWatch watch(model);
  watch.add(x);
  const auto level = watch.report().levels.front();
  CHECK(level.gate_weights.row(0) == plait::Vector<double>{{0, 0.5, 0, 0, 0.5}});
  CHECK((level.gate_weights.row(1).array() - 0.125).abs().maxCoeff() < 1e-6);
  CHECK(level.static_weights.isZero(0));
  CHECK(level.entropy[0] == Approx(std::log(2.0)));
}

TEST_CASE(
    "DSelect-k models: a task's gate is its own, and reaches nothing where it reads nothing") {
  const auto shared_numbers = [](const GateConfig& gate) {
    Model<float> model(trunks(gate).front(), {}, 1);
    const plait::Trainer trainer(model, heads, plait::Adam{});
    Index numbers = 0;
    for (const auto& range : trainer.shared()) numbers += range.size;
    return numbers;
  };
  CHECK(shared_numbers({}) > 0);
  for (const GateConfig& gate : gates) CHECK(shared_numbers(gate) == shared_numbers({}));
}

TEST_CASE("DSelect-k models: files without the setting are those of softmax gates") {
  const auto config_of = [](const GateConfig& gate) {
    std::string text;
    files::resealed(saved(trunks(gate).front()),
                    [&](files::Parts& parts) { text = parts.meta("plait.config"); });
    return text;
  };
  CHECK_THAT(config_of({}), !ContainsSubstring("dselect"));
  CHECK_THAT(config_of({.dselect = DSelectK{.gamma = 2}}),
             ContainsSubstring(R"("dselect":{"selectors":2,"gamma":2.0,"per_example":true})"));
}

TEST_CASE("DSelect-k models: hostile settings in files are refused before memory is taken") {
  for (const bool per_example : {true, false}) {
    const std::string bytes =
        saved(trunks({.dselect = DSelectK{.per_example = per_example}}).front());
    const std::string two = R"("selectors":2)";
    CHECK_THAT(answer(bytes, two, R"("selectors":1000000000)"),
               ContainsSubstring("selectors: got 1000000000, expected a whole number from 0 to "));
    // As many as the file has numbers, more than its weights, none.
    CHECK(answer(bytes, two, R"("selectors":700)") != "accepted");
    CHECK_THAT(answer(bytes, two, R"("selectors":3)"), ContainsSubstring("of shape ["));
    CHECK_THAT(answer(bytes, two, R"("selectors":0)"),
               ContainsSubstring("plait::DSelectGate: selectors: got 0, expected at least 1"));
    CHECK_THAT(answer(bytes, R"("gamma":1.0)", R"("gamma":0.0)"), ContainsSubstring("gamma"));
    CHECK_THAT(answer(bytes, R"("gamma":1.0)", R"("gamma":-1.0)"), ContainsSubstring("gamma"));
    CHECK_THAT(answer(bytes, R"("temperature":1.0)", R"("temperature":2.0)"),
               ContainsSubstring("temperature: got 2, expected 1 with dselect"));
  }
  const std::string softmax = saved(trunks({}).front());
  CHECK_THAT(answer(softmax, R"("temperature":1.0)", R"("dselect":null,"temperature":1.0)"),
             ContainsSubstring("dselect: got null, expected an object"));
}
