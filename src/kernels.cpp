// plait::compiled: kernels. Their headers have the list.
#define PLAIT_COMPILES_KERNELS
#include "plait/kernels/activation.hpp"
#include "plait/kernels/linear.hpp"
#include "plait/kernels/mix.hpp"
#include "plait/kernels/panels.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/kernels/softmax.hpp"
#include "plait/methods/gramian.hpp"
#include "plait/methods/shared_gradients.hpp"
#include "plait/sparse/lookup.hpp"
#include "plait/sparse/row_gradients.hpp"
