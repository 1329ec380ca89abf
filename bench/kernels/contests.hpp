// The contests of the program `kernels`, by subject.
#pragma once

namespace bench {

// gemm/<product>/<inputs>x<outputs>/<rows>: the three products of a linear layer.
void add_gemm_contests();
// mixing/<pass>/<tasks>x<experts>x<width>/<batch>: gate softmax and mixing.
// stitch/<tasks>x<width>/<batch>: mixing with static weights.
void add_mixing_contests();
// activation/<pass>/<name>/<numbers>
void add_activation_contests();
// optimizer/<rule>/<parameters>
void add_optimizer_contests();

}  // namespace bench
