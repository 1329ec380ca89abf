// plait::compiled: scoring.
#include "plait/serve/scorer.hpp"

namespace plait {

template class ScoringContext<float>;
template class ScoringContext<double>;
template class Scorer<float>;
template class Scorer<double>;

}  // namespace plait
