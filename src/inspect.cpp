// plait::compiled: watching experts.
#include "plait/inspect/expert_watch.hpp"

namespace plait {

template class ExpertWatch<float>;
template class ExpertWatch<double>;

}  // namespace plait
