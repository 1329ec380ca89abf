// MTAN, an architecture by a layer: contract, gradients, worked numbers, and its life as a model.
#include "mtan.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <plait/plait.hpp>
#include <plait/testing/build.hpp>
#include <plait/testing/gradcheck.hpp>
#include <plait/testing/layer_suite.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "model_life.hpp"
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
  const model_life::Seen seen =
      model_life::check(Mtan{.input_dim = 8, .num_tasks = 2, .levels = {16, 8}}, Mtan{});
  // Both tasks reach u, p and q, of 896 numbers, each tensor padded; masks are a task's own.
  CHECK(seen.shared >= 896);
  CHECK(seen.shared < 896 + 10 * 16);
  REQUIRE(seen.experts.levels.size() == 2);
  for (const auto& level : seen.experts.levels) {
    CHECK(level.gate_weights.size() == 0);
    CHECK(level.similarity(0, 1) > 0);
    CHECK(level.output_rms.size() == 2);
  }
}
