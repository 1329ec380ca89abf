// Registry: the trunks and bodies that files may name.
//
//   Registry<float> registry;                                 the library's architectures
//   registry.add_trunk(Funnel{}).add_body(Glu{});             and one's own, by their names
//   const auto loaded = load<float>("ranker.safetensors", registry);
#pragma once
#include <map>
#include <string>
#include <utility>

#include "plait/architectures/ada_share.hpp"
#include "plait/architectures/ada_share_layer.hpp"
#include "plait/architectures/adatt.hpp"
#include "plait/architectures/asymmetric.hpp"
#include "plait/architectures/asymmetric_networks.hpp"
#include "plait/architectures/branched.hpp"
#include "plait/architectures/cross_stitch.hpp"
#include "plait/architectures/customized_networks.hpp"
#include "plait/architectures/customized_sharing.hpp"
#include "plait/architectures/learning_to_branch.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/architectures/mtan.hpp"
#include "plait/architectures/mtan_layer.hpp"
#include "plait/architectures/ple.hpp"
#include "plait/architectures/shared_bottom.hpp"
#include "plait/architectures/single_task.hpp"
#include "plait/architectures/sluice.hpp"
#include "plait/architectures/sluice_layer.hpp"
#include "plait/architectures/snr.hpp"
#include "plait/architectures/soft_ordering.hpp"
#include "plait/architectures/soft_ordering_layer.hpp"
#include "plait/core/error.hpp"
#include "plait/layers/body.hpp"
#include "plait/model/trunk.hpp"

namespace plait {

// A value. What is added is a prototype: its settings are replaced by those of the file.
template <class Scalar>
class Registry {
 public:
  Registry();

  // Both throw ConfigError for a description without a name, or a name that is taken.
  Registry& add_trunk(Trunk<Scalar> prototype);
  Registry& add_body(Body prototype);

  // Null for a name that is not known.
  const Trunk<Scalar>* trunk(const std::string& name) const;
  const Bodies& bodies() const { return bodies_; }
  const std::map<std::string, Trunk<Scalar>>& trunks() const { return trunks_; }

 private:
  std::map<std::string, Trunk<Scalar>> trunks_;
  Bodies bodies_;
};

template <class Scalar>
Registry<Scalar>::Registry() {
  add_trunk(SingleTask{}).add_trunk(SharedBottom{}).add_trunk(AsymmetricSharing{});
  add_trunk(CustomizedSharing{}).add_trunk(CrossStitch{}).add_trunk(MMoE{}).add_trunk(MLMMoE{});
  add_trunk(CGC{}).add_trunk(PLE{}).add_trunk(AdaTTSp{}).add_trunk(AdaTT{});
  add_trunk(Sluice{}).add_trunk(SoftOrdering{}).add_trunk(MTAN{});
  add_trunk(SNR{}).add_trunk(LearningToBranch{}).add_trunk(AdaShare{});
  add_trunk(BranchedNetwork{});
}

template <class Scalar>
Registry<Scalar>& Registry<Scalar>::add_trunk(Trunk<Scalar> prototype) {
  const std::string name(prototype.name());
  require_config(!name.empty() && !trunks_.contains(name), "Registry", "trunk", in_quotes(name),
                 "a name that is not taken");
  trunks_.emplace(name, std::move(prototype));
  return *this;
}

template <class Scalar>
Registry<Scalar>& Registry<Scalar>::add_body(Body prototype) {
  bodies_.add(std::move(prototype));
  return *this;
}

template <class Scalar>
const Trunk<Scalar>* Registry<Scalar>::trunk(const std::string& name) const {
  const auto found = trunks_.find(name);
  return found == trunks_.end() ? nullptr : &found->second;
}

#ifdef PLAIT_COMPILED
#define PLAIT_TRUNK_COMPILED(EXTERN, D)                                                   \
  EXTERN template Network<float> build<float>(ParamTable&, const std::string&, const D&); \
  EXTERN template Network<double> build<double>(ParamTable&, const std::string&, const D&);
#define PLAIT_TRUNKS_COMPILED(EXTERN)             \
  PLAIT_TRUNK_COMPILED(EXTERN, SingleTask)        \
  PLAIT_TRUNK_COMPILED(EXTERN, SharedBottom)      \
  PLAIT_TRUNK_COMPILED(EXTERN, AsymmetricSharing) \
  PLAIT_TRUNK_COMPILED(EXTERN, CustomizedSharing) \
  PLAIT_TRUNK_COMPILED(EXTERN, CrossStitch)       \
  PLAIT_TRUNK_COMPILED(EXTERN, MMoE)              \
  PLAIT_TRUNK_COMPILED(EXTERN, MLMMoE)            \
  PLAIT_TRUNK_COMPILED(EXTERN, CGC)               \
  PLAIT_TRUNK_COMPILED(EXTERN, PLE)               \
  PLAIT_TRUNK_COMPILED(EXTERN, AdaTTSp)           \
  PLAIT_TRUNK_COMPILED(EXTERN, AdaTT)             \
  PLAIT_TRUNK_COMPILED(EXTERN, Sluice)            \
  PLAIT_TRUNK_COMPILED(EXTERN, SoftOrdering)      \
  PLAIT_TRUNK_COMPILED(EXTERN, MTAN)              \
  PLAIT_TRUNK_COMPILED(EXTERN, SNR)               \
  PLAIT_TRUNK_COMPILED(EXTERN, LearningToBranch)  \
  PLAIT_TRUNK_COMPILED(EXTERN, AdaShare)          \
  PLAIT_TRUNK_COMPILED(EXTERN, BranchedNetwork)
PLAIT_TRUNKS_COMPILED(extern)
extern template class Registry<float>;
extern template class Registry<double>;
#endif

}  // namespace plait
