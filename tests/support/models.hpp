// Every architecture once, by name, for tests that hold for all of them.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "plait/model/model.hpp"
#include "plait/model/registry.hpp"  // all architectures

namespace models {

using plait::Body;
using plait::Index;

// Sizes common to all: two levels [first], [second], or one of [first, second].
struct Sizes {
  Index input_dim = 5;
  Index num_tasks = 3;
  Index first = 6;
  Index second = 4;
  Index tower = 3;

  std::vector<Body> levels() const { return {Body{first}, Body{second}}; }
  Body flat() const { return {first, second}; }
};

template <class Scalar>
struct NamedTrunk {
  std::string name;
  plait::Trunk<Scalar> trunk;
};

template <class Scalar>
std::vector<NamedTrunk<Scalar>> all_trunks(const Sizes& s = {}) {
  const Index d = s.input_dim;
  const Index t = s.num_tasks;
  std::vector<std::vector<Index>> chain(static_cast<std::size_t>(t));
  for (Index i = 1; i < t; ++i) chain[static_cast<std::size_t>(i)] = {i - 1};
  using namespace plait;
  std::vector<NamedTrunk<Scalar>> result;
  const auto add = [&](auto trunk) { result.push_back({std::string(trunk.name), trunk}); };
  add(SingleTask{.input_dim = d, .num_tasks = t, .expert = s.flat()});
  add(SharedBottom{.input_dim = d, .num_tasks = t, .expert = s.flat()});
  add(AsymmetricSharing{.input_dim = d, .num_tasks = t, .expert = s.flat(), .sources = chain});
  add(CustomizedSharing{.input_dim = d, .num_tasks = t, .expert = s.flat()});
  add(CrossStitch{.input_dim = d, .num_tasks = t, .levels = s.levels()});
  add(MMoE{.input_dim = d, .num_tasks = t, .num_experts = 4, .expert = s.flat()});
  add(MLMMoE{.input_dim = d, .num_tasks = t, .num_experts = 4, .levels = s.levels()});
  add(CGC{.input_dim = d, .num_tasks = t, .expert = s.flat(), .shared_experts = 2});
  add(PLE{.input_dim = d,
          .num_tasks = t,
          .levels = s.levels(),
          .task_experts = {2},
          .shared_experts = 2});
  add(AdaTTSp{.input_dim = d, .num_tasks = t, .levels = s.levels(), .task_experts = 2});
  add(AdaTT{.input_dim = d,
            .num_tasks = t,
            .levels = s.levels(),
            .task_experts = {2},
            .shared_experts = 2});
  add(MTAN{.input_dim = d, .num_tasks = t, .levels = {s.first, s.second}});
  // A subspace of a few ReLUs may be off on every row.
  const Body smooth({s.first}, Activation::tanh);
  add(Sluice{.input_dim = d,
             .num_tasks = t,
             .levels = {smooth, smooth},
             .subspaces = s.first % 2 == 0 ? 2 : 1});
  add(SoftOrdering{.input_dim = d, .num_tasks = t, .encoder = {s.second}, .depth = 2});
  add(SNR{.input_dim = d, .num_tasks = t, .num_experts = 3, .levels = {s.first, s.second}});
  add(LearningToBranch{
      .input_dim = d, .num_tasks = t, .num_experts = 3, .levels = {s.first, s.second}});
  add(AdaShare{.input_dim = d, .num_tasks = t, .stem = {s.second}, .blocks = {s.first, s.second}});
  std::vector<Index> together(static_cast<std::size_t>(t)), apart = together;
  for (Index i = 0; i < t; ++i) apart[static_cast<std::size_t>(i)] = i;
  add(BranchedNetwork{
      .input_dim = d, .num_tasks = t, .levels = s.levels(), .groups = {together, apart}});
  return result;
}

template <class Scalar>
plait::Model<Scalar> make(const plait::Trunk<Scalar>& trunk, const Sizes& s = {},
                          std::uint64_t seed = 1) {
  return plait::Model<Scalar>(trunk, {.hidden = {Body{s.tower}}}, seed);
}

}  // namespace models
