// Trains models with an expert of our own, after the library's own tests have passed on it.
#include <cstdio>
#include <filesystem>
#include <plait/io.hpp>
#include <plait/plait.hpp>
#include <plait/testing/build.hpp>
#include <plait/testing/gradcheck.hpp>
#include <plait/testing/layer_suite.hpp>

#include "glu_expert.hpp"

namespace {

// The gradients against finite differences, and the contract of every layer. Belongs in a test.
bool expert_is_correct() {
  const auto glu = plait::testing::build<double>(/*seed=*/1, Glu{.width = 4}, /*input_dim=*/5);
  const auto x = glu.input(/*batch=*/6);
  const auto gradients = plait::testing::check_gradients(glu.layer, glu.theta, x);
  const auto contract = plait::testing::check_layer(glu.layer, glu.theta);
  std::printf("gradients %s\ncontract %s\n\n", gradients.text().c_str(), contract.text().c_str());
  return gradients.passed() && contract.passed();
}

// Both tasks depend on a product of two inputs.
struct Data {
  plait::Matrix<float> x{1024, 8}, labels{1024, 2};
  std::vector<plait::Head> heads{{.name = "click"},
                                 {.kind = plait::HeadKind::regression, .name = "watch"}};
  Data() {
    plait::Random random(1);
    for (float& feature : x.reshaped()) feature = static_cast<float>(random.normal());
    labels.col(0) = (x.col(0).array() * x.col(1).array() > 0).cast<float>();
    labels.col(1) = x.col(1).cwiseProduct(x.col(2));
  }
};

plait::Model<float> trained(const char* name, const plait::Trunk<float>& trunk,
                            const plait::TowersConfig& towers) {
  const Data data;
  plait::Model<float> model(trunk, towers, /*seed=*/1);
  plait::Trainer trainer(model, data.heads, plait::Adam{.learning_rate = 1e-2});
  double loss = 0;
  for (int step = 0; step < 300; ++step) loss = trainer.step(data.x, data.labels);
  std::printf("%-14s %5td parameters, loss after 300 steps %.4f\n", name,
              model.table().num_parameters(), loss);
  return model;
}

// A model that is Glu throughout is watched, saved and loaded, and scores its first two columns,
// those of a user, once for all rows: nothing of that knows what an expert is.
void use(const plait::Model<float>& model) {
  const Data data;
  plait::ExpertWatch watch(model);
  watch.add(data.x);
  const plait::ExpertReport report = watch.report();
  std::printf("\nclick's gate weighs the last level's experts");
  for (const double weight : report.levels.back().gate_weights.row(0)) std::printf(" %.2f", weight);

  const auto path = std::filesystem::temp_directory_path() / "plait_custom_expert.safetensors";
  plait::save(model, path.string(), {.heads = data.heads});
  auto loaded =
      plait::load<float>(path.string(), plait::Registry<float>().add_body(Glu{}));  // by its name
  std::filesystem::remove(path);

  const plait::Scorer scorer(std::move(loaded.model), {.shared_inputs = {0, 1}});
  plait::Matrix<float> logits(3, 2);
  const plait::Matrix<float> user = data.x.topLeftCorner(1, 2), rows = data.x.topRightCorner(3, 6);
  scorer.context().score(user, rows, logits);
  std::printf("\nloaded, it gives a user's first three rows %.2f %.2f %.2f\n", logits(0, 0),
              logits(1, 0), logits(2, 0));
}

}  // namespace

int main() {
  if (!expert_is_correct()) return 1;
  const plait::MMoE mmoe{.input_dim = 8, .num_tasks = 2, .num_experts = 4, .expert = {32}};
  trained("ReLU", mmoe, {});
  plait::MMoE with_glu = mmoe;
  with_glu.expert = Glu{.width = 16};
  trained("GLU", with_glu, {});
  use(trained(
      "GLU throughout",
      plait::AdaTT{
          .input_dim = 8, .num_tasks = 2, .levels = {Glu{16}, Glu{8}}, .gates = {{.body = Glu{4}}}},
      {.hidden = {Glu{4}}}));
}
