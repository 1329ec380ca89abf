#include "golden/module_case.hpp"

#include <algorithm>
#include <type_traits>

#include "golden/reference_config.hpp"
#include "plait/kernels/packed_weights.hpp"
#include "plait/layers/adatt.hpp"
#include "plait/layers/cross_stitch.hpp"
#include "plait/layers/mmoe.hpp"
#include "plait/layers/ple.hpp"
#include "plait/layers/shared_bottom.hpp"

namespace golden {
namespace {

using plait::MLPConfig;
using plait::ParamTable;

template <plait::Layer L>
void check_layer(const L& layer, ParamTable table, const Case<typename L::Scalar>& file) {
  using Scalar = typename L::Scalar;
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

  typename L::Workspace workspace;
  plait::Scratch scratch;
  layer.forward(theta, x, got_y, workspace, scratch);
  layer.backward(theta, x, got_y, dy, got_dx, workspace, grad, scratch);
  check_output("y", got_y, y);
  check_gradient<Scalar>("dx", Case<Scalar>::numbers(got_dx), Case<Scalar>::numbers(dx));
  check_gradients(grad, expected_grad);

  // Once more with packed weights: the very same numbers.
  plait::PackedWeights<Scalar> mirror(theta.table());
  mirror.pack(theta);
  plait::Tensor<Scalar> packed_y(y.batch(), y.slots(), y.dim());
  plait::Tensor<Scalar> packed_dx(x.batch(), x.slots(), x.dim());
  auto packed_grad = empty;
  layer.forward(mirror.view(theta), x, packed_y, workspace, scratch);
  layer.backward(mirror.view(theta), x, packed_y, dy, packed_dx, workspace, packed_grad, scratch);
  CHECK(std::ranges::equal(Case<Scalar>::numbers(packed_y), Case<Scalar>::numbers(got_y)));
  CHECK(std::ranges::equal(Case<Scalar>::numbers(packed_dx), Case<Scalar>::numbers(got_dx)));
  CHECK(std::ranges::equal(packed_grad.flat(), grad.flat()));
}

template <plait::Layer Trunk>
void check_trunk(const typename Trunk::Config& config, const Case<typename Trunk::Scalar>& file) {
  ParamTable table;
  const Trunk trunk(table, "", config);
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
    const plait::MLP<Scalar> layer(table, "", input, config);
    return check_layer(layer, std::move(table), file);
  }

  const Index tasks = c.at("num_tasks");
  const auto levels = [&](const char* key) { return mlps(c.at(key).get<std::vector<Widths>>()); };
  if (arch == "share_bottom") {
    REQUIRE(c.at("activation") == "RELU");
    return check_trunk<plait::SharedBottom<Scalar>>(
        {.input_dim = input,
         .num_tasks = tasks,
         .expert = MLPConfig(c.at("hidden_dims").get<Widths>())},
        file);
  }
  if (arch == "cross_stitch")
    return check_trunk<plait::CrossStitch<Scalar>>({.input_dim = input,
                                                    .num_tasks = tasks,
                                                    .levels = levels("expert_archs"),
                                                    .separate_inputs = true},
                                                   file);
  if (arch == "ml_mmoe") {
    plait::GateConfigs<plait::MLP<Scalar>> gates;
    for (const MLPConfig& body : levels("gate_archs")) gates.push_back({.body = body});
    return check_trunk<plait::MLMMoE<Scalar>>({.input_dim = input,
                                               .num_tasks = tasks,
                                               .num_experts = c.at("num_experts"),
                                               .levels = levels("expert_archs"),
                                               .gates = gates},
                                              file);
  }
  if (arch == "ple")
    return check_trunk<plait::PLE<Scalar>>({.input_dim = input,
                                            .num_tasks = tasks,
                                            .levels = levels("expert_out_dims"),
                                            .task_experts = one_or_list(c.at("num_task_experts")),
                                            .shared_experts = c.at("num_shared_experts"),
                                            .separate_inputs = true},
                                           file);
  if (arch == "adatt_sp")
    return check_trunk<plait::AdaTTSp<Scalar>>({.input_dim = input,
                                                .num_tasks = tasks,
                                                .levels = levels("expert_out_dims"),
                                                .task_experts = c.at("num_task_experts"),
                                                .residual = c.at("self_exp_res_connect"),
                                                .separate_inputs = true},
                                               file);
  if (arch == "adatt")
    return check_trunk<plait::AdaTT<Scalar>>(
        {.input_dim = input,
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
