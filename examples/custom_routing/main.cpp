// Trains an architecture of our own beside AdaTT, after the library's own tests have passed on it.
#include <cstdio>
#include <filesystem>
#include <plait/io.hpp>
#include <plait/plait.hpp>
#include <plait/testing/build.hpp>
#include <plait/testing/gradcheck.hpp>
#include <plait/testing/layer_suite.hpp>

#include "frozen.hpp"
#include "funnel.hpp"

namespace {

// The gradients against finite differences, and the contract of every layer. Belongs in a test.
bool funnel_is_correct() {
  Funnel config{.input_dim = 5, .num_tasks = 3, .levels = {{6}, {4}}, .task_experts = 2};
  const auto funnel = plait::testing::build<double>(/*seed=*/1, config);
  const auto x = funnel.input(/*batch=*/6);
  const auto gradients = plait::testing::check_gradients(funnel.layer, funnel.theta, x);
  const auto contract = plait::testing::check_layer(funnel.layer, funnel.theta);

  config.stop_gradient = true;  // which needs a check of its own
  config.levels = {{4}};
  const auto stopped = frozen::check_gradients(config);
  std::printf("gradients %s\ncontract %s\nstopped %s\n\n", gradients.text().c_str(),
              contract.text().c_str(), stopped.text().c_str());
  return gradients.passed() && contract.passed() && stopped.passed();
}

// A click, what is put into the cart of what was clicked, and what is bought of that.
struct Data {
  plait::Matrix<float> x{2048, 8}, labels{2048, 3};
  std::vector<plait::Head> heads{{.name = "click"}, {.name = "cart"}, {.name = "buy"}};
  Data() {
    plait::Random random(1);
    for (float& feature : x.reshaped()) feature = static_cast<float>(random.normal());
    labels.col(0) = (x.col(0).array() + x.col(1).array() > 0).cast<float>();
    labels.col(1) = labels.col(0).array() * (x.col(2).array() > -0.5F).cast<float>();
    labels.col(2) = labels.col(1).array() * (x.col(3).array() * x.col(0).array() > 0).cast<float>();
  }
};

plait::Model<float> trained(const char* name, const plait::Trunk<float>& trunk) {
  const Data data;
  plait::Model<float> model(trunk, {.hidden = {{8}}}, /*seed=*/1);
  plait::Trainer trainer(model, data.heads, plait::Adam{.learning_rate = 3e-3});
  double loss = 0;
  for (int step = 0; step < 300; ++step) loss = trainer.step(data.x, data.labels);
  std::printf("%-6s %5td parameters, loss after 300 steps %.4f\n", name,
              model.table().num_parameters(), loss);
  return model;
}

// Files name a trunk of our own as they name the library's: whoever loads one registers it.
void save_and_score(const plait::Model<float>& model) {
  const Data data;
  const auto path = std::filesystem::temp_directory_path() / "plait_custom_routing.safetensors";
  plait::save(model, path.string(), {.heads = data.heads});
  auto loaded = plait::load<float>(path.string(), plait::Registry<float>().add_trunk(Funnel{}));
  std::filesystem::remove(path);

  const plait::Scorer scorer(std::move(loaded.model));
  plait::Matrix<float> logits(2048, 3);
  scorer.context().score(data.x, logits);
  plait::predict(loaded.heads, logits, logits);
  std::printf("\nloaded, it gives the first row click %.2f, cart %.2f, buy %.2f\n", logits(0, 0),
              logits(0, 1), logits(0, 2));
}

}  // namespace

int main() {
  if (!funnel_is_correct()) return 1;
  trained(
      "AdaTT",
      plait::AdaTT{.input_dim = 8, .num_tasks = 3, .levels = {{16}, {16}}, .shared_experts = 0});
  save_and_score(trained(
      "Funnel",
      Funnel{.input_dim = 8, .num_tasks = 3, .levels = {{16}, {16}}, .stop_gradient = true}));
}
