// Calls a generic function with the name and every method of a kind.
#pragma once
#include "plait/methods/aligned_mtl.hpp"
#include "plait/methods/cagrad.hpp"
#include "plait/methods/conflict_free.hpp"
#include "plait/methods/db_mtl.hpp"
#include "plait/methods/dwa.hpp"
#include "plait/methods/equal_weights.hpp"
#include "plait/methods/fairgrad.hpp"
#include "plait/methods/famo.hpp"
#include "plait/methods/geometric_mean.hpp"
#include "plait/methods/graddrop.hpp"
#include "plait/methods/gradnorm.hpp"
#include "plait/methods/gradvac.hpp"
#include "plait/methods/imtl_g.hpp"
#include "plait/methods/imtl_l.hpp"
#include "plait/methods/mgda.hpp"
#include "plait/methods/nash_mtl.hpp"
#include "plait/methods/pcgrad.hpp"
#include "plait/methods/random_weights.hpp"
#include "plait/methods/rotograd.hpp"
#include "plait/methods/scheduled_weights.hpp"
#include "plait/methods/static_weights.hpp"
#include "plait/methods/stch.hpp"
#include "plait/methods/uncertainty_weights.hpp"
#include "plait/methods/upgrad.hpp"
#include "plait/optim/rmsprop.hpp"

namespace methods_test {

template <class Function>
void for_each_balancing_method(const Function& function) {
  function("EqualWeights", plait::EqualWeights{});
  function("PCGrad", plait::PCGrad{});
  function("PCGrad with self", plait::PCGrad{.include_self = true});
  function("GradVac", plait::GradVac{});
  function("MGDA", plait::MGDA{});
  function("MGDA l2", plait::MGDA{.normalisation = plait::MGDANormalisation::l2});
  function("MGDA loss", plait::MGDA{.normalisation = plait::MGDANormalisation::loss});
  function("MGDA loss l2", plait::MGDA{.normalisation = plait::MGDANormalisation::loss_l2});
  function("Frank-Wolfe", plait::MGDA{.solver = plait::MGDASolver::frank_wolfe});
  function("CAGrad", plait::CAGrad{});
  function("CAGrad far", plait::CAGrad{.c = 3, .rescale = plait::CAGradRescale::by_squared});
  function("IMTL-G", plait::IMTLG{});
  function("ConFIG", plait::ConFIG{});
  function("Nash-MTL", plait::NashMTL{});
  function("Nash-MTL of length 1", plait::NashMTL{.max_norm = 1});
  function("Aligned-MTL", plait::AlignedMTL{});
  function("Aligned-MTL median", plait::AlignedMTL{.scale = plait::AlignedScale::median});
  function("Aligned-MTL mean", plait::AlignedMTL{.scale = plait::AlignedScale::mean});
  function("UPGrad", plait::UPGrad{});
  function("UPGrad torchjd", plait::UPGrad{.normalise = true, .regularisation = 1e-4});
  function("DB-MTL", plait::DBMTL{});
  function("FairGrad", plait::FairGrad{.alpha = 2});
  function("GradDrop", plait::GradDrop{});
  function("RotoGrad", plait::RotoGrad{});
}

// For three tasks where a method has numbers per task.
template <class Function>
void for_each_weighting_method(const Function& function) {
  function("StaticWeights", plait::StaticWeights{{1, 2, 3}});
  function("ScheduledWeights", plait::ScheduledWeights{.factor = {0.5, 1, 1}});
  function(
      "ScheduledWeights per step",
      plait::ScheduledWeights{.factor = {0.5, 1, 1}, .per = plait::ScheduledWeights::Per::step});
  function("UncertaintyWeights", plait::UncertaintyWeights{});
  function("IMTL-L", plait::IMTLL{});
  function("DWA", plait::DWA{});
  function("FAMO", plait::FAMO{});
  function("UncertaintyWeights, RMSprop",
           plait::UncertaintyWeights{.rule = plait::RMSprop{.momentum = 0.9, .centered = true}});
  function("GradNorm", plait::GradNorm{});
  function("RandomWeights", plait::RandomWeights{});
  function("GeometricMean", plait::GeometricMean{});
  function("STCH", plait::STCH{});
  function("STCH on log scale", plait::STCH{.log_scale = true, .warmup_epochs = 1});
}

}  // namespace methods_test
