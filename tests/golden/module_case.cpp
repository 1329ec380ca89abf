#include "golden/module_case.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "golden/reference_config.hpp"
#include "plait/kernels/packed_weights.hpp"
#include "plait/layers/mlp.hpp"
#include "plait/model/registry.hpp"  // all architectures
#include "plait/model/trunk.hpp"

namespace golden {
namespace {

using plait::MLPConfig;
using plait::ParamTable;

template <class Scalar>
void check_layer(const plait::Network<Scalar>& layer, ParamTable table, const Case<Scalar>& file) {
  const plait::ParamBuffer<Scalar> empty(std::make_shared<const ParamTable>(std::move(table)));
  const auto theta = file.parameters(empty, "param.");
  const auto expected_grad = file.parameters(empty, "grad.");
  auto grad = empty;
  auto x = file.tensor("x");
  auto y = file.tensor("y");
  auto dy = file.tensor("dy");
  auto dx = file.tensor("dx");
  plait::Tensor<Scalar> got_y(y.batch(), y.slots(), y.dim());
  plait::Tensor<Scalar> got_dx(x.batch(), x.slots(), x.dim());
  REQUIRE(layer.in_shape() == x.view().shape());
  REQUIRE(layer.out_shape() == y.view().shape());

  typename plait::Network<Scalar>::Workspace workspace;
  plait::Scratch scratch;
  layer.forward(theta, x, got_y, &workspace, scratch);
  layer.backward(theta, x, got_y.view(), dy.view(), got_dx, workspace, grad, scratch);
  check_output("y", got_y, y);
  check_gradient<Scalar>("dx", Case<Scalar>::numbers(got_dx), Case<Scalar>::numbers(dx));
  check_gradients(grad, expected_grad);

  // Once more with packed weights: the very same numbers.
  plait::PackedWeights<Scalar> mirror(theta.table());
  mirror.pack(theta);
  plait::Tensor<Scalar> packed_y(y.batch(), y.slots(), y.dim());
  plait::Tensor<Scalar> packed_dx(x.batch(), x.slots(), x.dim());
  auto packed_grad = empty;
  layer.forward(mirror.view(theta), x, packed_y, &workspace, scratch);
  layer.backward(mirror.view(theta), x, packed_y.view(), dy.view(), packed_dx, workspace,
                 packed_grad, scratch);
  CHECK(std::ranges::equal(Case<Scalar>::numbers(packed_y), Case<Scalar>::numbers(got_y)));
  CHECK(std::ranges::equal(Case<Scalar>::numbers(packed_dx), Case<Scalar>::numbers(got_dx)));
  CHECK(std::ranges::equal(packed_grad.flat(), grad.flat()));
}

template <class Scalar>
void check_trunk(const plait::Trunk<Scalar>& description, const Case<Scalar>& file) {
  ParamTable table;
  const plait::Network<Scalar> trunk = description.build(table, "");
  check_layer(trunk, std::move(table), file);
}

}  // namespace

template <class Scalar>
void check_module(const Case<Scalar>& file) {
  const std::string arch = file.string("arch");
  const Json c = file.json("config");
  const Index input = c.at("input_dim");
  if (arch == "mlp") {
    ParamTable table;
    const MLPConfig config(c.at("mlp_arch").get<Widths>(), plait::Activation::relu, c.at("bias"));
    const plait::Network<Scalar> layer = plait::MLP<Scalar>(table, "", input, config);
    return check_layer(layer, std::move(table), file);
  }

  const Index tasks = c.at("num_tasks");
  const auto levels = [&](const char* key) { return bodies(c.at(key).get<std::vector<Widths>>()); };
  if (arch == "share_bottom") {
    REQUIRE(c.at("activation") == "RELU");
    return check_trunk<Scalar>(
        plait::SharedBottom{.input_dim = input,
                            .num_tasks = tasks,
                            .expert = plait::Body(c.at("hidden_dims").get<Widths>())},
        file);
  }
  if (arch == "cross_stitch")
    return check_trunk<Scalar>(plait::CrossStitch{.input_dim = input,
                                                  .num_tasks = tasks,
                                                  .levels = levels("expert_archs"),
                                                  .separate_inputs = true},
                               file);
  if (arch == "ml_mmoe") {
    std::vector<plait::GateConfig> gates;
    for (const plait::Body& body : levels("gate_archs")) gates.push_back({.body = body});
    return check_trunk<Scalar>(plait::MLMMoE{.input_dim = input,
                                             .num_tasks = tasks,
                                             .num_experts = c.at("num_experts"),
                                             .levels = levels("expert_archs"),
                                             .gates = gates},
                               file);
  }
  if (arch == "ple")
    return check_trunk<Scalar>(plait::PLE{.input_dim = input,
                                          .num_tasks = tasks,
                                          .levels = levels("expert_out_dims"),
                                          .task_experts = one_or_list(c.at("num_task_experts")),
                                          .shared_experts = c.at("num_shared_experts"),
                                          .separate_inputs = true},
                               file);
  if (arch == "adatt_sp")
    return check_trunk<Scalar>(plait::AdaTTSp{.input_dim = input,
                                              .num_tasks = tasks,
                                              .levels = levels("expert_out_dims"),
                                              .task_experts = c.at("num_task_experts"),
                                              .residual = c.at("self_exp_res_connect"),
                                              .separate_inputs = true},
                               file);
  if (arch == "adatt")
    return check_trunk<Scalar>(
        plait::AdaTT{
            .input_dim = input,
            .num_tasks = tasks,
            .levels = levels("expert_out_dims"),
            .task_experts = one_or_list(
                c.at(c.contains("num_task_experts") ? "num_task_experts" : "num_task_expert_list")),
            .shared_experts = c.at("num_shared_experts"),
            .residual = c.at("self_exp_res_connect"),
            .separate_inputs = true},
        file);
  FAIL("no module " << arch);
}

template void check_module(const Case<float>&);
template void check_module(const Case<double>&);

}  // namespace golden
