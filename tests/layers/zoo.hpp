// Every layer in many shapes, as a Network<double>: what the suite, the gradient check and
// the mutation test run on.
#pragma once
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "plait/core/network.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/core/random.hpp"
#include "plait/model/trunk.hpp"
#include "plait/testing/data.hpp"

namespace zoo {

struct Specimen {
  std::string shape;  // what is special about it
  std::shared_ptr<const plait::ParamTable> table;
  plait::Network<double> layer;
};

// build(table) makes the layer on a fresh table.
template <class Build>
Specimen specimen(const std::string& shape, const Build& build) {
  auto table = std::make_shared<plait::ParamTable>();
  plait::Network<double> layer = build(*table);
  return {shape, std::move(table), std::move(layer)};
}

// Starting numbers for the specimen, of which those that start alike are moved apart: weights that
// are equal, of every level, hide which of them a layer reads.
inline plait::ParamBuffer<double> random_parameters(const Specimen& specimen) {
  plait::ParamBuffer<double> theta(specimen.table);
  plait::Random random(20);
  initialise(theta, random);
  for (const plait::ParamEntry& entry : theta.table().entries())
    if (entry.init.kind != plait::Init::Kind::uniform)
      for (double& p : theta.of(entry.id)) p += 0.3 * random.normal();
  return theta;
}

// Whether the outputs of these passes differ from those without options.
inline bool have_effect(const Specimen& specimen, const plait::ForwardOptions& options) {
  const auto theta = random_parameters(specimen);
  const plait::Shape out = specimen.layer.out_shape();
  plait::Random random(20);
  const auto x = plait::testing::normal_tensor<double>(4, specimen.layer.in_shape(), random);
  plait::Tensor<double> with(4, out.slots, out.dim), without(4, out.slots, out.dim);
  plait::Scratch scratch;
  specimen.layer.forward(theta, x, with, nullptr, scratch, options);
  specimen.layer.forward(theta, x, without, nullptr, scratch);
  return !std::ranges::equal(plait::testing::flat(with), plait::testing::flat(without));
}

// A trunk from its description, under no prefix.
template <class D>
Specimen built(const std::string& shape, const D& description) {
  return specimen(shape, [&](plait::ParamTable& table) {
    return plait::build<double>(table, "", description);
  });
}

std::vector<Specimen> linears();
std::vector<Specimen> mlps();
std::vector<Specimen> residual_blocks();
std::vector<Specimen> gates();
std::vector<Specimen> expert_banks();
std::vector<Specimen> shared_bottoms();
std::vector<Specimen> single_tasks();
std::vector<Specimen> cross_stitches();
std::vector<Specimen> mmoes();
std::vector<Specimen> ml_mmoes();
std::vector<Specimen> cgcs();
std::vector<Specimen> ples();
std::vector<Specimen> adatt_sps();
std::vector<Specimen> adatts();
std::vector<Specimen> asymmetric_sharings();  // the gradient flows to the sources
std::vector<Specimen> stopped_sharings();     // it does not: finite differences do not apply
std::vector<Specimen> customized_sharings();
std::vector<Specimen> mtans();
std::vector<Specimen> sluices();
std::vector<Specimen> soft_orderings();
std::vector<Specimen> snrs();
std::vector<Specimen> branchings();
std::vector<Specimen> ada_shares();
std::vector<Specimen> branched_networks();
std::vector<Specimen> own_trunks();
std::vector<Specimen> slots_and_kinds();  // routes with what one of few says
std::vector<Specimen> stopped_routes();   // as stopped_sharings
std::vector<Specimen> drawing_levels();   // experts, gates and towers that draw
std::vector<Specimen> towers();
std::vector<Specimen> small_towers();
std::vector<Specimen> sequentials();

}  // namespace zoo
