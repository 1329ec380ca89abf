// A training run against a golden file.
#pragma once
#include "golden/golden_case.hpp"

namespace golden {

// Builds the model that the file names, loads its starting parameters, trains it on the file's
// batches, and compares the first logits and gradients, every loss and the final parameters.
template <class Scalar>
void check_training(const Case<Scalar>& file);

}  // namespace golden
