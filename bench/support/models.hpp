// The reference model as every architecture of plait, with the work that it needs.
#pragma once
#include <vector>

#include "plait/layers/adatt.hpp"
#include "plait/layers/asymmetric.hpp"
#include "plait/layers/cross_stitch.hpp"
#include "plait/layers/customized_sharing.hpp"
#include "plait/layers/mmoe.hpp"
#include "plait/layers/model.hpp"
#include "plait/layers/ple.hpp"
#include "plait/layers/shared_bottom.hpp"
#include "plait/layers/single_task.hpp"
#include "support/reference.hpp"
#include "support/work.hpp"

namespace bench {

template <class Trunk>
struct Reference {
  using Model = plait::Model<Trunk>;

  Architecture architecture;
  typename Trunk::Config config;
  Work work;

  Model model() const {
    Model result(config, {.hidden = {plait::MLPConfig{sizes::tower}}}, /*seed=*/1);
    work.check(result.table());
    return result;
  }
};

// Task t sees task t - 1.
inline std::vector<std::vector<Index>> chain_of_tasks() {
  std::vector<std::vector<Index>> result(static_cast<std::size_t>(sizes::tasks));
  for (Index t = 1; t < sizes::tasks; ++t) result[static_cast<std::size_t>(t)] = {t - 1};
  return result;
}

// Calls visit(Reference<Trunk>) for all architectures, from the least work to the most intricate.
template <class Visit>
void for_each_reference(const Visit& visit) {
  using namespace plait;
  using namespace sizes;
  using enum Architecture;
  const std::vector<MLPConfig> levels = {MLPConfig{first}, MLPConfig{second}};
  const MLPConfig flat = {first, second};
  const std::vector<Index> widths = {first, second};
  constexpr Index units = tasks + 1;                            // with the shared one
  constexpr Index seen_experts = own_experts + shared_experts;  // by a task of CGC and PLE

  visit(Reference<SharedBottom<float>>{
      shared_bottom,
      {.input_dim = input, .num_tasks = tasks, .expert = flat},
      Work().experts(1, input, widths, Reads::input).towers(second)});
  visit(Reference<SingleTask<float>>{
      single_task,
      {.input_dim = input, .num_tasks = tasks, .expert = flat},
      Work().experts(tasks, input, widths, Reads::input).towers(second)});
  // A projection passes no gradient back to the other task: its input gradient has half the width.
  visit(Reference<AsymmetricSharing<float>>{
      asymmetric,
      {.input_dim = input, .num_tasks = tasks, .expert = flat, .sources = chain_of_tasks()},
      Work()
          .experts(tasks, input, widths, Reads::input)
          .linear(tasks - 1, second, second, Reads::state)
          .linear(tasks - 1, second, second, Reads::detached)
          .towers(second)});
  visit(Reference<CustomizedSharing<float>>{
      customized,
      {.input_dim = input, .num_tasks = tasks, .expert = flat},
      Work().experts(units, input, widths, Reads::input).towers(2 * second)});
  visit(Reference<CrossStitch<float>>{cross_stitch,
                                      {.input_dim = input, .num_tasks = tasks, .levels = levels},
                                      Work()
                                          .experts(tasks, input, {first}, Reads::input)
                                          .mixing(tasks * tasks, first)
                                          .experts(tasks, first, {second}, Reads::state)
                                          .mixing(tasks * tasks, second)
                                          .towers(second)});
  visit(Reference<MMoE<float>>{
      mmoe,
      {.input_dim = input, .num_tasks = tasks, .num_experts = experts, .expert = flat},
      Work()
          .experts(experts, input, widths, Reads::input)
          .gates(tasks * experts, input, second, Reads::input)
          .towers(second)});
  visit(Reference<MLMMoE<float>>{
      ml_mmoe,
      {.input_dim = input, .num_tasks = tasks, .num_experts = experts, .levels = levels},
      Work()
          .experts(experts, input, {first}, Reads::input)
          .gates(experts * experts, input, first, Reads::input)
          .experts(experts, first, {second}, Reads::state)
          .gates(tasks * experts, input, second, Reads::input)
          .towers(second)});
  visit(Reference<CGC<float>>{cgc,
                              {.input_dim = input,
                               .num_tasks = tasks,
                               .expert = flat,
                               .task_experts = {own_experts},
                               .shared_experts = shared_experts},
                              Work()
                                  .experts(experts, input, widths, Reads::input)
                                  .gates(tasks * seen_experts, input, second, Reads::input)
                                  .towers(second)});
  visit(Reference<PLE<float>>{ple,
                              {.input_dim = input,
                               .num_tasks = tasks,
                               .levels = levels,
                               .task_experts = {own_experts},
                               .shared_experts = shared_experts},
                              Work()
                                  .experts(experts, input, {first}, Reads::input)
                                  .gates(tasks * seen_experts + experts, input, first, Reads::input)
                                  .experts(experts, first, {second}, Reads::state)
                                  .gates(tasks * seen_experts, first, second, Reads::state)
                                  .towers(second)});
  visit(Reference<AdaTTSp<float>>{
      adatt_sp,
      {.input_dim = input, .num_tasks = tasks, .levels = levels, .task_experts = experts_per_task},
      Work()
          .experts(experts, input, {first}, Reads::input)
          .gates(tasks * experts, input, first, Reads::input)
          .experts(experts, first, {second}, Reads::state)
          .gates(tasks * experts, first, second, Reads::state)
          .towers(second)});
  visit(Reference<AdaTT<float>>{adatt,
                                {.input_dim = input,
                                 .num_tasks = tasks,
                                 .levels = levels,
                                 .task_experts = {own_experts},
                                 .shared_experts = shared_experts},
                                Work()
                                    .experts(experts, input, {first}, Reads::input)
                                    .gates(units * experts, input, first, Reads::input)
                                    .experts(experts, first, {second}, Reads::state)
                                    .gates(tasks * experts, first, second, Reads::state)
                                    .towers(second)});
}

}  // namespace bench
