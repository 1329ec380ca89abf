// A trunk of our own that is no routing, in the Model, Trainer, Scorer and files of all others.
#include <cstdio>
#include <filesystem>
#include <plait/io.hpp>
#include <plait/plait.hpp>
#include <plait/testing/build.hpp>
#include <plait/testing/gradcheck.hpp>
#include <plait/testing/layer_suite.hpp>

#include "relay.hpp"

namespace {

// The gradients against finite differences, and the contract of every layer. Belongs in a test.
bool relay_is_correct() {
  const auto relay = plait::testing::build<double>(
      /*seed=*/1, Relay{.input_dim = 5, .num_tasks = 3, .expert = {6, 4}});
  const auto x = relay.input(/*batch=*/6);
  const auto gradients = plait::testing::check_gradients(relay.layer, relay.theta, x);
  const auto contract = plait::testing::check_layer(relay.layer, relay.theta);
  std::printf("gradients %s\ncontract %s\n\n", gradients.text().c_str(), contract.text().c_str());
  return gradients.passed() && contract.passed();
}

// A click, and a like of what was clicked.
struct Data {
  plait::Matrix<float> x{2048, 8}, labels{2048, 2};
  std::vector<plait::Head> heads{{.name = "click"}, {.name = "like"}};
  Data() {
    plait::Random random(1);
    for (float& feature : x.reshaped()) feature = static_cast<float>(random.normal());
    labels.col(0) = (x.col(0).array() + x.col(1).array() > 0).cast<float>();
    labels.col(1) = labels.col(0).array() * (x.col(2).array() * x.col(0).array() > 0).cast<float>();
  }
};

}  // namespace

int main() {
  if (!relay_is_correct()) return 1;

  const Data data;
  plait::Model<float> model(Relay{.input_dim = 8, .num_tasks = 2, .expert = {16, 8}}, {},
                            /*seed=*/1);
  plait::Trainer trainer(model, data.heads, plait::Adam{.learning_rate = 3e-3});
  double loss = 0;
  for (int step = 0; step < 300; ++step) loss = trainer.step(data.x, data.labels);
  plait::Index shared = 0;
  for (const plait::ParamRange& range : trainer.shared()) shared += range.size;
  std::printf("loss after 300 steps %.4f; both tasks reach %td of %td numbers\n", loss, shared,
              model.table().buffer_size());

  plait::ExpertWatch watch(model);
  watch.add(data.x);
  std::printf("the networks' outputs have a cosine of %.2f\n",
              watch.report().levels.front().similarity(0, 1));

  const auto path = std::filesystem::temp_directory_path() / "plait_custom_trunk.safetensors";
  plait::save(model, path.string(), {.heads = data.heads});
  auto loaded = plait::load<float>(path.string(), plait::Registry<float>().add_trunk(Relay{}));
  std::filesystem::remove(path);

  const plait::Scorer scorer(std::move(loaded.model), {.shared_inputs = {0, 1}});
  plait::Matrix<float> logits(3, 2);
  const plait::Matrix<float> user = data.x.topLeftCorner(1, 2), rows = data.x.topRightCorner(3, 6);
  scorer.context().score(user, rows, logits);
  std::printf("loaded, it gives a user's first three rows %.2f %.2f %.2f\n", logits(0, 1),
              logits(1, 1), logits(2, 1));
}
