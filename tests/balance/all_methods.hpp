// Calls a generic function with every balancing method.
#pragma once
#include "plait/balance/aligned_mtl.hpp"
#include "plait/balance/cagrad.hpp"
#include "plait/balance/db_mtl.hpp"
#include "plait/balance/equal_weights.hpp"
#include "plait/balance/fairgrad.hpp"
#include "plait/balance/graddrop.hpp"
#include "plait/balance/gradvac.hpp"
#include "plait/balance/imtl_g.hpp"
#include "plait/balance/mgda.hpp"
#include "plait/balance/nash_mtl.hpp"
#include "plait/balance/pcgrad.hpp"
#include "plait/balance/rotograd.hpp"
#include "plait/balance/upgrad.hpp"

namespace balance_test {

template <class Function>
void for_each_method(const Function& function) {
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
  function("Nash-MTL", plait::NashMTL{});
  function("Nash-MTL official", plait::NashMTL{.scale_by_gramian = true, .max_norm = 1});
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

}  // namespace balance_test
