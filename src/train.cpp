// plait::compiled: training.
#include "plait/train/trainer.hpp"

namespace plait {

template class Trainer<float>;
template class Trainer<double>;

}  // namespace plait
