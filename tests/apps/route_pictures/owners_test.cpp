// Whose experts and units are, as routes tell it.
#include <stdexcept>
#include <string>
#include <vector>

#include "as_routes.hpp"
#include "plait/architectures/adatt.hpp"
#include "plait/architectures/branched.hpp"
#include "plait/architectures/cross_stitch.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/architectures/ple.hpp"
#include "plait/architectures/shared_bottom.hpp"
#include "plait/architectures/single_task.hpp"
#include "support/catch.hpp"
#include "svg/route_owners.hpp"

using namespace plait;

namespace {

using Owners = std::vector<Index>;
constexpr Index n = svg::nobody;

template <class Description>
std::vector<svg::LevelOwners> owners(const Description& description) {
  ParamTable table;
  return svg::owners_of(description.plan(table, ""));
}

const std::vector<Body> two{{4}, {4}};

}  // namespace

TEST_CASE("owners: of tasks' own experts, of shared ones, of units between") {
  const auto ple = owners(PLE{
      .input_dim = 3, .num_tasks = 2, .levels = two, .task_experts = {2, 1}, .shared_experts = 2});
  REQUIRE(ple.size() == 2);
  for (const auto& level : ple) CHECK(level.experts == Owners{0, 0, 1, n, n});
  CHECK(ple[0].units == Owners{0, 1, n});
  CHECK(ple[1].units == Owners{0, 1});
  // The numbers of native experts tell, and their slots; not who weighs them, which all do.
  const auto adatt = owners(AdaTT{
      .input_dim = 3, .num_tasks = 2, .levels = two, .task_experts = {2, 1}, .shared_experts = 2});
  for (const auto& level : adatt) CHECK(level.experts == Owners{0, 0, 1, n, n});
  CHECK(adatt[0].units == Owners{0, 1, n});
  const auto adatt_sp =
      owners(AdaTTSp{.input_dim = 3, .num_tasks = 3, .levels = two, .task_experts = 1});
  CHECK(adatt_sp[0].experts == Owners{0, 1, 2});
  CHECK(adatt_sp[0].units == Owners{0, 1, 2});
  const auto cgc = owners(CGC{.input_dim = 3, .num_tasks = 2, .expert = {4}});
  CHECK(cgc[0].experts == Owners{0, 1, n});
}

TEST_CASE("owners: of networks per task, stitched or not, and of a tree") {
  const auto single = owners(SingleTask{.input_dim = 3, .num_tasks = 2, .expert = {4}});
  CHECK(single[0].experts == Owners{0, 1});
  const auto stitched = owners(CrossStitch{.input_dim = 3, .num_tasks = 3, .levels = two});
  for (const auto& level : stitched) {
    CHECK(level.experts == Owners{0, 1, 2});
    CHECK(level.units == Owners{0, 1, 2});
  }
  const auto tree = owners(BranchedNetwork{
      .input_dim = 3, .num_tasks = 3, .levels = two, .groups = {{0, 0, 1}, {0, 1, 2}}});
  CHECK(tree[0].experts == Owners{n, 2});
  CHECK(tree[0].units == Owners{n, 2});
  CHECK(tree[1].experts == Owners{0, 1, 2});
}

TEST_CASE("owners: nobody's where nothing tells") {
  CHECK(owners(SharedBottom{.input_dim = 3, .num_tasks = 2, .expert = {4}})[0].experts ==
        Owners{n});
  const auto mmoe = owners(MLMMoE{.input_dim = 3, .num_tasks = 2, .num_experts = 2, .levels = two});
  for (const auto& level : mmoe) CHECK(level.experts == Owners{n, n});
  CHECK(mmoe[0].units == Owners{n, n});
  CHECK(mmoe[1].units == Owners{0, 1});
  // Without native weights all units of AdaTT's first level weigh all experts alike.
  const auto adatt = owners(
      AdaTTSp{.input_dim = 3, .num_tasks = 2, .levels = two, .task_experts = 2, .residual = false});
  CHECK(adatt[0].experts == Owners{n, n, n, n});
  CHECK(svg::owners_of({}).empty());
}

TEST_CASE("owners: who passes no gradient does not count") {
  AsymmetricSharing sharing{
      .input_dim = 3, .num_tasks = 2, .expert = {4}, .sources = {{}, {0}}, .fusion = Fusion::sum};
  CHECK(svg::owners_of(pictures::as_routes(sharing))[0].experts == Owners{0, 1});
  sharing.stop_gradient = false;
  CHECK(svg::owners_of(pictures::as_routes(sharing))[0].experts == Owners{n, 1});
}

TEST_CASE("owners: a unit that shared experts read, too, is shared") {
  ParamTable table;
  Plan plan = PLE{.input_dim = 3, .num_tasks = 2, .levels = two}.plan(table, "");
  plan.levels[1].route.experts[0].slot = 2;  // task 0's now reads the shared unit
  const auto owners = svg::owners_of(plan);
  CHECK(owners[1].experts == Owners{0, 1, n});
  CHECK(owners[0].units == Owners{n, 1, n});  // nobody reads unit 0
  CHECK(owners[0].experts == Owners{n, 1, 1});
}

TEST_CASE("owners: routes that lead nowhere are refused") {
  ParamTable table;
  const Plan plan = PLE{.input_dim = 3, .num_tasks = 2, .levels = two}.plan(table, "");
  for (const Index wrong : {Index{-1}, Index{3}}) {
    Plan expert = plan, slot = plan;
    expert.levels[0].route.units[0].experts[0] = wrong;
    slot.levels[1].route.experts[0].slot = wrong;
    CHECK_THROWS_AS(svg::owners_of(expert), std::out_of_range);
    CHECK_THROWS_AS(svg::owners_of(slot), std::out_of_range);
  }
}
