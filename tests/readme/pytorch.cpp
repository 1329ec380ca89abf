// The program of docs/pytorch.md, which shows parts of it to the letter.
#include <plait/io.hpp>
#include <plait/plait.hpp>

#include <algorithm>
#include <string>

namespace {

// What PyTorch would write: the numbers of a model under their names, some of them changed.
template <class Rename>
void write_weights(const plait::Model<float>& model, const std::string& path,
                   const Rename& rename) {
  plait::SafetensorsWriter writer;
  for (const auto& entry : model.table().entries())
    writer.add(rename(entry.name), {entry.shape.begin(), entry.shape.end()},
               model.values().of(entry.id));
  writer.write(path);
}

plait::Model<float> load_weights() {
  auto model = plait::Model<float>::zeros(
      plait::MMoE{.input_dim = 128, .num_tasks = 2, .num_experts = 4, .expert = {64}},
      {.hidden = {{32}}});
  plait::SafetensorsReader file("weights.safetensors");
  plait::load_state_dict(file, model);
  return model;
}

bool same(const plait::ParamBuffer<float>& a, const plait::ParamBuffer<float>& b) {
  return std::ranges::equal(a.flat(), b.flat());
}

}  // namespace

int main() {
  const plait::Model<float> trained(
      plait::MMoE{.input_dim = 128, .num_tasks = 2, .num_experts = 4, .expert = {64}},
      {.hidden = {{32}}}, /*seed=*/7);
  write_weights(trained, "weights.safetensors", [](const std::string& name) { return name; });

  auto model = load_weights();
  if (!same(model.values(), trained.values())) return 1;

  const plait::Matrix<float> x = plait::Matrix<float>::Ones(4, 128);
  plait::Matrix<float> logits(4, 2), expected(4, 2);
  const plait::Scorer trained_scorer(trained);
  trained_scorer.context().score(x, expected);
  plait::save(model, "ranker.safetensors", {.heads = {{.name = "click"}, {.name = "buy"}}});
  const auto ranker = plait::load<float>("ranker.safetensors");
  const plait::Scorer scorer(ranker.model);
  scorer.context().score(x, logits);
  if (logits != expected) return 2;

  write_weights(trained, "renamed.safetensors", [](const std::string& name) -> std::string {
    if (name == "task_modules.0.1.weight") return "ranker.click_head.kernel";
    if (name == "task_modules.0.1.bias") return "ranker.click_head.bias";
    return "ranker." + name;
  });
  model.load(plait::ParamBuffer<float>(model.shared_table()));  // zeros
  plait::SafetensorsReader file("renamed.safetensors");
  plait::load_state_dict(file, model,
                         {.prefix = "ranker.",
                          .rename = {{"task_modules.0.1.weight", "click_head.kernel"},
                                     {"task_modules.0.1.bias", "click_head.bias"}}});
  return same(model.values(), trained.values()) ? 0 : 3;
}
