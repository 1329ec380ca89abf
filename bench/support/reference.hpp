// The reference model of all figures: its architectures and its sizes.
#pragma once
#include <vector>

#include "plait/core/config.hpp"

namespace bench {

using plait::Index;

enum class Architecture {
  single_task,
  shared_bottom,
  asymmetric,
  customized,
  cross_stitch,
  mmoe,
  ml_mmoe,
  cgc,
  ple,
  adatt_sp,
  adatt,
};

inline const char* name_of(Architecture architecture) {
  switch (architecture) {
    case Architecture::single_task:
      return "SingleTask";
    case Architecture::shared_bottom:
      return "SharedBottom";
    case Architecture::asymmetric:
      return "Asymmetric";
    case Architecture::customized:
      return "Customized";
    case Architecture::cross_stitch:
      return "CrossStitch";
    case Architecture::mmoe:
      return "MMoE";
    case Architecture::ml_mmoe:
      return "MLMMoE";
    case Architecture::cgc:
      return "CGC";
    case Architecture::ple:
      return "PLE";
    case Architecture::adatt_sp:
      return "AdaTTSp";
    case Architecture::adatt:
      return "AdaTT";
  }
  return "";
}

// Two levels of one layer each, or one level of both layers; nine experts per level: three per
// task, or two per task and three shared.
namespace sizes {
inline constexpr Index input = 256;
inline constexpr Index tasks = 3;
inline constexpr Index first = 256;
inline constexpr Index second = 128;
inline constexpr Index tower = 64;
inline constexpr Index experts = 9;
inline constexpr Index experts_per_task = 3;  // AdaTT-sp
inline constexpr Index own_experts = 2;       // CGC, PLE and AdaTT
inline constexpr Index shared_experts = 3;
static_assert(tasks * experts_per_task == experts);
static_assert(tasks * own_experts + shared_experts == experts);
}  // namespace sizes

}  // namespace bench
