// Routes that are made for pictures compute what the layers compute, so that what is drawn is true.
#include "as_routes.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "plait/architectures/asymmetric_networks.hpp"
#include "plait/architectures/learning_to_branch.hpp"
#include "plait/architectures/snr.hpp"
#include "plait/model/trunk.hpp"
#include "plait/testing/build.hpp"
#include "support/catch.hpp"

using namespace plait;

namespace {

struct Pair {
  testing::Built<Network<double>> layer, stack;

  // Numbers of the same names alike.
  template <class Description, class MakePlan>
  Pair(const Description& description, const MakePlan& make_plan)
      : layer(testing::build<double>(3, Trunk<double>(description))),
        stack(testing::build<double>(
            4, [&](ParamTable& table) { return build_plan<double>(table, make_plan(table)); })) {
    Random random(5);
    for (const auto& entry : layer.theta.table().entries()) {
      for (double& number : layer.theta.of(entry.id)) number = random.normal();
      if (entry.name.starts_with("log_alphas.") || entry.name.starts_with("branches.")) continue;
      std::ranges::copy(layer.theta.of(entry.id), stack.theta.of(entry.name).begin());
    }
  }

  // How far the outputs are apart, with the layer's static weights in the stack's.
  double difference() {
    Scratch scratch;
    const auto x = layer.input(5);
    const Shape out = layer.layer.out_shape();
    REQUIRE(stack.layer.out_shape() == out);
    Tensor<double> y(5, out.slots, out.dim), z(5, out.slots, out.dim);
    Network<double>::Workspace workspace;
    layer.layer.forward(layer.theta, x, y, &workspace, scratch);
    layer.layer.watch(
        layer.theta, workspace, scratch,
        [&](Index l, View3<const double>, View3<const double>, View3<const double> statics) {
          if (statics.dim() == 0) return;
          const auto to = stack.theta.of("z." + std::to_string(l + 1));
          std::copy_n(statics.data(), to.size(), to.begin());
        });
    stack.layer.forward(stack.theta, x, z, nullptr, scratch);
    double largest = 0, apart = 0;
    for (Index b = 0; b < 5; ++b)
      for (Index t = 0; t < out.slots; ++t)
        for (Index h = 0; h < out.dim; ++h) {
          const double expected = y.view().row(b, t)[h];
          largest = std::max(largest, std::abs(expected));
          apart = std::max(apart, std::abs(expected - z.view().row(b, t)[h]));
        }
    CHECK(largest > 0.1);
    return apart;
  }
};

}  // namespace

TEST_CASE("as_routes: what is drawn of SNR and LearningToBranch is what they compute") {
  const SNR snr{.input_dim = 3,
                .num_tasks = 2,
                .num_experts = 4,
                .levels = {5, 6, 4},
                .connection = SNRConnection::aver};
  const LearningToBranch branch{
      .input_dim = 3, .num_tasks = 2, .num_experts = 4, .levels = {5, 6, 4}};
  const auto plan_of = [](const auto& description) {
    return [&](ParamTable& table) { return pictures::as_routes(description.routes(table), table); };
  };
  CHECK(Pair(snr, plan_of(snr)).difference() < 1e-12);
  CHECK(Pair(branch, plan_of(branch)).difference() < 1e-12);

  ParamTable table;
  SNR matrices = snr;
  matrices.connection = SNRConnection::trans;
  CHECK_THROWS_WITH(pictures::as_routes(matrices.routes(table), table),
                    "plait::SNR: connections: got matrices, expected weights");
}

TEST_CASE("as_routes: what is drawn of AsymmetricSharing is what it computes") {
  AsymmetricSharing sharing{.input_dim = 3,
                            .num_tasks = 3,
                            .expert = {4},
                            .sources = {{}, {0, 2}, {1}},
                            .fusion = Fusion::sum};
  for (const bool stops : {true, false}) {
    sharing.stop_gradient = stops;
    const auto plan = pictures::as_routes(sharing);
    CHECK(Pair(sharing, [&](ParamTable&) { return plan; }).difference() < 1e-12);
    CHECK(plan.levels[0].route.units[1].stopped ==
          (stops ? std::vector<Index>{1, 2} : std::vector<Index>{}));
  }
  sharing.fusion = Fusion::concat;
  CHECK_THROWS_WITH(pictures::as_routes(sharing),
                    "plait::AsymmetricSharing: fusion: got another, expected sum");
}
