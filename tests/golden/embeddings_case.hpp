// A training run from ids against a golden file of make_embeddings.py.
//
// embeddings.*: tables and a network trained for some steps. x [steps, B, D], labels and mask
//               [steps, B, T]; of every feature ids.<feature> of all steps one after the other,
//               offsets.<feature> [steps, B + 1], each step's from 0, and weights.<feature> beside
//               ids; the first step's logits [B, T], losses [steps]; param.<name> and table.<name>
//               before, final.<name> and final_table.<name> after.
#pragma once
#include "golden/golden_case.hpp"

namespace golden {

// Builds what the file names, loads its starting numbers, trains on its batches, and compares the
// first logits, every loss and the final numbers.
template <class Scalar>
void check_embeddings(const Case<Scalar>& file);

}  // namespace golden
