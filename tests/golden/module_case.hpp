// A module's outputs and gradients against a golden file.
#pragma once
#include "golden/golden_case.hpp"

namespace golden {

// Builds the module that the file names, loads its parameters, and compares y, dx and every
// parameter's gradient.
template <class Scalar>
void check_module(const Case<Scalar>& file);

}  // namespace golden
