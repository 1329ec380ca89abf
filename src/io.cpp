// plait::compiled, with nlohmann-json: model files.
#include "plait/io/model_file.hpp"

namespace plait {

#define PLAIT_MODEL_FILES(Scalar)                                                          \
  template void save<Scalar>(const Model<Scalar>&, const std::string&, const SaveOptions&, \
                             ViewArgument<const Scalar>);                                  \
  template LoadedModel<Scalar> load<Scalar>(SafetensorsReader, const Registry<Scalar>&);   \
  template LoadedModel<Scalar> load<Scalar>(const std::string&, const Registry<Scalar>&);
PLAIT_MODEL_FILES(float)
PLAIT_MODEL_FILES(double)
#undef PLAIT_MODEL_FILES

}  // namespace plait
