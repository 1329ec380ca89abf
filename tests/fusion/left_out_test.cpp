// Scoring computes an expert for the rows alone in which gates give it weight.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "plait/architectures/adatt.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/architectures/ple.hpp"
#include "plait/model/model.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

using namespace plait;

namespace {

constexpr Index inputs = 6;

GateConfig choosing(bool per_example) {
  return {.dselect = DSelectK{.selectors = 2, .gamma = 0.1, .per_example = per_example}};
}
// Noise is of training alone.
GateConfig largest() { return {.noise = GateNoise{.top = 2}}; }

std::vector<Trunk<double>> trunks(const GateConfig& gate) {
  return {
      MMoE{.input_dim = inputs, .num_tasks = 2, .num_experts = 6, .expert = {5, 3}, .gate = gate},
      MLMMoE{.input_dim = inputs,
             .num_tasks = 2,
             .num_experts = 3,
             .levels = {{5}, {3}},
             .gates = {gate}},
      PLE{.input_dim = inputs,
          .num_tasks = 2,
          .levels = {{5}, {4}},
          .task_experts = {2},
          .shared_experts = 2,
          .gates = {gate}},
      AdaTTSp{.input_dim = inputs,
              .num_tasks = 2,
              .levels = {{5}, {4}},
              .task_experts = 2,
              .gates = {gate}}};
}

// Far enough from 0 that selectors have chosen: static numbers are parameters, others of x.
Model<double> chosen(const Trunk<double>& trunk, double factor = 300) {
  Model<double> model(trunk, {}, /*seed=*/2);
  ParamBuffer<double> values = model.values();
  for (const ParamEntry& entry : values.table().entries())
    if (entry.name.find(".z") != std::string::npos)
      for (double& number : values.of(entry.id)) number *= factor;
  model.load(values);
  return model;
}

struct Pass {
  explicit Pass(const Model<double>& ranker) : model(ranker) {}
  Matrix<double> kept(const Matrix<double>& x) {
    Matrix<double> y(x.rows(), 2);
    model.network().forward(model.values(), x, y, &workspace, scratch);
    return y;
  }
  Matrix<double> scored(const Matrix<double>& x) {
    Matrix<double> y(x.rows(), 2);
    model.network().forward(model.values(), x, y, nullptr, scratch);
    return y;
  }
  Model<double> model;
  Sequential<double>::Workspace workspace;
  Scratch scratch;
};

ParamId id_of(const Model<double>& model, const std::string& part) {
  for (const ParamEntry& entry : model.table().entries())
    if (entry.name.find(part) != std::string::npos) return entry.id;
  FAIL("no parameter " << part);
  return {};
}

}  // namespace

TEST_CASE("scores that leave experts out are those of all experts, to the last bit") {
  for (const GateConfig& gate : {choosing(true), choosing(false), largest()})
    for (const auto& trunk : trunks(gate))
      for (const double factor : {1.0, 300.0}) {
        Pass pass(chosen(trunk, factor));
        for (const Index rows : {0, 1, 2, 33}) {
          const auto x = data::normal<double>(rows, inputs, 4);
          CHECK((pass.scored(x).array() == pass.kept(x).array()).all());
        }
      }
}

TEST_CASE("an expert is computed in the rows alone that give it weight") {
  // An expert of NaN spoils the rows that it is computed for.
  for (const bool per_example : {true, false}) {
    Pass pass(chosen(trunks(choosing(per_example))[0]));
    const Index rows = 40;
    const auto x = data::normal<double>(rows, inputs, 4);
    const Matrix<double> before = pass.scored(x);
    Index spoiled = 0, spared = 0;
    for (Index e = 0; e < 6; ++e) {
      Model<double> model = pass.model;
      ParamBuffer<double> values = model.values();
      values.of(id_of(model, text("experts.0.", e, ".")))[0] = std::nan("");
      model.load(values);
      Pass with_nan(model);
      const Matrix<double> y = with_nan.scored(x);
      for (Index b = 0; b < rows; ++b)
        for (Index t = 0; t < 2; ++t) {
          const bool same = y(b, t) == before(b, t);
          CHECK((same || std::isnan(y(b, t))));
          (same ? spared : spoiled) += 1;
        }
    }
    // Two selectors a task of six experts: each row needs four of them at most.
    CHECK(spoiled > 0);
    CHECK(spared >= 2 * 2 * rows);
  }
}

TEST_CASE("scoring that leaves experts out does not allocate, whatever it leaves out") {
  // Rows that are all alike need an expert all or not at all, the others in part.
  const Index rows = 64, wide = 200;
  for (const GateConfig& gate : {choosing(true), largest()})
    for (const Index experts : {4, 6}) {
      Pass few(chosen(MMoE{.input_dim = wide,
                           .num_tasks = 2,
                           .num_experts = experts,
                           .expert = {512, 256, 128},
                           .gate = gate}));
      Matrix<double> y(rows, 2);
      Matrix<double> x = Matrix<double>::Zero(rows, wide);
      const auto allocated = [&] {
        const auto before = allocations::count();
        few.model.network().forward(few.model.values(), x, y, nullptr, few.scratch);
        return allocations::count() - before;
      };
      CHECK(allocated() > 0);
      const auto others = data::normal<double>(rows, wide, 4);
      for (Index alike = 0; alike < rows; ++alike) {
        x = others;
        for (Index b = 1; b < alike; ++b) x.row(b) = x.row(0);
        CHECK(allocated() == 0);
      }
    }
}
