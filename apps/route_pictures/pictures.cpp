#include "pictures.hpp"

#include <string_view>

#include "as_routes.hpp"
#include "custom_routing/funnel.hpp"
#include "plait/architectures/adatt.hpp"
#include "plait/architectures/asymmetric.hpp"
#include "plait/architectures/branched.hpp"
#include "plait/architectures/cross_stitch.hpp"
#include "plait/architectures/learning_to_branch.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/architectures/ple.hpp"
#include "plait/architectures/shared_bottom.hpp"
#include "plait/architectures/single_task.hpp"
#include "plait/architectures/snr.hpp"
#include "plait/core/param_table.hpp"
#include "svg/route_picture.hpp"

namespace pictures {
namespace {

constexpr Index width = 4;  // of all, and not seen

File drawn(std::string_view name, const plait::Plan& plan) {
  const std::string architecture(name);
  return {architecture + ".svg", svg::route_picture(plan, {.title = "Routes of " + architecture})};
}

template <class Description>
File file_of(const Description& description) {
  plait::ParamTable table;
  return drawn(Description::name, description.plan(table, ""));
}

template <class Description>
File file_of_routed(const Description& description) {
  plait::ParamTable table;
  return drawn(Description::name, as_routes(description.routes(table), table));
}

File asymmetric() {
  const plait::AsymmetricSharing chain{.input_dim = width,
                                       .num_tasks = 3,
                                       .expert = {width},
                                       .sources = {{}, {0}, {1}},
                                       .fusion = plait::Fusion::sum};
  return drawn(plait::AsymmetricSharing::name, as_routes(chain));
}

}  // namespace

std::vector<File> files() {
  const plait::Body one{width};
  const std::vector<plait::Body> two{one, one};
  return {
      file_of(plait::SingleTask{.input_dim = width, .num_tasks = 2, .expert = one}),
      file_of(plait::SharedBottom{.input_dim = width, .num_tasks = 2, .expert = one}),
      asymmetric(),
      file_of(plait::CrossStitch{.input_dim = width, .num_tasks = 2, .levels = two}),
      file_of(plait::MMoE{.input_dim = width, .num_tasks = 2, .num_experts = 3, .expert = one}),
      file_of(plait::MLMMoE{.input_dim = width, .num_tasks = 2, .num_experts = 3, .levels = two}),
      file_of(plait::CGC{.input_dim = width, .num_tasks = 2, .expert = one, .shared_experts = 2}),
      file_of(plait::PLE{.input_dim = width, .num_tasks = 2, .levels = two, .shared_experts = 2}),
      file_of(plait::AdaTTSp{.input_dim = width, .num_tasks = 2, .levels = two, .task_experts = 2}),
      file_of(plait::AdaTT{.input_dim = width, .num_tasks = 2, .levels = two, .shared_experts = 2}),
      file_of_routed(plait::SNR{.input_dim = width,
                                .num_tasks = 2,
                                .num_experts = 3,
                                .levels = {width, width},
                                .connection = plait::SNRConnection::aver}),
      file_of_routed(plait::LearningToBranch{
          .input_dim = width, .num_tasks = 2, .num_experts = 3, .levels = {width, width}}),
      file_of(plait::BranchedNetwork{
          .input_dim = width, .num_tasks = 3, .levels = two, .groups = {{0, 0, 1}, {0, 1, 2}}}),
      file_of(Funnel{.input_dim = width, .num_tasks = 3, .levels = two, .stop_gradient = true}),
  };
}

}  // namespace pictures
