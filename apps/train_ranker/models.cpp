#include "models.hpp"

#include <array>
#include <string>

#include "errors.hpp"

namespace ranker {

// Each in a file of its own: model_single_task.cpp and so on.
std::unique_ptr<Learner> make_single_task(const LearnerConfig&);
std::unique_ptr<Learner> make_shared_bottom(const LearnerConfig&);
std::unique_ptr<Learner> make_asymmetric_sharing(const LearnerConfig&);
std::unique_ptr<Learner> make_customized_sharing(const LearnerConfig&);
std::unique_ptr<Learner> make_cross_stitch(const LearnerConfig&);
std::unique_ptr<Learner> make_mmoe(const LearnerConfig&);
std::unique_ptr<Learner> make_ml_mmoe(const LearnerConfig&);
std::unique_ptr<Learner> make_cgc(const LearnerConfig&);
std::unique_ptr<Learner> make_ple(const LearnerConfig&);
std::unique_ptr<Learner> make_adatt_sp(const LearnerConfig&);
std::unique_ptr<Learner> make_adatt(const LearnerConfig&);

std::span<const Model> models() {
  static constexpr std::array<Model, 11> list{{
      {baseline, "a network per task, nothing shared", Owners::tasks, make_single_task},
      {"shared-bottom", "one network for all tasks", Owners::nobody, make_shared_bottom},
      {"asymmetric", "a network per task; each also sees those before it", Owners::tasks,
       make_asymmetric_sharing},
      {"customized", "a network per task and a shared one, side by side", Owners::tasks_and_shared,
       make_customized_sharing},
      {"cross-stitch", "a network per task, mixed by static weights at every level", Owners::tasks,
       make_cross_stitch},
      {"mmoe", "shared experts, a gate per task", Owners::nobody, make_mmoe},
      {"ml-mmoe", "mmoe in levels", Owners::nobody, make_ml_mmoe},
      {"cgc", "experts of each task and shared ones, a gate per task", Owners::tasks_and_shared,
       make_cgc},
      {"ple", "cgc in levels", Owners::tasks_and_shared, make_ple},
      {"adatt-sp", "experts of each task; a gate over all, plus the own ones again", Owners::tasks,
       make_adatt_sp},
      {"adatt", "adatt-sp with shared experts", Owners::tasks_and_shared, make_adatt},
  }};
  return list;
}

Index LearnerConfig::experts_per_task(Index shared) const {
  const Index own = sizes.experts - shared;
  if (own < num_tasks() || own % num_tasks() != 0)
    throw UsageError("--experts: got " + std::to_string(sizes.experts) + " with " +
                     std::to_string(shared) + " shared, expected those and a multiple of " +
                     std::to_string(num_tasks()) + " (the tasks share the rest evenly)");
  return own / num_tasks();
}

}  // namespace ranker
