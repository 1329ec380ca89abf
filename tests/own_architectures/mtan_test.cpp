// MTAN, an architecture by a layer: contract, gradients, worked numbers, and its life as a model.
#include "mtan.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <plait/io.hpp>
#include <plait/plait.hpp>
#include <plait/testing/build.hpp>
#include <plait/testing/gradcheck.hpp>
#include <plait/testing/layer_suite.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace {

using nlohmann::json;
using plait::Index;

std::vector<Mtan> shapes() {
  return {
      {.input_dim = 5, .num_tasks = 3, .levels = {4}},
      {.input_dim = 5, .num_tasks = 3, .levels = {6, 4}},
      {.input_dim = 4, .num_tasks = 2, .levels = {3, 5, 4}},
      {.input_dim = 3, .num_tasks = 1, .levels = {4, 4}},
  };
}

// All numbers of a list of lists, in order.
std::vector<double> numbers(const json& list) {
  if (list.is_number()) return {list.get<double>()};
  std::vector<double> result;
  for (const json& part : list)
    for (const double number : numbers(part)) result.push_back(number);
  return result;
}

// The fixture's tensors beside the parameters' names: params or grads.
std::vector<std::pair<std::string, json>> named(const json& tensors) {
  std::vector<std::pair<std::string, json>> result;
  const auto add = [&](const std::string& name, const json& linear) {
    result.emplace_back(name + ".mlp_net.0.weight", linear["W"]);
    result.emplace_back(name + ".mlp_net.0.bias", linear["b"]);
  };
  for (std::size_t l = 0; l < tensors["A"].size(); ++l) {
    add(plait::text("u.", l), tensors["A"][l]);
    add(plait::text("p.", l), tensors["C"][l]);
    for (std::size_t t = 0; t < tensors["att1"][l].size(); ++t) {
      add(plait::text("mask_hidden.", l, ".", t), tensors["att1"][l][t]);
      add(plait::text("mask.", l, ".", t), tensors["att2"][l][t]);
    }
  }
  for (std::size_t l = 0; l < tensors["F"].size(); ++l) add(plait::text("q.", l), tensors["F"][l]);
  return result;
}

auto numbers_of(auto& buffer, const std::string& name) {
  for (const auto& entry : buffer.table().entries())
    if (entry.name == name) return buffer.of(entry.id);
  throw std::runtime_error("no parameter " + name);
}

void check_close(const auto& got, const json& expected) {
  const std::vector<double> wanted = numbers(expected);
  REQUIRE(std::ssize(wanted) == static_cast<Index>(got.size()));
  for (std::size_t i = 0; i < wanted.size(); ++i)
    CHECK(got[static_cast<std::ptrdiff_t>(i)] == Approx(wanted[i]).epsilon(0).margin(1e-9));
}

// A click, and a purchase of what was clicked.
struct Data {
  plait::Matrix<float> x{256, 8}, labels{256, 2};
  std::vector<plait::Head> heads{{.name = "click"}, {.name = "buy"}};
  Data() {
    plait::Random random(1);
    for (float& feature : x.reshaped()) feature = static_cast<float>(random.normal());
    labels.col(0) = (x.col(0).array() + x.col(1).array() > 0).cast<float>();
    labels.col(1) = labels.col(0).array() * (x.col(2).array() > 0).cast<float>();
  }
};

}  // namespace

TEST_CASE("mtan: the contract of every layer, and gradients against finite differences") {
  for (const Mtan& mtan : shapes()) {
    const auto built = plait::testing::build<double>(/*seed=*/1, mtan);
    const auto contract = plait::testing::check_layer(built.layer, built.theta);
    INFO(contract.text());
    CHECK(contract.passed());
    const auto gradients =
        plait::testing::check_gradients(built.layer, built.theta, built.input(/*batch=*/6));
    INFO(gradients.text());
    CHECK(gradients.passed());
  }
}

TEST_CASE("mtan: outputs, masks and gradients are the worked numbers") {
  const json fixture = json::parse(std::ifstream(PLAIT_FIXTURES_DIR "/B02_mtan_fc.json"));
  auto built = plait::testing::build<double>(
      /*seed=*/1, Mtan{.input_dim = 2, .num_tasks = 2, .levels = {2, 2}});
  for (const auto& [name, tensor] : named(fixture["params"])) {
    const auto values = numbers(tensor);
    std::ranges::copy(values, numbers_of(built.theta, name).begin());
  }

  plait::Tensor<double> x(2, 1, 2), y(2, 2, 2), dy(2, 2, 2), dx(2, 1, 2);
  for (Index b = 0; b < 2; ++b)
    for (Index d = 0; d < 2; ++d) {
      x.view()(b, 0, d) = fixture["inputs"]["x"][b][d];
      for (Index t = 0; t < 2; ++t) dy.view()(b, t, d) = fixture["inputs"]["d_out"][b][t][d];
    }
  plait::ParamBuffer<double> grad(built.theta.shared_table());
  plait::Network<double>::Workspace workspace;
  plait::Scratch scratch;
  built.layer.forward(built.theta, x, y, &workspace, scratch);
  built.layer.backward(built.theta, x, y, dy, dx, workspace, grad, scratch);

  check_close(plait::testing::flat(y), fixture["outputs"]["out"]);
  Index levels = 0;
  built.layer.watch(built.theta, workspace, scratch,
                    [&](Index l, plait::View3<const double> masks, plait::View3<const double>,
                        plait::View3<const double>) {
                      ++levels;
                      for (Index t = 0; t < 2; ++t) {
                        const plait::Matrix<double> mask = masks.of_slot(t);
                        check_close(mask.reshaped<Eigen::RowMajor>(),
                                    fixture["outputs"]["masks"][l][t]);
                      }
                    });
  CHECK(levels == 2);
  check_close(plait::testing::flat(dx), fixture["grads"]["x"]);
  for (const auto& [name, tensor] : named(fixture["grads"])) {
    INFO(name);
    check_close(numbers_of(grad, name), tensor);
  }
}

TEST_CASE("mtan: sizes below 1 are refused") {
  plait::ParamTable table;
  CHECK_THROWS_AS(MtanLayer<float>(table, "", Mtan{}), plait::ConfigError);
  CHECK_THROWS_AS(
      MtanLayer<float>(table, "", Mtan{.input_dim = 2, .num_tasks = 2, .levels = {4, 0}}),
      plait::ConfigError);
}

TEST_CASE("mtan: trained, saved, loaded, scored and watched as any model") {
  const Data data;
  plait::Model<float> model(Mtan{.input_dim = 8, .num_tasks = 2, .levels = {16, 8}},
                            {.hidden = {{8}}}, /*seed=*/1);
  plait::Trainer trainer(model, data.heads, plait::Adam{.learning_rate = 3e-3});
  const double before = trainer.step(data.x, data.labels);
  double loss = 0;
  for (int step = 1; step < 50; ++step) loss = trainer.step(data.x, data.labels);
  CHECK(loss < before);

  const auto path = std::filesystem::temp_directory_path() / "plait_reader_mtan.safetensors";
  plait::save(model, path.string(), {.heads = data.heads});
  auto loaded = plait::load<float>(path.string(), plait::Registry<float>().add_trunk(Mtan{}));
  std::filesystem::remove(path);

  plait::Matrix<float> trained(256, 2), logits(256, 2);
  trainer.score(data.x, trained);
  const plait::Scorer scorer(loaded.model);
  scorer.context().score(data.x, logits);
  CHECK(logits == trained);

  const plait::Scorer split(std::move(loaded.model), {.shared_inputs = {0, 1}});
  plait::Matrix<float> rows_of_user = data.x;
  rows_of_user.leftCols(2).rowwise() = data.x.topLeftCorner(1, 2).row(0);
  const plait::Matrix<float> user = data.x.topLeftCorner(1, 2), candidates = data.x.rightCols(6);
  plait::Matrix<float> by_user(256, 2);
  split.context().score(user, candidates, by_user);
  scorer.context().score(rows_of_user, logits);
  CHECK((by_user - logits).cwiseAbs().maxCoeff() < 1e-5F);

  // Both tasks reach u, p and q, of 896 numbers, each tensor padded; masks are a task's own.
  Index shared = 0;
  for (const plait::ParamRange& range : trainer.shared()) shared += range.size;
  CHECK(shared >= 896);
  CHECK(shared < 896 + 10 * 16);

  plait::ExpertWatch watch(model);
  watch.add(data.x);
  const plait::ExpertReport report = watch.report();
  REQUIRE(report.levels.size() == 2);
  for (const auto& level : report.levels) {
    CHECK(level.gate_weights.size() == 0);
    CHECK(level.similarity(0, 1) > 0);
    CHECK(level.output_rms.size() == 2);
  }
}
