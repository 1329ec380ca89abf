// The reference model as every architecture of plait, with the work that it needs.
#pragma once
#include <vector>

#include "plait/architectures/adatt.hpp"
#include "plait/architectures/asymmetric.hpp"
#include "plait/architectures/asymmetric_networks.hpp"
#include "plait/architectures/cross_stitch.hpp"
#include "plait/architectures/customized_networks.hpp"
#include "plait/architectures/customized_sharing.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/architectures/ple.hpp"
#include "plait/architectures/shared_bottom.hpp"
#include "plait/architectures/single_task.hpp"
#include "plait/model/model.hpp"
#include "support/reference.hpp"
#include "support/work.hpp"

namespace bench {

struct Reference {
  Architecture architecture;
  plait::Trunk<float> trunk;
  Work work;

  plait::Model<float> model() const {
    plait::Model<float> result(trunk, {.hidden = {plait::Body{sizes::tower}}}, /*seed=*/1);
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

// All architectures, from the least work to the most intricate.
inline std::vector<Reference> all_references() {
  using namespace plait;
  using namespace sizes;
  using enum Architecture;
  const std::vector<Body> levels = {Body{first}, Body{second}};
  const Body flat = {first, second};
  constexpr Index units = tasks + 1;                            // with the shared one
  constexpr Index seen_experts = own_experts + shared_experts;  // by a task of CGC and PLE
  return {
      {shared_bottom, SharedBottom{.input_dim = input, .num_tasks = tasks, .expert = flat},
       one_level(1, 0).towers(second)},
      {single_task, SingleTask{.input_dim = input, .num_tasks = tasks, .expert = flat},
       one_level(tasks, 0).towers(second)},
      // A projection passes no gradient back to the other task: its input gradient has half the
      // width.
      {asymmetric,
       AsymmetricSharing{
           .input_dim = input, .num_tasks = tasks, .expert = flat, .sources = chain_of_tasks()},
       one_level(tasks, 0)
           .linear(tasks - 1, second, second, Reads::state)
           .linear(tasks - 1, second, second, Reads::detached)
           .towers(second)},
      {customized, CustomizedSharing{.input_dim = input, .num_tasks = tasks, .expert = flat},
       one_level(units, 0).towers(2 * second)},
      {cross_stitch, CrossStitch{.input_dim = input, .num_tasks = tasks, .levels = levels},
       one_level(tasks, 0)
           .mixing(tasks * tasks, first)
           .mixing(tasks * tasks, second)
           .towers(second)},
      {mmoe, MMoE{.input_dim = input, .num_tasks = tasks, .num_experts = experts, .expert = flat},
       one_level(experts, tasks * experts).towers(second)},
      {ml_mmoe,
       MLMMoE{.input_dim = input, .num_tasks = tasks, .num_experts = experts, .levels = levels},
       two_levels(experts * experts, tasks * experts, Reads::input).towers(second)},
      {cgc,
       CGC{.input_dim = input,
           .num_tasks = tasks,
           .expert = flat,
           .task_experts = {own_experts},
           .shared_experts = shared_experts},
       one_level(experts, tasks * seen_experts).towers(second)},
      {ple,
       PLE{.input_dim = input,
           .num_tasks = tasks,
           .levels = levels,
           .task_experts = {own_experts},
           .shared_experts = shared_experts},
       two_levels(tasks * seen_experts + experts, tasks * seen_experts).towers(second)},
      {adatt_sp,
       AdaTTSp{.input_dim = input,
               .num_tasks = tasks,
               .levels = levels,
               .task_experts = experts_per_task},
       two_levels(tasks * experts, tasks * experts).towers(second)},
      {adatt,
       AdaTT{.input_dim = input,
             .num_tasks = tasks,
             .levels = levels,
             .task_experts = {own_experts},
             .shared_experts = shared_experts},
       two_levels(units * experts, tasks * experts).towers(second)},
  };
}

}  // namespace bench
