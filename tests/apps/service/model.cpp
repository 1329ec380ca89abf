// Writes a model file for program.sh: service_model FILE SEED.
#include <cstdlib>

#include "plait/architectures/adatt.hpp"
#include "plait/io/model_file.hpp"
#include "plait/model/model.hpp"

int main(int, char** argv) {
  const plait::Model<float> model(
      plait::AdaTT{.input_dim = 8, .num_tasks = 2, .levels = {{12}, {8}}}, {.hidden = {{6}}},
      std::strtoull(argv[2], nullptr, 10));
  plait::save(model, argv[1], {.heads = {{.name = "click"}, {.name = "buy"}}});
}
