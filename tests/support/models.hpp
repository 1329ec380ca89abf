// Every architecture once, as (name, trunk type, configuration), for tests that hold for all of
// them.
#pragma once
#include <cstdint>

#include "plait/layers/adatt.hpp"
#include "plait/layers/asymmetric.hpp"
#include "plait/layers/cross_stitch.hpp"
#include "plait/layers/customized_sharing.hpp"
#include "plait/layers/mmoe.hpp"
#include "plait/layers/model.hpp"
#include "plait/layers/ple.hpp"
#include "plait/layers/shared_bottom.hpp"
#include "plait/layers/single_task.hpp"

namespace models {

using plait::Index;
using plait::MLPConfig;

// Sizes common to all: two levels [first], [second], or one of [first, second].
struct Sizes {
  Index input_dim = 5;
  Index num_tasks = 3;
  Index first = 6;
  Index second = 4;
  Index tower = 3;

  std::vector<MLPConfig> levels() const { return {MLPConfig{first}, MLPConfig{second}}; }
  MLPConfig flat() const { return {first, second}; }
};

// Calls visit("AdaTT", std::type_identity<plait::AdaTT<Scalar>>, config), ... for all trunks.
template <class Scalar, class Visit>
void for_each_trunk(const Sizes& s, const Visit& visit) {
  const Index d = s.input_dim;
  const Index t = s.num_tasks;
  std::vector<std::vector<Index>> chain(static_cast<std::size_t>(t));
  for (Index i = 1; i < t; ++i) chain[static_cast<std::size_t>(i)] = {i - 1};
  const auto call = [&]<class Trunk>(const char* name, typename Trunk::Config config) {
    visit(name, std::type_identity<Trunk>(), config);
  };
  using namespace plait;
  call.template operator()<SingleTask<Scalar>>(
      "SingleTask", {.input_dim = d, .num_tasks = t, .expert = s.flat()});
  call.template operator()<SharedBottom<Scalar>>(
      "SharedBottom", {.input_dim = d, .num_tasks = t, .expert = s.flat()});
  call.template operator()<AsymmetricSharing<Scalar>>(
      "AsymmetricSharing", {.input_dim = d, .num_tasks = t, .expert = s.flat(), .sources = chain});
  call.template operator()<CustomizedSharing<Scalar>>(
      "CustomizedSharing", {.input_dim = d, .num_tasks = t, .expert = s.flat()});
  call.template operator()<CrossStitch<Scalar>>(
      "CrossStitch", {.input_dim = d, .num_tasks = t, .levels = s.levels()});
  call.template operator()<MMoE<Scalar>>(
      "MMoE", {.input_dim = d, .num_tasks = t, .num_experts = 4, .expert = s.flat()});
  call.template operator()<MLMMoE<Scalar>>(
      "MLMMoE", {.input_dim = d, .num_tasks = t, .num_experts = 4, .levels = s.levels()});
  call.template operator()<CGC<Scalar>>(
      "CGC", {.input_dim = d, .num_tasks = t, .expert = s.flat(), .shared_experts = 2});
  call.template operator()<PLE<Scalar>>("PLE", {.input_dim = d,
                                                .num_tasks = t,
                                                .levels = s.levels(),
                                                .task_experts = {2},
                                                .shared_experts = 2});
  call.template operator()<AdaTTSp<Scalar>>(
      "AdaTTSp", {.input_dim = d, .num_tasks = t, .levels = s.levels(), .task_experts = 2});
  call.template operator()<AdaTT<Scalar>>("AdaTT", {.input_dim = d,
                                                    .num_tasks = t,
                                                    .levels = s.levels(),
                                                    .task_experts = {2},
                                                    .shared_experts = 2});
}

template <class Trunk>
plait::Model<Trunk> make(const typename Trunk::Config& config, const Sizes& s,
                         std::uint64_t seed = 1) {
  return plait::Model<Trunk>(config, {.hidden = {MLPConfig{s.tower}}}, seed);
}

}  // namespace models
