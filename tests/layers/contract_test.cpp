// The whole contract of core/layer.hpp and the gradient check, on every layer in every shape.
#include "layers/zoo.hpp"
#include "plait/core/parallel.hpp"
#include "plait/testing/gradcheck.hpp"
#include "plait/testing/layer_suite.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/with_options.hpp"

namespace {

using plait::Index;
using plait::Random;

constexpr std::uint64_t seed = 20;

void check_contract(const std::vector<zoo::Specimen>& specimens) {
  CHECK(specimens.size() >= 8);
  plait::ThreadPool pool(3);
  for (const auto& specimen : specimens) {
    INFO(specimen.shape);
    plait::testing::SuiteOptions options;
    options.seed = seed;
    options.executor = &pool;
    options.count_allocations = allocations::count;
    const auto report =
        plait::testing::check_layer(specimen.layer, zoo::random_parameters(specimen), options);
    INFO(report.text());
    CHECK(report.passed());
  }
}

void check_gradients(const std::vector<zoo::Specimen>& specimens,
                     const plait::ForwardOptions& asked = {}) {
  CHECK(specimens.size() >= 8);
  for (const auto& specimen : specimens)
    for (const Index batch : {Index{1}, Index{5}}) {
      INFO(specimen.shape << ", batch " << batch);
      Random random(seed);
      const auto x =
          plait::testing::normal_tensor<double>(batch, specimen.layer.in_shape(), random);
      plait::testing::GradientOptions options;
      options.tolerance = 1e-7;
      const auto report =
          plait::testing::check_gradients(with_options::Layer{specimen.layer, asked},
                                          zoo::random_parameters(specimen), x.view(), options);
      INFO(report.text());
      CHECK(report.passed());
    }
}

}  // namespace

TEST_CASE("contract: Linear") { check_contract(zoo::linears()); }
TEST_CASE("contract: MLP") { check_contract(zoo::mlps()); }
TEST_CASE("contract: ResidualBlock") { check_contract(zoo::residual_blocks()); }
TEST_CASE("contract: Gate") { check_contract(zoo::gates()); }
TEST_CASE("contract: ExpertBank") { check_contract(zoo::expert_banks()); }
TEST_CASE("contract: SharedBottom") { check_contract(zoo::shared_bottoms()); }
TEST_CASE("contract: SingleTask") { check_contract(zoo::single_tasks()); }
TEST_CASE("contract: CrossStitch") { check_contract(zoo::cross_stitches()); }
TEST_CASE("contract: MMoE") { check_contract(zoo::mmoes()); }
TEST_CASE("contract: MLMMoE") { check_contract(zoo::ml_mmoes()); }
TEST_CASE("contract: CGC") { check_contract(zoo::cgcs()); }
TEST_CASE("contract: PLE") { check_contract(zoo::ples()); }
TEST_CASE("contract: AdaTTSp") { check_contract(zoo::adatt_sps()); }
TEST_CASE("contract: AdaTT") { check_contract(zoo::adatts()); }
TEST_CASE("contract: AsymmetricSharing") { check_contract(zoo::asymmetric_sharings()); }
TEST_CASE("contract: AsymmetricSharing with stop-gradient") {
  check_contract(zoo::stopped_sharings());
}
TEST_CASE("contract: CustomizedSharing") { check_contract(zoo::customized_sharings()); }
TEST_CASE("contract: MTAN") { check_contract(zoo::mtans()); }
TEST_CASE("contract: Sluice") { check_contract(zoo::sluices()); }
TEST_CASE("contract: SoftOrdering") { check_contract(zoo::soft_orderings()); }
TEST_CASE("contract: SNR") { check_contract(zoo::snrs()); }
TEST_CASE("contract: LearningToBranch") { check_contract(zoo::branchings()); }
TEST_CASE("contract: AdaShare") { check_contract(zoo::ada_shares()); }
TEST_CASE("contract: BranchedNetwork") { check_contract(zoo::branched_networks()); }
TEST_CASE("contract: trunks of one's own") { check_contract(zoo::own_trunks()); }
TEST_CASE("contract: gates of several slots and experts of several kinds") {
  check_contract(zoo::slots_and_kinds());
}
TEST_CASE("contract: routes with stop-gradients") { check_contract(zoo::stopped_routes()); }
TEST_CASE("contract: levels and towers that draw") {
  for (const auto& specimen : zoo::drawing_levels()) {
    CHECK(specimen.layer.draws());
    CHECK(zoo::have_effect(specimen, {.draws = {.seed = 4, .step = 1}}));
  }
  check_contract(zoo::drawing_levels());
}
TEST_CASE("contract: Towers") { check_contract(zoo::towers()); }
TEST_CASE("contract: Towers with small ones") { check_contract(zoo::small_towers()); }
TEST_CASE("contract: Sequential") { check_contract(zoo::sequentials()); }

// Stop-gradients are checked in architectures/stop_gradient_test.cpp and fusion/stopped_test.cpp:
// the layer's own finite differences would see what it stops.
TEST_CASE("gradients: Linear") { check_gradients(zoo::linears()); }
TEST_CASE("gradients: MLP") { check_gradients(zoo::mlps()); }
TEST_CASE("gradients: ResidualBlock") { check_gradients(zoo::residual_blocks()); }
TEST_CASE("gradients: Gate") { check_gradients(zoo::gates()); }
TEST_CASE("gradients: ExpertBank") { check_gradients(zoo::expert_banks()); }
TEST_CASE("gradients: SharedBottom") { check_gradients(zoo::shared_bottoms()); }
TEST_CASE("gradients: SingleTask") { check_gradients(zoo::single_tasks()); }
TEST_CASE("gradients: CrossStitch") { check_gradients(zoo::cross_stitches()); }
TEST_CASE("gradients: MMoE") { check_gradients(zoo::mmoes()); }
TEST_CASE("gradients: MLMMoE") { check_gradients(zoo::ml_mmoes()); }
TEST_CASE("gradients: CGC") { check_gradients(zoo::cgcs()); }
TEST_CASE("gradients: PLE") { check_gradients(zoo::ples()); }
TEST_CASE("gradients: AdaTTSp") { check_gradients(zoo::adatt_sps()); }
TEST_CASE("gradients: AdaTT") { check_gradients(zoo::adatts()); }
TEST_CASE("gradients: AsymmetricSharing") { check_gradients(zoo::asymmetric_sharings()); }
TEST_CASE("gradients: CustomizedSharing") { check_gradients(zoo::customized_sharings()); }
TEST_CASE("gradients: MTAN") { check_gradients(zoo::mtans()); }
TEST_CASE("gradients: Sluice") { check_gradients(zoo::sluices()); }
TEST_CASE("gradients: SoftOrdering") { check_gradients(zoo::soft_orderings()); }
TEST_CASE("gradients: SNR") { check_gradients(zoo::snrs()); }
TEST_CASE("gradients: LearningToBranch") { check_gradients(zoo::branchings()); }
TEST_CASE("gradients: AdaShare") { check_gradients(zoo::ada_shares()); }
TEST_CASE("gradients: BranchedNetwork") { check_gradients(zoo::branched_networks()); }
TEST_CASE("gradients: trunks of one's own") { check_gradients(zoo::own_trunks()); }
TEST_CASE("gradients: levels and towers that draw") {
  check_gradients(zoo::drawing_levels());
  for (const Index step : {0, 1, 2})
    check_gradients(zoo::drawing_levels(), {.draws = {.seed = 4, .step = step}, .first_row = 30});
}
TEST_CASE("gradients: gates of several slots and experts of several kinds") {
  check_gradients(zoo::slots_and_kinds());
  check_gradients(zoo::slots_and_kinds(), {.draws = {.seed = 4, .step = 1}, .first_row = 30});
}
TEST_CASE("gradients: Towers") { check_gradients(zoo::towers()); }
TEST_CASE("gradients: Towers with small ones") { check_gradients(zoo::small_towers()); }
TEST_CASE("gradients: Sequential") { check_gradients(zoo::sequentials()); }
