// MethodState: what a method that balances or weights tasks remembers from step to step.
#pragma once
#include <string>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/random.hpp"

namespace plait {

// Plain data, for a checkpoint: with it, and the same method, training goes on bit for bit. Methods
// hold hyper-parameters only.
struct MethodState {
  Index steps = 0;                // steps done
  Random random{};                // of methods that draw
  std::vector<double> numbers{};  // the method's own, as its header says; of a fixed length
};

namespace detail {

// The numbers that a method's state starts with: method.initial_numbers(tasks), or none.
template <class Method>
std::vector<double> initial_numbers(const Method& method, [[maybe_unused]] Index tasks) {
  if constexpr (requires { method.initial_numbers(tasks); }) {
    return method.initial_numbers(tasks);
  } else {
    return {};
  }
}

// A method's name, empty for one without, and its hyper-parameters, where it has fields.
template <class Method>
PLAIT_COLD void visit_method(FieldVisitor& visit, const Method& method) {
  std::string name;
  if constexpr (requires { Method::name; }) name = Method::name;
  visit("method", name);
  if constexpr (HasFields<Method>) {
    Method copy = method;
    copy.fields(visit);
  }
}

}  // namespace detail

}  // namespace plait
