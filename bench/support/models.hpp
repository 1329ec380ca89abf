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

// The work of one level of both layers, or of two levels of one layer each, by the weights that
// their gates have in all. Gates of the second level read its state, or the model's input.
inline Work one_level(Index experts, Index gated) {
  return Work()
      .experts(experts, sizes::input, {sizes::first, sizes::second}, Reads::input)
      .gates(gated, sizes::input, sizes::second, Reads::input);
}
inline Work two_levels(Index first_gated, Index second_gated, Reads second_gates = Reads::state) {
  return Work()
      .experts(sizes::experts, sizes::input, {sizes::first}, Reads::input)
      .gates(first_gated, sizes::input, sizes::first, Reads::input)
      .experts(sizes::experts, sizes::first, {sizes::second}, Reads::state)
      .gates(second_gated, second_gates == Reads::input ? sizes::input : sizes::first,
             sizes::second, second_gates);
}

// Calls visit(Reference<Trunk>) for all architectures, from the least work to the most intricate.
template <class Visit>
void for_each_reference(const Visit& visit) {
  using namespace plait;
  using namespace sizes;
  using enum Architecture;
  const std::vector<MLPConfig> levels = {MLPConfig{first}, MLPConfig{second}};
  const MLPConfig flat = {first, second};
  constexpr Index units = tasks + 1;                            // with the shared one
  constexpr Index seen_experts = own_experts + shared_experts;  // by a task of CGC and PLE

  visit(Reference<SharedBottom<float>>{shared_bottom,
                                       {.input_dim = input, .num_tasks = tasks, .expert = flat},
                                       one_level(1, 0).towers(second)});
  visit(Reference<SingleTask<float>>{single_task,
                                     {.input_dim = input, .num_tasks = tasks, .expert = flat},
                                     one_level(tasks, 0).towers(second)});
  // A projection passes no gradient back to the other task: its input gradient has half the width.
  visit(Reference<AsymmetricSharing<float>>{
      asymmetric,
      {.input_dim = input, .num_tasks = tasks, .expert = flat, .sources = chain_of_tasks()},
      one_level(tasks, 0)
          .linear(tasks - 1, second, second, Reads::state)
          .linear(tasks - 1, second, second, Reads::detached)
          .towers(second)});
  visit(
      Reference<CustomizedSharing<float>>{customized,
                                          {.input_dim = input, .num_tasks = tasks, .expert = flat},
                                          one_level(units, 0).towers(2 * second)});
  visit(Reference<CrossStitch<float>>{cross_stitch,
                                      {.input_dim = input, .num_tasks = tasks, .levels = levels},
                                      one_level(tasks, 0)
                                          .mixing(tasks * tasks, first)
                                          .mixing(tasks * tasks, second)
                                          .towers(second)});
  visit(Reference<MMoE<float>>{
      mmoe,
      {.input_dim = input, .num_tasks = tasks, .num_experts = experts, .expert = flat},
      one_level(experts, tasks * experts).towers(second)});
  visit(Reference<MLMMoE<float>>{
      ml_mmoe,
      {.input_dim = input, .num_tasks = tasks, .num_experts = experts, .levels = levels},
      two_levels(experts * experts, tasks * experts, Reads::input).towers(second)});

  CGC<float>::Config cgc_config;
  cgc_config.input_dim = input;
  cgc_config.num_tasks = tasks;
  cgc_config.expert = flat;
  cgc_config.task_experts = {own_experts};
  cgc_config.shared_experts = shared_experts;
  visit(Reference<CGC<float>>{cgc, cgc_config,
                              one_level(experts, tasks * seen_experts).towers(second)});

  PLE<float>::Config ple_config;
  ple_config.input_dim = input;
  ple_config.num_tasks = tasks;
  ple_config.levels = levels;
  ple_config.task_experts = {own_experts};
  ple_config.shared_experts = shared_experts;
  visit(Reference<PLE<float>>{
      ple, ple_config,
      two_levels(tasks * seen_experts + experts, tasks * seen_experts).towers(second)});

  visit(Reference<AdaTTSp<float>>{
      adatt_sp,
      {.input_dim = input, .num_tasks = tasks, .levels = levels, .task_experts = experts_per_task},
      two_levels(tasks * experts, tasks * experts).towers(second)});

  AdaTT<float>::Config adatt_config;
  adatt_config.input_dim = input;
  adatt_config.num_tasks = tasks;
  adatt_config.levels = levels;
  adatt_config.task_experts = {own_experts};
  adatt_config.shared_experts = shared_experts;
  visit(Reference<AdaTT<float>>{adatt, adatt_config,
                                two_levels(units * experts, tasks * experts).towers(second)});
}

}  // namespace bench
