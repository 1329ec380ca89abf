// The C++ side of exchange.py.
//
//   io_exchange score <state dict> <rows...>   loads MMoE weights and prints the logits of one row
//   io_exchange save <model file>              saves a model and prints the sum of its parameters
#include <cstdlib>
#include <iostream>
#include <numeric>
#include <string>
#include <utility>

#include "plait/io/model_file.hpp"
#include "plait/io/state_dict.hpp"
#include "plait/serve/scorer.hpp"

namespace {

plait::Model<float> make_model() {
  return {plait::MMoE{.input_dim = 3, .num_tasks = 2, .num_experts = 2, .expert = {4}},
          {.hidden = {{2}}},
          1};
}

}  // namespace

int main(int argc, char** argv) {
  plait::Model<float> model = make_model();
  std::cout.precision(9);
  const std::string command = argc >= 3 ? argv[1] : "";
  if (command == "save") {
    const plait::Matrix<float> x = plait::Matrix<float>::Constant(2, 3, 0.5f);
    plait::save(model, argv[2], {.heads = {{.name = "clïck"}, {.name = "buy"}}}, x);
    for (const auto& entry : model.table().entries()) {
      const auto numbers = model.values().of(entry.id);
      std::cout << entry.name << ' ' << std::accumulate(numbers.begin(), numbers.end(), 0.0)
                << '\n';
    }
    return 0;
  }
  if (command != "score" || argc != 6) return 2;
  plait::SafetensorsReader file(argv[2]);
  plait::load_state_dict(file, model);
  plait::Matrix<float> x(1, 3);
  for (int i = 0; i < 3; ++i) x(0, i) = std::strtof(argv[3 + i], nullptr);
  plait::Matrix<float> logits(1, 2);
  const plait::Scorer scorer(std::move(model));
  scorer.context().score(x, logits);
  std::cout << logits(0, 0) << ' ' << logits(0, 1) << '\n';
}
