// The architectures by name, each with the list of its configuration's fields; and AnyModel, a
// model of whichever a file holds.
//
// A file's sizes are not trusted. routing_size() counts the (unit, expert) pairs for which a
// configuration makes routes before it adds a parameter; every such pair has a number in the file
// (a gate's or a stitch's weight), so that the file's size bounds the work.
#pragma once
#include <algorithm>
#include <string_view>
#include <variant>

#include "plait/io/fields.hpp"
#include "plait/layers/adatt.hpp"
#include "plait/layers/asymmetric.hpp"
#include "plait/layers/cross_stitch.hpp"
#include "plait/layers/customized_sharing.hpp"
#include "plait/layers/mmoe.hpp"
#include "plait/layers/model.hpp"
#include "plait/layers/ple.hpp"
#include "plait/layers/shared_bottom.hpp"
#include "plait/layers/single_task.hpp"
#include "plait/layers/towers.hpp"

namespace plait {

// With the default parts: experts, gate bodies and towers are MLPs.
template <class Scalar>
using AnyModel = std::variant<Model<SingleTask<Scalar>>, Model<SharedBottom<Scalar>>,
                              Model<AsymmetricSharing<Scalar>>, Model<CustomizedSharing<Scalar>>,
                              Model<CrossStitch<Scalar>>, Model<MMoE<Scalar>>,
                              Model<MLMMoE<Scalar>>, Model<CGC<Scalar>>, Model<PLE<Scalar>>,
                              Model<AdaTTSp<Scalar>>, Model<AdaTT<Scalar>>>;

namespace detail {

template <class Layer>
struct Description;

// Experts of all units together, from "one for all tasks or one per task" and the shared ones.
template <class Config>
double unit_experts(const Config& config) {
  double total = static_cast<double>(config.shared_experts);
  for (const Index count : config.task_experts) total += static_cast<double>(count);
  if (config.task_experts.size() == 1)
    total += static_cast<double>(config.task_experts.front()) *
             static_cast<double>(config.num_tasks - 1);
  return total;
}

// A network per task, or one: no gates.
template <class Config, class Visitor>
void flat_fields(Config& config, Visitor& visit) {
  visit("input_dim", config.input_dim);
  visit("num_tasks", config.num_tasks);
  visit("expert", config.expert);
}
struct FlatDescription {
  template <class Config, class Visitor>
  static void fields(Config& config, Visitor& visit) {
    flat_fields(config, visit);
  }
  template <class Config>
  static double routing_size(const Config& config) {
    return static_cast<double>(config.num_tasks);
  }
};

template <class Scalar>
struct Description<SingleTask<Scalar>> : FlatDescription {
  static constexpr std::string_view name = "SingleTask";
};
template <class Scalar>
struct Description<SharedBottom<Scalar>> : FlatDescription {
  static constexpr std::string_view name = "SharedBottom";
};
template <class Scalar>
struct Description<CustomizedSharing<Scalar>> : FlatDescription {
  static constexpr std::string_view name = "CustomizedSharing";
};
template <class Scalar>
struct Description<AsymmetricSharing<Scalar>> : FlatDescription {
  static constexpr std::string_view name = "AsymmetricSharing";
  template <class Config, class Visitor>
  static void fields(Config& config, Visitor& visit) {
    flat_fields(config, visit);
    visit("sources", config.sources);
    visit("fusion", config.fusion);
    visit("stop_gradient", config.stop_gradient);
  }
};

template <class Scalar>
struct Description<CrossStitch<Scalar>> {
  static constexpr std::string_view name = "CrossStitch";
  template <class Config, class Visitor>
  static void fields(Config& config, Visitor& visit) {
    visit("input_dim", config.input_dim);
    visit("num_tasks", config.num_tasks);
    visit("levels", config.levels);
    visit("stitch", config.stitch);
    visit("diagonal", config.diagonal);
    visit("separate_inputs", config.separate_inputs);
  }
  template <class Config>
  static double routing_size(const Config& config) {
    const auto tasks = static_cast<double>(config.num_tasks);
    return static_cast<double>(config.levels.size()) * tasks * tasks;
  }
};

template <class Scalar>
struct Description<MMoE<Scalar>> {
  static constexpr std::string_view name = "MMoE";
  template <class Config, class Visitor>
  static void fields(Config& config, Visitor& visit) {
    visit("input_dim", config.input_dim);
    visit("num_tasks", config.num_tasks);
    visit("num_experts", config.num_experts);
    visit("expert", config.expert);
    visit("gate", config.gate);
  }
  template <class Config>
  static double routing_size(const Config& config) {
    return static_cast<double>(config.num_tasks) * static_cast<double>(config.num_experts);
  }
};

template <class Scalar>
struct Description<MLMMoE<Scalar>> {
  static constexpr std::string_view name = "MLMMoE";
  template <class Config, class Visitor>
  static void fields(Config& config, Visitor& visit) {
    visit("input_dim", config.input_dim);
    visit("num_tasks", config.num_tasks);
    visit("num_experts", config.num_experts);
    visit("levels", config.levels);
    visit("gates", config.gates);
  }
  template <class Config>
  static double routing_size(const Config& config) {
    const auto experts = static_cast<double>(config.num_experts);
    const double below = static_cast<double>(config.levels.size()) - 1;
    return (below * experts + static_cast<double>(config.num_tasks)) * experts;
  }
};

template <class Scalar>
struct Description<CGC<Scalar>> {
  static constexpr std::string_view name = "CGC";
  template <class Config, class Visitor>
  static void fields(Config& config, Visitor& visit) {
    visit("input_dim", config.input_dim);
    visit("num_tasks", config.num_tasks);
    visit("expert", config.expert);
    visit("task_experts", config.task_experts);
    visit("shared_experts", config.shared_experts);
    visit("gate", config.gate);
    visit("separate_inputs", config.separate_inputs);
  }
  template <class Config>
  static double routing_size(const Config& config) {
    return unit_experts(config) +
           static_cast<double>(config.num_tasks - 1) * static_cast<double>(config.shared_experts);
  }
};

template <class Scalar>
struct Description<PLE<Scalar>> {
  static constexpr std::string_view name = "PLE";
  template <class Config, class Visitor>
  static void fields(Config& config, Visitor& visit) {
    visit("input_dim", config.input_dim);
    visit("num_tasks", config.num_tasks);
    visit("levels", config.levels);
    visit("task_experts", config.task_experts);
    visit("shared_experts", config.shared_experts);
    visit("gates", config.gates);
    visit("separate_inputs", config.separate_inputs);
  }
  template <class Config>
  static double routing_size(const Config& config) {
    const double of_tasks = unit_experts(config) + static_cast<double>(config.num_tasks - 1) *
                                                       static_cast<double>(config.shared_experts);
    const double levels = static_cast<double>(config.levels.size());
    const double of_shared = config.shared_experts > 0 ? unit_experts(config) : 0;
    return levels * of_tasks + (levels - 1) * of_shared;
  }
};

template <class Scalar>
struct Description<AdaTTSp<Scalar>> {
  static constexpr std::string_view name = "AdaTTSp";
  template <class Config, class Visitor>
  static void fields(Config& config, Visitor& visit) {
    visit("input_dim", config.input_dim);
    visit("num_tasks", config.num_tasks);
    visit("levels", config.levels);
    visit("task_experts", config.task_experts);
    visit("residual", config.residual);
    visit("gates", config.gates);
    visit("separate_inputs", config.separate_inputs);
  }
  template <class Config>
  static double routing_size(const Config& config) {
    const auto tasks = static_cast<double>(config.num_tasks);
    return static_cast<double>(config.levels.size()) * tasks * tasks *
           static_cast<double>(config.task_experts);
  }
};

template <class Scalar>
struct Description<AdaTT<Scalar>> {
  static constexpr std::string_view name = "AdaTT";
  template <class Config, class Visitor>
  static void fields(Config& config, Visitor& visit) {
    visit("input_dim", config.input_dim);
    visit("num_tasks", config.num_tasks);
    visit("levels", config.levels);
    visit("task_experts", config.task_experts);
    visit("shared_experts", config.shared_experts);
    visit("residual", config.residual);
    visit("gates", config.gates);
    visit("separate_inputs", config.separate_inputs);
  }
  template <class Config>
  static double routing_size(const Config& config) {
    const auto tasks = static_cast<double>(config.num_tasks);
    const double levels = static_cast<double>(config.levels.size());
    const double shared = config.shared_experts > 0 ? levels - 1 : 0;
    return (levels * tasks + shared) * unit_experts(config);
  }
};

template <class Scalar>
struct Description<Towers<Scalar>> {
  template <class Config, class Visitor>
  static void fields(Config& config, Visitor& visit) {
    visit("hidden", config.hidden);
    visit("outputs", config.outputs);
  }
};

// The configuration of a trunk or of towers, to JSON and back.
template <class Layer>
std::string write_config(const typename Layer::Config& config) {
  WriteFields visit;
  Description<Layer>::fields(config, visit);
  return visit.object.dump();
}
template <class Layer>
typename Layer::Config read_config(const std::string& json, const std::string& file,
                                   const std::string& where, Index limit) {
  typename Layer::Config config;
  read_json(json, file, where, [&](const Json& object) {
    ReadFields visit(object, file, where, limit);
    Description<Layer>::fields(config, visit);
    visit.finish();
  });
  return config;
}

// Layers of the longest MLP among `count` places that are filled from one list.
inline double longest(const std::vector<MLPConfig>& bodies) {
  std::size_t result = 0;
  for (const auto& body : bodies) result = std::max(result, body.dims.size());
  return static_cast<double>(result);
}
template <class GateConfig>
double longest_gate(const std::vector<GateConfig>& gates) {
  std::size_t result = 0;
  for (const auto& gate : gates) result = std::max(result, gate.body.dims.size());
  return static_cast<double>(result);
}

}  // namespace detail

}  // namespace plait
