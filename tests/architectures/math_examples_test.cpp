// The worked examples A01-A11, B01, B02, B04 and B09 (tests/fixtures): outputs and all gradients,
// in double and float.
//
// A fixture nests its parameters by role (levels, experts, gates, ...); one walk over that nesting
// finds the parameter that each array belongs to.
#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plait/layers/mlp.hpp"
#include "plait/layers/sequential.hpp"
#include "plait/layers/towers.hpp"
#include "plait/losses/auxiliary_heads.hpp"
#include "plait/losses/multi_task_loss.hpp"
#include "plait/model/registry.hpp"  // all architectures
#include "plait/model/trunk.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/optimizer.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"

namespace {

using fixtures::Json;
using plait::Body;
using plait::Index;
using plait::ParamBuffer;
using plait::ParamTable;
using plait::Scratch;
using plait::Tensor;
using plait::View3;

template <class Scalar>
double tolerance() {
  return std::is_same_v<Scalar, double> ? 1e-10 : 1e-5;
}

// A run of a parameter's numbers: all of it, or one row.
struct Place {
  std::string name;
  std::size_t row = 0;
  bool whole = true;
};

// The place of the array that a fixture keeps under a path such as levels, 0, experts, 1, 0, W.
class Names {
 public:
  // AdaTT-sp keeps native weights by level, [T, m]; AdaTT by unit, [L, m]. The layers of soft
  // ordering are shared ones, those of an MLP follow one another.
  explicit Names(bool native_weights_by_level = true, bool shared_layers = false)
      : by_level_(native_weights_by_level), shared_layers_(shared_layers) {}

  Place of(const std::vector<std::string>& path) const {
    const auto& p = path;
    if (p[0] == "levels") {
      const std::string& role = p[2];
      if (role == "S") return {"stitchs." + p[1] + ".weight"};
      if (role == "v") {
        const std::string& table = by_level_ ? p[1] : p[3];
        return {"self_exp_weights." + table, std::stoul(by_level_ ? p[3] : p[1]), false};
      }
      if (role == "experts") return {"experts." + p[1] + "." + p[3] + layer(p[4]) + kind(p.back())};
      const bool has_body = p.size() > 5;  // gates, u, {mlp, k | lin}, W
      if (has_body && p[4] == "mlp")
        return {"gates." + p[1] + "." + p[3] + ".0" + layer(p[5]) + kind(p.back())};
      if (has_body) return {"gates." + p[1] + "." + p[3] + ".1" + kind(p.back())};
      return {"gate_weights." + p[1] + "." + p[3] + ".0" + kind(p.back())};
    }
    if (p[0] == "towers") {
      const std::string tower = "task_modules." + p[1];
      if (p[2] == "hidden") return {tower + ".0" + layer(p[3]) + kind(p.back())};
      return {tower + ".1" + kind(p.back())};
    }
    if (p[0] == "trunk") return {"bottom_projection" + layer(p[1]) + kind(p.back())};
    if (p[0] == "main" && p[2] == "h")
      return {"task_modules." + p[1] + ".0" + layer(p[3]) + kind(p.back())};
    if (p[0] == "main") return {"task_modules." + p[1] + ".1" + kind(p.back())};
    if (p[0] == "aux") return {"auxiliary_modules." + p[1] + ".1" + kind(p.back())};
    if (p[0] == "layers" && p.size() > 3)
      return {"experts." + p[1] + "." + p[2] + ".mlp_net.0" + kind(p.back())};
    if (p[0] == "alpha") return {"alphas." + p[1], std::stoul(p[2]), false};
    if (p[0] == "S") return {"orders." + p[1], std::stoul(p[2]), false};
    if (p[0] == "beta") return {"betas", std::stoul(p[1]), false};
    if (p[0] == "layers" && shared_layers_)
      return {"layers." + p[1] + ".mlp_net.0" + kind(p.back())};
    if (p[0] == "layers") return {layer(p[1]).substr(1) + kind(p.back())};
    if (p[0] == "bottom") return {"bottom_projection" + layer(p[1]) + kind(p.back())};
    if (p[0] == "bottom_A") return {"bottoms.0" + layer(p[1]) + kind(p.back())};
    if (p[0] == "bottom_B") return {"bottoms.1" + layer(p[1]) + kind(p.back())};
    if (p[0] == "bottom_shared") return {"shared_bottom" + layer(p[1]) + kind(p.back())};
    if (p[0] == "A") return {"u." + p[1] + ".mlp_net.0" + kind(p.back())};
    if (p[0] == "C") return {"p." + p[1] + ".mlp_net.0" + kind(p.back())};
    if (p[0] == "F") return {"q." + p[1] + ".mlp_net.0" + kind(p.back())};
    if (p[0] == "att1" || p[0] == "att2") {
      const std::string role = p[0] == "att1" ? "mask_hidden." : "mask.";
      return {role + p[1] + "." + p[2] + ".mlp_net.0" + kind(p.back())};
    }
    if (p[0] == "proj_B") return {"projections.1" + kind(p.back())};
    throw std::runtime_error("no parameter for " + p[0]);
  }

 private:
  static std::string layer(const std::string& k) {
    return ".mlp_net." + std::to_string(2 * std::stoul(k));
  }
  static std::string kind(const std::string& key) { return key == "W" ? ".weight" : ".bias"; }

  bool by_level_;
  bool shared_layers_;
};

void append_numbers(const Json& json, std::vector<double>& numbers) {
  if (json.is_number()) {
    numbers.push_back(json.get<double>());
  } else {
    for (const Json& item : json) append_numbers(item, numbers);
  }
}

// visit(place, numbers) for every array of a fixture's params or grads, but those named x...
template <class Visit>
void walk(const Json& json, const Names& names, std::vector<std::string>& path,
          const Visit& visit) {
  const bool matrix =
      !path.empty() && (path.back() == "W" || (path.back() == "S" && path.size() > 1));
  if (matrix || (json.is_array() && !json.empty() && json.front().is_number())) {
    std::vector<double> numbers;
    append_numbers(json, numbers);
    return visit(names.of(path), numbers);
  }
  for (const auto& [key, value] : json.items()) {
    if (path.empty() && key.front() == 'x') continue;
    path.push_back(key);
    walk(value, names, path, visit);
    path.pop_back();
  }
}

// The numbers of a place in a buffer.
template <class Scalar>
std::span<Scalar> at(ParamBuffer<Scalar>& buffer, const Place& place) {
  const auto& id = buffer.table().at(place.name).id;
  if (place.whole) return buffer.of(id);
  return buffer.of(id).subspan(place.row * static_cast<std::size_t>(id.cols),
                               static_cast<std::size_t>(id.cols));
}

template <class Scalar>
ParamBuffer<Scalar> read_parameters(const Json& params, const Names& names,
                                    std::shared_ptr<const ParamTable> table) {
  ParamBuffer<Scalar> theta(std::move(table));
  Index filled = 0;
  std::vector<std::string> path;
  walk(params, names, path, [&](const Place& place, const std::vector<double>& numbers) {
    const auto destination = at(theta, place);
    REQUIRE(destination.size() == numbers.size());
    for (std::size_t i = 0; i < numbers.size(); ++i)
      destination[i] = static_cast<Scalar>(numbers[i]);
    filled += static_cast<Index>(numbers.size());
  });
  REQUIRE(filled == theta.table().num_parameters());
  return theta;
}

template <class Scalar>
void check_numbers(std::span<const Scalar> got, const std::vector<double>& expected) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO("number " << i << ": got " << got[i] << ", expected " << expected[i]);
    CHECK(std::abs(static_cast<double>(got[i]) - expected[i]) <= tolerance<Scalar>());
  }
}

template <class Scalar>
void check_tensor(const std::string& what, Tensor<Scalar>& got, const Json& expected) {
  INFO(what);
  std::vector<double> numbers;
  append_numbers(expected, numbers);
  check_numbers<Scalar>({got.view().data(), numbers.size()}, numbers);
  CHECK(got.batch() * got.slots() * got.dim() == static_cast<Index>(numbers.size()));
}

// `some`: the fixture has gradients of a part of the parameters.
template <class Scalar>
void check_gradients(ParamBuffer<Scalar>& grad, const Json& expected, const Names& names,
                     bool some = false) {
  Index seen = 0;
  std::vector<std::string> path;
  walk(expected, names, path, [&](const Place& place, const std::vector<double>& numbers) {
    INFO("gradient of " << place.name << (place.whole ? "" : " row " + std::to_string(place.row)));
    check_numbers<Scalar>(at(grad, place), numbers);
    seen += static_cast<Index>(numbers.size());
  });
  CHECK((some || seen == grad.table().num_parameters()));
}

// A layer with a fixture's parameters, after a forward on its input.
template <plait::Layer L>
struct Example {
  using Scalar = typename L::Scalar;

  template <class Build>
  Example(const Json& fixture, const Names& its_names, const Build& build)
      : names(its_names),
        layer(build(*table)),
        theta(read_parameters<Scalar>(fixture.at("params"), names, table)),
        grad(table),
        x(fixtures::tensor<Scalar>(fixture.at("inputs").at("x"))),
        dx(x.batch(), x.slots(), x.dim()),
        y(x.batch(), layer.out_shape().slots, layer.out_shape().dim) {
    REQUIRE(layer.in_shape() == x.view().shape());
    layer.forward(theta, x, y, &workspace, scratch);
  }

  void backward(View3<const Scalar> dy) {
    grad.set_zero();
    layer.backward(theta, x, y.view(), dy, dx, workspace, grad, scratch);
  }

  Names names;
  std::shared_ptr<ParamTable> table = std::make_shared<ParamTable>();
  L layer;
  ParamBuffer<Scalar> theta;
  ParamBuffer<Scalar> grad;
  Tensor<Scalar> x;
  Tensor<Scalar> dx;
  Tensor<Scalar> y;
  typename L::Workspace workspace;
  Scratch scratch;
};

// Output and gradients of a layer fixture, whose upstream gradient is d_out.
template <plait::Layer L, class Build>
void check_example(const std::string& name, const Build& build,
                   const std::string& grads = "grads") {
  using Scalar = typename L::Scalar;
  const Json fixture = fixtures::load(name);
  INFO(name);
  const bool general_adatt = name.starts_with("A10"), soft_ordering = name.starts_with("B04");
  Example<L> example(fixture, Names(!general_adatt, soft_ordering), build);
  check_tensor("output", example.y, fixture.at("outputs").at("out"));
  const auto dy = fixtures::tensor<Scalar>(fixture.at("inputs").at("d_out"));
  example.backward(dy);
  check_tensor("dx", example.dx, fixture.at(grads).at("x"));
  check_gradients(example.grad, fixture.at(grads), example.names);
}

template <class Scalar, class D>
void check_trunk(const std::string& name, const D& description,
                 const std::string& grads = "grads") {
  check_example<plait::Network<Scalar>>(
      name, [&](ParamTable& table) { return plait::build<Scalar>(table, "", description); }, grads);
}

const std::vector<Body> one_level{{2}};
const std::vector<Body> two_levels{{2}, {2}};

}  // namespace

TEMPLATE_TEST_CASE("math example A01: MLP", "", double, float) {
  check_example<plait::MLP<TestType>>("A01_mlp", [](ParamTable& table) {
    return plait::MLP<TestType>(table, "", 2, {3, 2});
  });
}

TEMPLATE_TEST_CASE("math example A02: shared bottom", "", double, float) {
  check_trunk<TestType>("A02_shared_bottom", plait::SharedBottom{2, 2, {2}});
}

TEMPLATE_TEST_CASE("math example A03: asymmetric sharing", "", double, float) {
  const auto config = [](bool stop) {
    return plait::AsymmetricSharing{2, 2, {2}, {{}, {0}}, plait::Fusion::concat, stop};
  };
  check_trunk<TestType>("A03_asymmetric", config(true));
  check_trunk<TestType>("A03_asymmetric", config(false), "grads_without_stop_gradient");
}

TEMPLATE_TEST_CASE("math example A03b: customized sharing", "", double, float) {
  check_trunk<TestType>("A03b_customized_sharing", plait::CustomizedSharing{2, 2, {2}});
}

TEMPLATE_TEST_CASE("math example A04: cross-stitch", "", double, float) {
  check_trunk<TestType>(
      "A04_cross_stitch",
      plait::CrossStitch{2, 2, two_levels, plait::Stitch::near_identity, 0.9, true});
}

TEMPLATE_TEST_CASE("math example A05: MMoE", "", double, float) {
  check_trunk<TestType>("A05_mmoe", plait::MMoE{2, 2, 3, {2}});
}

TEMPLATE_TEST_CASE("math example A06: multi-level MMoE", "", double, float) {
  check_trunk<TestType>("A06_ml_mmoe", plait::MLMMoE{2, 2, 3, two_levels});
}

TEMPLATE_TEST_CASE("math example A06b: multi-level MMoE, hidden gates", "", double, float) {
  check_trunk<TestType>("A06b_ml_mmoe_gate_mlp",
                        plait::MLMMoE{2, 2, 2, two_levels, {{.body = {2}}}});
}

TEMPLATE_TEST_CASE("math example A07: CGC", "", double, float) {
  check_trunk<TestType>("A07_cgc", plait::CGC{2, 2, {2}, {1}, 1, {}, true});
}

TEMPLATE_TEST_CASE("math example A08: PLE", "", double, float) {
  check_trunk<TestType>(
      "A08_ple_int",
      plait::PLE{.input_dim = 2, .num_tasks = 2, .levels = two_levels, .separate_inputs = true});
  check_trunk<TestType>("A08b_ple_list", plait::PLE{.input_dim = 2,
                                                    .num_tasks = 2,
                                                    .levels = two_levels,
                                                    .task_experts = {2, 1},
                                                    .shared_experts = 2,
                                                    .separate_inputs = true});
}

TEMPLATE_TEST_CASE("math example A09: AdaTT-sp", "", double, float) {
  const auto config = [](Index experts, bool residual) {
    return plait::AdaTTSp{.input_dim = 2,
                          .num_tasks = 2,
                          .levels = two_levels,
                          .task_experts = experts,
                          .residual = residual,
                          .separate_inputs = true};
  };
  check_trunk<TestType>("A09_adatt_sp_m1", config(1, true));
  check_trunk<TestType>("A09b_adatt_sp_m2", config(2, true));
  check_trunk<TestType>("A09c_adatt_sp_m2_nores", config(2, false));
}

TEMPLATE_TEST_CASE("math example A10: AdaTT", "", double, float) {
  const auto config = [](const std::vector<Body>& levels, const std::vector<Index>& experts,
                         Index shared) {
    return plait::AdaTT{.input_dim = 2,
                        .num_tasks = 2,
                        .levels = levels,
                        .task_experts = experts,
                        .shared_experts = shared,
                        .separate_inputs = true};
  };
  check_trunk<TestType>("A10_adatt_general_m1_s1", config(two_levels, {1}, 1));
  check_trunk<TestType>("A10b_adatt_general_list", config(two_levels, {1, 2}, 2));
  check_trunk<TestType>("A10c_adatt_general_L1", config(one_level, {2}, 1));
}

// A trunk with towers: losses, gradients of all and of each task, and three steps of Adam.
TEMPLATE_TEST_CASE("math example A11: end to end", "", double, float) {
  using Scalar = TestType;
  const Json fixture = fixtures::load("A11_end_to_end_adatt_sp");
  Example<plait::Sequential<Scalar>> example(fixture, Names(), [](ParamTable& table) {
    const plait::AdaTTSp config{
        .input_dim = 2, .num_tasks = 2, .levels = two_levels, .task_experts = 2};
    auto trunk = plait::build<Scalar>(table, "", config);
    plait::Towers<Scalar> towers(table, "task_modules", trunk.out_shape(), {{{2}}, {1}});
    return plait::Sequential<Scalar>({std::move(trunk), std::move(towers)});
  });
  const auto check_close = [](double got, const Json& expected) {
    INFO("got " << got << ", expected " << expected);
    CHECK(std::abs(got - expected.get<double>()) <= tolerance<Scalar>());
  };
  const Index batch = example.x.batch();
  const plait::MultiTaskLoss<Scalar> loss(
      {{.kind = plait::HeadKind::binary}, {.kind = plait::HeadKind::regression}});
  Tensor<Scalar> labels(batch, 1, 2), dlogits(batch, 1, 2);
  for (Index b = 0; b < batch; ++b) {
    const auto label = [&](const char* task) {
      return fixture.at("inputs").at("labels").at(task).at(static_cast<std::size_t>(b));
    };
    labels.view()(b, 0, 0) = label("task0_binary").template get<Scalar>();
    labels.view()(b, 0, 1) = label("task1_regression").template get<Scalar>();
    const auto output = [&](const char* task) {
      return fixture.at("outputs").at(task).at(static_cast<std::size_t>(b)).at(0);
    };
    check_close(static_cast<double>(example.y.view()(b, 0, 0)), output("logit0"));
    check_close(static_cast<double>(example.y.view()(b, 0, 1)), output("pred1"));
  }
  const plait::Targets<Scalar> targets{labels};
  check_close(loss.evaluate_batch(example.y, targets, dlogits), fixture.at("loss").at("total"));

  example.backward(dlogits.view());
  check_tensor("dx", example.dx, fixture.at("grads").at("x"));
  check_gradients(example.grad, fixture.at("grads"), example.names);

  for (const Index task : {0, 1}) {
    INFO("gradient of task " << task << " alone");
    Tensor<Scalar> alone(batch, 1, 2);
    alone.view().of_slot(0).col(task) = dlogits.view().of_slot(0).col(task);
    example.backward(alone.view());
    const Json& expected =
        fixture.at("per_task_grads_of_fusion_network").at(static_cast<std::size_t>(task));
    check_tensor("dx", example.dx, expected.at("x_shared"));
    check_gradients(example.grad, expected, example.names, /*some=*/true);
  }

  plait::Optimizer<Scalar> adam(example.table, plait::Adam{.learning_rate = 0.01});
  for (const Json& expected : fixture.at("adam_lr0.01_loss_trajectory(4 values)")) {
    INFO("loss before step " << adam.steps() + 1);
    example.layer.forward(example.theta, example.x, example.y, &example.workspace, example.scratch);
    check_close(loss.evaluate_batch(example.y, targets, dlogits), expected);
    example.backward(dlogits.view());
    adam.step(example.theta, example.grad);
  }
}

// The fixture's loss has the orthogonality penalty c Ω, which is no part of the layer: Ω and its
// gradient are taken here, with M = W_1ᵀ W_2 of the row halves of every weight,
//   Ω = Σ ‖M‖²,   ∂Ω/∂W_1 = 2 W_2 Mᵀ,   ∂Ω/∂W_2 = 2 W_1 M
TEMPLATE_TEST_CASE("math example B01: sluice network", "", double, float) {
  using Scalar = TestType;
  const Json fixture = fixtures::load("B01_sluice");
  Example<plait::Network<Scalar>> example(fixture, Names(), [](ParamTable& table) {
    return plait::build<Scalar>(table, "", plait::Sluice{2, 2, two_levels});
  });
  check_tensor("output", example.y, fixture.at("outputs").at("out"));
  example.backward(fixtures::tensor<Scalar>(fixture.at("inputs").at("d_out")));
  check_tensor("dx", example.dx, fixture.at("grads").at("x"));

  const auto c = static_cast<Scalar>(fixture.at("config").at("c").get<double>());
  double penalty = 0;
  for (const auto& entry : example.table->entries()) {
    if (!entry.is_weight) continue;
    const auto weight = example.theta.view().matrix(entry.id);
    const Index half = weight.rows() / 2;
    const auto first = weight.topRows(half), second = weight.bottomRows(half);
    const plait::Matrix<Scalar> product = first.transpose() * second;
    penalty += static_cast<double>(product.squaredNorm());
    plait::Matrix<Scalar> gradient(weight.rows(), weight.cols());
    gradient << 2 * second * product.transpose(), 2 * first * product;
    const auto grad = example.grad.of(entry.id);
    for (Index i = 0; i < gradient.size(); ++i)
      grad[static_cast<std::size_t>(i)] += c * gradient.data()[i];
  }
  CHECK(std::abs(penalty - fixture.at("outputs").at("penalty_Omega").get<double>()) <=
        tolerance<Scalar>());
  check_gradients(example.grad, fixture.at("grads"), example.names);
}

// With the masks, which are what the layer shows.
TEMPLATE_TEST_CASE("math example B02: MTAN", "", double, float) {
  using Scalar = TestType;
  const auto build = [](ParamTable& table) {
    return plait::build<Scalar>(table, "", plait::MTAN{2, 2, {2, 2}});
  };
  check_example<plait::Network<Scalar>>("B02_mtan_fc", build);

  const Json fixture = fixtures::load("B02_mtan_fc");
  Example<plait::Network<Scalar>> example(fixture, Names(), build);
  Index levels = 0;
  example.layer.watch(
      example.theta, example.workspace, example.scratch,
      [&](Index l, View3<const Scalar> masks, View3<const Scalar>, View3<const Scalar>) {
        ++levels;
        for (Index t = 0; t < 2; ++t) {
          Tensor<Scalar> mask(masks.batch(), 1, masks.dim());
          mask.view().of_slot(0) = masks.of_slot(t);
          check_tensor("mask", mask,
                       fixture.at("outputs").at("masks").at(std::size_t(l)).at(std::size_t(t)));
        }
      });
  CHECK(levels == 2);
}

// Without encoders: the input is the first state.
TEMPLATE_TEST_CASE("math example B04: soft layer ordering", "", double, float) {
  check_trunk<TestType>("B04_soft_ordering", plait::SoftOrdering{2, 2, {}, 2});
}

// Towers beside small ones: both losses, and the gradients of their weighted sum.
TEMPLATE_TEST_CASE("math example B09: self-auxiliary small heads", "", double, float) {
  using Scalar = TestType;
  const Json fixture = fixtures::load("B09_small_heads");
  Example<plait::Sequential<Scalar>> example(fixture, Names(), [](ParamTable& table) {
    const plait::SharedBottom config{.input_dim = 2, .num_tasks = 2, .expert = {2}};
    auto trunk = plait::build<Scalar>(table, "", config);
    plait::Towers<Scalar> towers(table, "task_modules", trunk.out_shape(),
                                 {.hidden = {{2}}, .small = {{}}}, "auxiliary_modules");
    return plait::Sequential<Scalar>({std::move(trunk), std::move(towers)});
  });
  const double lambda = fixture.at("config").at("lambda_aux").get<double>();
  const plait::MultiTaskLoss<Scalar> loss(
      plait::with_auxiliary(std::vector<plait::Head>(2), lambda));
  const auto labels = fixtures::tensor<Scalar>(fixture.at("inputs").at("labels"));
  Tensor<Scalar> dlogits(2, 1, 4);
  const plait::Targets<Scalar> targets{labels};
  std::vector<double> normaliser, losses(4, 0.0);
  loss.normaliser(targets, normaliser);
  loss.evaluate(example.y, targets, normaliser, dlogits, losses);
  double total = 0;
  for (std::size_t t = 0; t < 2; ++t) {
    const double main = fixture.at("outputs").at("loss_main").at(t).get<double>();
    const double small = fixture.at("outputs").at("loss_aux").at(t).get<double>();
    CHECK(std::abs(losses[t] - main) <= tolerance<Scalar>());
    CHECK(std::abs(losses[2 + t] - small) <= tolerance<Scalar>());
    total += main + lambda * small;
  }
  CHECK(std::abs(loss.total(losses) - total) <= tolerance<Scalar>());
  example.backward(dlogits.view());
  check_tensor("dx", example.dx, fixture.at("grads").at("x"));
  check_gradients(example.grad, fixture.at("grads"), example.names);
}
