// plait::compiled: networks and models.
#include "plait/model/model.hpp"
#include "plait/core/eigen.hpp"
#include "plait/core/instruction_set.hpp"
#include "plait/fusion/stack.hpp"
#include "plait/layers/body.hpp"
#include "plait/model/registry.hpp"

namespace plait {

const char detail::PLAIT_COMPILED_FOR_ALIGNMENT = 0;
const char detail::PLAIT_COMPILED_FOR_SETS = 0;

template Network<float> build_plan<float>(ParamTable&, const Plan&);
template Network<double> build_plan<double>(ParamTable&, const Plan&);
template Network<float> Body::build(ParamTable&, const std::string&, Index) const;
template Network<double> Body::build(ParamTable&, const std::string&, Index) const;
PLAIT_TRUNKS_COMPILED()
template class Model<float>;
template class Model<double>;
template class Registry<float>;
template class Registry<double>;

}  // namespace plait
