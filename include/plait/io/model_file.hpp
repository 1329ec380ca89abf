// Model files: a model in one file that says what it is, so that loading needs no code that repeats
// its sizes.
//
//   save(model, "ranker.safetensors", {.heads = heads});
//   const auto ranker = load<float>("ranker.safetensors");
//   std::visit([&](const auto& model) { ScoringContext(model).score(x, logits); }, ranker.model);
//
// A safetensors file with the parameters under their state_dict names, which PyTorch reads as well,
// and in its metadata: plait.format, plait.version, plait.architecture, plait.config and
// plait.towers (JSON, see fields.hpp), plait.heads, two checksums (see seal.hpp), and whatever the
// user adds.
//
// Loading trusts nothing. The header's checksum is verified first. Then every size is bounded by
// what the file holds, the network is built over a table without numbers and compared with the
// file's tensors, and only then are numbers allocated: memory stays in proportion to the file.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/core/tensor.hpp"
#include "plait/io/architectures.hpp"
#include "plait/io/fields.hpp"
#include "plait/io/safetensors.hpp"
#include "plait/io/seal.hpp"
#include "plait/io/state_dict.hpp"
#include "plait/losses/check_heads.hpp"
#include "plait/serve/scoring_context.hpp"
#include "plait/version.hpp"

namespace plait {

using Metadata = std::vector<std::pair<std::string, std::string>>;

struct SaveOptions {
  std::vector<Head> heads = {};  // what the logits mean; empty: not stored
  Metadata metadata = {};        // texts of your own; keys must not start with "plait."
};

template <class Scalar>
struct LoadedModel {
  AnyModel<Scalar> model;
  std::vector<Head> heads;  // empty when the file has none
  Metadata metadata;        // the user's
};

namespace detail {

inline constexpr std::string_view model_format = "plait.model.1";
inline constexpr std::string_view self_test_x = "plait.self_test.x";
inline constexpr std::string_view self_test_logits = "plait.self_test.logits";

inline std::string write_heads(const std::vector<Head>& heads) {
  return WriteFields::write(heads).dump();
}

// A head per task, as wide as its tower; or none.
template <class ModelType>
void check_heads_of(const std::string& where, const std::vector<Head>& heads,
                    const ModelType& model) {
  if (heads.empty()) return;
  check_heads(where, heads);
  require_config(std::ssize(heads) == model.num_tasks(), where, "heads", text(heads.size()),
                 text(model.num_tasks(), ", one per task"));
  for (Index t = 0; t < model.num_tasks(); ++t) {
    const Index width = heads[static_cast<std::size_t>(t)].width();
    require_config(width == model.towers().outputs(t), where, text("head ", t),
                   text(width, " logits"), text(model.towers().outputs(t), " as its tower"));
  }
}

template <class Scalar>
std::span<const Scalar> numbers(View3<const Scalar> view) {
  return {view.data(), static_cast<std::size_t>(view.batch() * view.slots() * view.dim())};
}

inline void add_user_metadata(SafetensorsWriter& writer, const Metadata& metadata,
                              const char* where) {
  for (const auto& [key, value] : metadata) {
    require_config(!key.starts_with("plait."), where, "metadata key", "'" + key + "'",
                   "one that does not start with plait.");
    writer.add_metadata(key, value);
  }
}
inline Metadata user_metadata(const SafetensorsHeader& header) {
  Metadata result;
  for (const auto& entry : header.metadata)
    if (!entry.first.starts_with("plait.")) result.push_back(entry);
  return result;
}

}  // namespace detail

// Writes the model to `path`; a file that is there survives a failure (see AtomicFile). With
// self_test_x [N, S, D], rows and their logits are stored as well and replayed on load. Throws
// ConfigError for heads that do not fit the towers or metadata that cannot be stored, ShapeError
// for rows that do not fit, FileError.
template <class Trunk>
void save(const Model<Trunk>& model, const std::string& path, const SaveOptions& options = {},
          View3<const std::type_identity_t<typename Trunk::Scalar>> self_test_x = {}) {
  using Scalar = typename Trunk::Scalar;
  detail::check_heads_of("save", options.heads, model);
  SafetensorsWriter writer;
  writer.add_metadata("plait.format", std::string(detail::model_format));
  writer.add_metadata("plait.version", std::string(version));
  writer.add_metadata("plait.architecture", std::string(detail::Description<Trunk>::name));
  writer.add_metadata("plait.config", detail::write_config<Trunk>(model.trunk_config()));
  writer.add_metadata("plait.towers", detail::write_config<Towers<Scalar>>(model.towers_config()));
  writer.add_metadata("plait.heads", detail::write_heads(options.heads));
  detail::add_user_metadata(writer, options.metadata, "save");
  add_state_dict(writer, model.values());

  Tensor<Scalar> x;
  Tensor<Scalar> logits;
  if (self_test_x) {
    const auto size = [](Index n) { return static_cast<std::uint64_t>(n); };
    x.resize(self_test_x.batch(), self_test_x.slots(), self_test_x.dim());
    logits.resize(self_test_x.batch(), 1, model.out_shape().dim);
    ScoringContext(model, 1).score(self_test_x, logits);
    copy(self_test_x, x.view());
    writer.add(std::string(detail::self_test_x), {size(x.batch()), size(x.slots()), size(x.dim())},
               detail::numbers<Scalar>(x));
    writer.add(std::string(detail::self_test_logits), {size(x.batch()), 1, size(logits.dim())},
               detail::numbers<Scalar>(logits));
  }
  seal(writer);
  writer.write(path);
}

// The same for a model that was loaded.
template <class Scalar>
void save(const AnyModel<Scalar>& model, const std::string& path, const SaveOptions& options = {},
          View3<const std::type_identity_t<Scalar>> self_test_x = {}) {
  std::visit([&](const auto& m) { save(m, path, options, self_test_x); }, model);
}

namespace detail {

// Runs `build`, whose ConfigError or ShapeError becomes the file's FormatError.
template <class Build>
auto build_from_file(const std::string& file, const std::string& part, const Build& build) {
  try {
    return build();
  } catch (const ConfigError& error) {
    throw FormatError(file, part, error.what(), "what can be built");
  } catch (const ShapeError& error) {
    throw FormatError(file, part, error.what(), "what can be built");
  }
}

// Refuses a configuration that would take more work to build than its file can need. Every task,
// layer of a tower and layer of a gate has a tensor of its own.
template <class Trunk>
void check_size(const typename Trunk::Config& trunk,
                const typename Towers<typename Trunk::Scalar>::Config& towers, double elements,
                double tensors, const std::string& file) {
  const auto require = [&](const char* what, double got, double most) {
    if (!(got <= most)) throw FormatError(file, what, text(got), text("at most ", most));
  };
  const auto tasks = static_cast<double>(trunk.num_tasks);
  require("tasks", tasks, tensors);
  require("layers of towers", tasks * longest(towers.hidden), tensors);
  require("routes", Description<Trunk>::routing_size(trunk), elements);
  if constexpr (requires { trunk.gates; })
    require("layers of gates", static_cast<double>(trunk.levels.size()) * longest_gate(trunk.gates),
            tensors);
}

// What the logits of stored rows may differ by: rounding, of the coarser of file and model.
inline double self_test_tolerance(DType dtype, std::size_t scalar_bytes, double magnitude) {
  const bool exact = dtype == DType::f64 && scalar_bytes == sizeof(double);
  return (exact ? 1e-9 : 1e-3) * std::max(1.0, magnitude);
}

template <class ModelType>
void run_self_test(const ModelType& model, const Tensor<typename ModelType::Scalar>& x,
                   const Tensor<typename ModelType::Scalar>& expected, DType dtype,
                   const std::string& file) {
  using Scalar = typename ModelType::Scalar;
  Tensor<Scalar> logits(expected.batch(), 1, expected.dim());
  ScoringContext(model, 1).score(x, logits);
  const auto from = numbers<Scalar>(logits);
  const auto to = numbers<Scalar>(expected);
  double worst = 0;
  double magnitude = 0;
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (from[i] == to[i] || (std::isnan(from[i]) && std::isnan(to[i]))) continue;
    const double difference = std::abs(static_cast<double>(from[i]) - double{to[i]});
    worst = difference <= worst ? worst : difference;
    magnitude = std::max(magnitude, std::abs(double{to[i]}));
  }
  const double tolerance = self_test_tolerance(dtype, sizeof(Scalar), magnitude);
  if (!(worst <= tolerance))
    throw FormatError(file, "self-test", text("logits that differ by ", worst),
                      text("at most ", tolerance));
}

template <class Trunk>
LoadedModel<typename Trunk::Scalar> load_model(SealedReader& file) {
  using Scalar = typename Trunk::Scalar;
  using ModelType = Model<Trunk>;
  const auto& header = file.header();
  const auto tensors = static_cast<Index>(header.tensors.size());
  Index elements = 0;
  for (const auto& tensor : header.tensors) elements += static_cast<Index>(tensor.count());
  const Index largest = std::min<Index>(elements, std::numeric_limits<std::int32_t>::max());

  const auto config =
      read_config<Trunk>(file.meta("plait.config"), file.name(), "plait.config", largest);
  const auto towers =
      read_config<Towers<Scalar>>(file.meta("plait.towers"), file.name(), "plait.towers", largest);
  check_size<Trunk>(config, towers, static_cast<double>(elements), static_cast<double>(tensors),
                    file.name());
  std::vector<Head> heads;
  read_json(file.meta("plait.heads"), file.name(), "plait.heads", [&](const Json& list) {
    ReadFields::read_value(list, file.name(), "plait.heads", largest, heads);
  });

  // Without numbers.
  ParamTable table(tensors);
  build_from_file(file.name(), "plait.config",
                  [&] { return ModelType::build(table, config, towers); });
  const auto is_self_test = [](std::string_view name) {
    return name == self_test_x || name == self_test_logits;
  };
  const auto sources = match_state_dict(header, file.name(), table, {}, is_self_test);

  auto model = ModelType::zeros(config, towers);
  build_from_file(file.name(), "plait.heads", [&] { check_heads_of("load", heads, model); });
  Tensor<Scalar> x;
  Tensor<Scalar> logits;
  const TensorInfo* x_info = header.find(self_test_x);
  const TensorInfo* logits_info = header.find(self_test_logits);
  if ((x_info == nullptr) != (logits_info == nullptr))
    throw FormatError(file.name(), "self-test", "one of its two tensors", "both or none");
  if (x_info != nullptr) {
    const std::uint64_t batch = x_info->shape.empty() ? 0 : x_info->shape.front();
    const auto require = [&](const TensorInfo& tensor, Shape shape) {
      const std::vector<std::uint64_t> expected{batch, static_cast<std::uint64_t>(shape.slots),
                                                static_cast<std::uint64_t>(shape.dim)};
      if (tensor.shape != expected || !is_floating(tensor.dtype))
        throw FormatError(file.name(), "'" + tensor.name + "'",
                          std::string(info(tensor.dtype).name) + " " + shape_text(tensor.shape),
                          "floating-point " + shape_text(expected));
    };
    require(*x_info, model.in_shape());
    require(*logits_info, model.out_shape());
    x.resize(static_cast<Index>(batch), model.in_shape().slots, model.in_shape().dim);
    logits.resize(static_cast<Index>(batch), 1, model.out_shape().dim);
  }

  std::vector<ParamId> ids(header.tensors.size());
  for (std::size_t i = 0; i < sources.size(); ++i)
    ids[static_cast<std::size_t>(sources[i] - header.tensors.data())] =
        model.table().entries()[i].id;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const TensorInfo& tensor = header.tensors[i];
    if (&tensor == x_info || &tensor == logits_info) {
      Tensor<Scalar>& rows = &tensor == x_info ? x : logits;
      file.read(tensor, std::span(rows.view().data(), tensor.count()));
    } else {
      file.read(tensor, model.values().of(ids[i]));
    }
  }
  file.finish();
  if (x_info != nullptr) run_self_test(model, x, logits, logits_info->dtype, file.name());
  return {std::move(model), std::move(heads), user_metadata(header)};
}

// Tries the architectures of the variant one after the other.
template <class Scalar, std::size_t I = 0>
LoadedModel<Scalar> load_any(SealedReader& file, const std::string& architecture) {
  if constexpr (I == std::variant_size_v<AnyModel<Scalar>>) {
    throw FormatError(file.name(), "plait.architecture", "'" + architecture + "'",
                      "one that this version knows");
  } else {
    using Trunk = typename std::variant_alternative_t<I, AnyModel<Scalar>>::Trunk;
    if (architecture == Description<Trunk>::name) return load_model<Trunk>(file);
    return load_any<Scalar, I + 1>(file, architecture);
  }
}

}  // namespace detail

// Reads a model file, converting its numbers to Scalar (see dtype.hpp). Throws FileError when it
// cannot be read; FormatError when it is torn, corrupt, of a kind or architecture that this version
// does not know, or gives other logits on its self-test rows than it did when it was saved.
template <class Scalar>
LoadedModel<Scalar> load(SafetensorsReader reader) {
  if (reader.header().meta("plait.format") == nullptr)
    throw FormatError(reader.name(), "metadata", "no plait.format",
                      "a model file (for other safetensors files see load_state_dict)");
  SealedReader file(std::move(reader));
  const std::string& format = file.meta("plait.format");
  if (format != detail::model_format)
    throw FormatError(file.name(), "plait.format", "'" + format + "'",
                      "'" + std::string(detail::model_format) + "'");
  return detail::load_any<Scalar>(file, file.meta("plait.architecture"));
}
template <class Scalar>
LoadedModel<Scalar> load(const std::string& path) {
  return load<Scalar>(SafetensorsReader(path));
}

}  // namespace plait
