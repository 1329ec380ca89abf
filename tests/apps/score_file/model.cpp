// Writes a model file whose names and scores are not plain: score_file_model FILE. Of the input x,
// the first and third task's probabilities are those of a logit of 0, the second's is not a number.
#include <algorithm>
#include <limits>

#include "plait/architectures/single_task.hpp"
#include "plait/io/model_file.hpp"
#include "plait/model/model.hpp"

int main(int, char** argv) {
  plait::Model<float> model(plait::SingleTask{.input_dim = 2, .num_tasks = 3}, {}, 1);
  for (const auto& entry : model.table().entries()) {
    const bool second = entry.name.starts_with("task_modules.1.");
    std::ranges::fill(model.values_of(entry.id),
                      second ? -std::numeric_limits<float>::quiet_NaN() : 0.0f);
  }
  plait::save(model, argv[1],
              {.heads = {{.name = "click,like"},
                         {.kind = plait::HeadKind::regression, .name = "say \"now\""},
                         {}}});
}
