// The state of a balancing method as a part of a checkpoint.
#pragma once
#include <vector>

#include "plait/core/param_buffer.hpp"
#include "plait/io/checkpoint.hpp"
#include "plait/methods/method_state.hpp"

namespace ranker {

// `buffers` are those of a method that keeps some.
void store_method(const plait::MethodState& state,
                  const std::vector<plait::ParamBuffer<float>>& buffers,
                  plait::Progress<float>& progress);

struct StoredMethod {
  plait::MethodState state;
  std::vector<plait::ParamBuffer<float>> buffers;
};

// Of a checkpoint that has one.
StoredMethod stored_method(const plait::Progress<float>& progress);

}  // namespace ranker
