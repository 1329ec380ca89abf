// Every layer in many shapes, wrapped as AnyLayer<double>: what the suite, the gradient check and
// the mutation test run on.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "plait/core/param_buffer.hpp"
#include "support/any_layer.hpp"

namespace zoo {

struct Specimen {
  std::string shape;  // what is special about it
  std::shared_ptr<const plait::ParamTable> table;
  support::AnyLayer<double> layer;
};

// build(table) makes the layer on a fresh table.
template <class Build>
Specimen specimen(const std::string& shape, const Build& build) {
  auto table = std::make_shared<plait::ParamTable>();
  auto layer = build(*table);
  return {shape, std::move(table), support::AnyLayer<double>(std::move(layer))};
}

// A layer from its Config under no prefix, as all architectures are built.
template <class L>
Specimen built(const std::string& shape, const typename L::Config& config) {
  return specimen(shape, [&](plait::ParamTable& table) { return L(table, "", config); });
}

std::vector<Specimen> linears();
std::vector<Specimen> mlps();
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
std::vector<Specimen> towers();
std::vector<Specimen> auxiliary_towers();
std::vector<Specimen> sequentials();

}  // namespace zoo
