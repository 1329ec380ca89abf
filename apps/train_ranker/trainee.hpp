// A model with what trains it.
#pragma once
#include <cstdint>
#include <vector>

#include "method.hpp"
#include "models.hpp"
#include "plait/core/parallel.hpp"
#include "plait/losses/head.hpp"
#include "plait/model/model.hpp"
#include "plait/train/trainer.hpp"
#include "rule.hpp"

namespace ranker {

struct TraineeOptions {
  Index input_dim = 0;
  std::vector<plait::Head> heads{};
  Sizes sizes{};
  plait::Stitch stitch = plait::Stitch::near_identity;
  plait::Rule<float> rule = make_rule("adam", 1e-3);
  Balancing balancing{};
  TaskWeights task_weights{};
  std::uint64_t seed = 1;               // of the weights
  plait::Executor* executor = nullptr;  // none: the calling thread alone

  TrunkOptions trunk() const {
    return {
        .input_dim = input_dim, .num_tasks = std::ssize(heads), .sizes = sizes, .stitch = stitch};
  }
};

// Stays where it is: the trainer trains the model beside it.
struct Trainee {
  // Results depend on the number of lanes and not on that of threads: the same for any --threads.
  static constexpr Index lanes = 8;

  // Throws UsageError and plait::ConfigError for sizes and task weights that do not fit.
  Trainee(const ModelEntry& entry, const TraineeOptions& options)
      : model(entry.trunk(options.trunk()), {.hidden = {plait::Body(options.sizes.towers)}},
              options.seed),
        trainer(model, options.heads, options.rule, {.lanes = lanes, .executor = options.executor}),
        method(make_method(options.balancing, trainer, options.task_weights, options.seed)) {}
  Trainee(const Trainee&) = delete;
  Trainee& operator=(const Trainee&) = delete;

  plait::Model<float> model;
  plait::Trainer<float> trainer;
  Method method;
};

}  // namespace ranker
