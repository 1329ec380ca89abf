// The models that are compared, in the sizes of the published protocols: levels of 128 and 64,
// towers of 32, six experts a level, of which three are shared where a model tells them apart.
#pragma once
#include <array>
#include <plait/plait.hpp>
#include <span>
#include <string_view>
#include <vector>

namespace from_ids {

using plait::Index;

struct Sizes {
  Index input_dim = 0;
  Index num_tasks = 0;
  Index adatt_sp_experts = 1;  // per task
};

struct ModelEntry {
  std::string_view name;
  plait::Trunk<float> (*trunk)(const Sizes& sizes);
};

inline std::span<const ModelEntry> models() {
  static const plait::Body stacked = {128, 64};
  static const std::vector<plait::Body> levels{{128}, {64}};
  using Trunk = plait::Trunk<float>;
  static constexpr std::array<ModelEntry, 8> list{{
      {"shared-bottom",
       [](const Sizes& s) -> Trunk {
         return plait::SharedBottom{s.input_dim, s.num_tasks, stacked};
       }},
      {"cross-stitch",
       [](const Sizes& s) -> Trunk {
         return plait::CrossStitch{.input_dim = s.input_dim,
                                   .num_tasks = s.num_tasks,
                                   .levels = levels,
                                   .stitch = plait::Stitch::uniform};
       }},
      {"mmoe",
       [](const Sizes& s) -> Trunk {
         return plait::MMoE{.input_dim = s.input_dim,
                            .num_tasks = s.num_tasks,
                            .num_experts = 6,
                            .expert = stacked};
       }},
      {"ml-mmoe",
       [](const Sizes& s) -> Trunk {
         return plait::MLMMoE{.input_dim = s.input_dim,
                              .num_tasks = s.num_tasks,
                              .num_experts = 6,
                              .levels = levels};
       }},
      {"cgc",
       [](const Sizes& s) -> Trunk {
         return plait::CGC{.input_dim = s.input_dim,
                           .num_tasks = s.num_tasks,
                           .expert = stacked,
                           .shared_experts = 3};
       }},
      {"ple",
       [](const Sizes& s) -> Trunk {
         return plait::PLE{.input_dim = s.input_dim,
                           .num_tasks = s.num_tasks,
                           .levels = levels,
                           .shared_experts = 3};
       }},
      {"adatt-sp",
       [](const Sizes& s) -> Trunk {
         return plait::AdaTTSp{.input_dim = s.input_dim,
                               .num_tasks = s.num_tasks,
                               .levels = levels,
                               .task_experts = s.adatt_sp_experts};
       }},
      {"adatt",
       [](const Sizes& s) -> Trunk {
         return plait::AdaTT{.input_dim = s.input_dim,
                             .num_tasks = s.num_tasks,
                             .levels = levels,
                             .shared_experts = 3};
       }},
  }};
  return list;
}

}  // namespace from_ids
