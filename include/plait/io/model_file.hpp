// Model files: a model in one file that says what it is, so that loading needs no code that repeats
// its sizes.
//
//   save(model, "ranker.safetensors", {.heads = heads});
//   const auto ranker = load<float>("ranker.safetensors");
//   const Scorer scorer(ranker.model);
//
// A safetensors file with the parameters under their state_dict names, which PyTorch reads as well,
// and in its metadata: plait.format, plait.version, plait.architecture (the trunk's name),
// plait.config and plait.towers (the fields of both as JSON, see fields.hpp), plait.heads, two
// checksums (see seal.hpp), and whatever the user adds. Trunks and bodies of one's own are saved
// under the names that they have, and loaded with a Registry that knows them.
//
// Loading trusts nothing. The header's checksum is verified first. Then every size, and what one
// row costs, is bounded by what the file holds (ParamBudget), the network is built over a table
// without numbers and compared with the file's tensors, and only then are numbers allocated: time
// and memory stay in proportion to the file, those of scoring a row as well.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/scratch.hpp"
#include "plait/core/tensor.hpp"
#include "plait/core/view_argument.hpp"
#include "plait/io/fields.hpp"
#include "plait/io/metadata_keys.hpp"
#include "plait/io/safetensors.hpp"
#include "plait/io/seal.hpp"
#include "plait/io/state_dict.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/losses/check_heads.hpp"
#include "plait/model/check_towers.hpp"
#include "plait/model/model.hpp"
#include "plait/model/precision.hpp"
#include "plait/model/registry.hpp"
#include "plait/version.hpp"

namespace plait {

using Metadata = std::vector<std::pair<std::string, std::string>>;

struct SaveOptions {
  std::vector<Head> heads = {};  // what the logits mean; empty: not stored
  Metadata metadata = {};        // texts of your own; keys must not start with "plait."
  // bf16: the weights that scoring in bf16 reduces are stored rounded, in half the bytes. Such a
  // scorer gives the bits that it would give without; any other, and training, go on from the
  // rounded numbers. For models of floats.
  Precision store = Precision::full;
};

template <class Scalar>
struct LoadedModel {
  Model<Scalar> model;
  std::vector<Head> heads;  // empty when the file has none
  Metadata metadata;        // the user's
};

namespace detail {

inline constexpr std::string_view model_format = "plait.model.1";
inline constexpr std::string_view self_test_x = "plait.self_test.x";
inline constexpr std::string_view self_test_logits = "plait.self_test.logits";

inline constexpr std::string_view self_test_weights = "plait.self_test.weights.";  // always F32

// A head per task, as wide as its tower; or none.
template <class Scalar>
PLAIT_COLD void check_heads_of(const std::string& where, const std::vector<Head>& heads,
                               const Model<Scalar>& model) {
  if (heads.empty()) return;
  check_heads(where, heads);
  check_heads_fit(where, heads, model.towers());
}

// No size in a description exceeds the numbers of its file.
inline Index largest_size(Index numbers) {
  return std::min<Index>(numbers, (std::numeric_limits<std::int32_t>::max)());
}

// What a file of so many tensors and floating-point numbers may describe. Every task has a tensor
// and every route a number. Layers with parameters make fewer numbers of a row than they have; what
// is allowed beyond that is for experts without parameters, and for the units of many tasks.
inline ParamBudget budget_of_file(Index tensors, Index numbers) {
  constexpr Index room = Index{1} << 16;
  return {.tensors = tensors,
          .routes = numbers,
          .activations = room + 4 * numbers,
          .terms = 16 * (room + 4 * numbers)};
}

// How many of `rows` are replayed when each takes `row_work` multiplications: a tenth of a second's
// work or so, and more in proportion to the file; at least one.
inline Index self_test_rows(Index rows, Index row_work, Index numbers) {
  const Index affordable = ((Index{1} << 27) + 64 * numbers) / (std::max<Index>)(row_work, 1);
  return (std::min)(rows, (std::max<Index>)(affordable, 1));
}

template <class Scalar>
std::span<Scalar> numbers(View3<Scalar> view) {
  return {view.data(), static_cast<std::size_t>(view.batch() * view.slots() * view.dim())};
}

inline void add_user_metadata(SafetensorsWriter& writer, const Metadata& metadata,
                              const char* where) {
  for (const auto& [key, value] : metadata) {
    require_config(!key.starts_with("plait."), where, "metadata key", in_quotes(key),
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

// The parameters, those that `store` reduces in BF16; `rounded` holds these until they are written.
template <class Scalar>
PLAIT_COLD void add_parameters(SafetensorsWriter& writer, const Model<Scalar>& model,
                               Precision store, std::vector<std::vector<std::uint16_t>>& rounded) {
  const std::vector<bool> reduced = reduced_weights<Scalar>(model.table(), store);
  for (const auto& entry : model.table().entries()) {
    const auto numbers = model.values().of(entry.id);
    if (!reduced[static_cast<std::size_t>(entry.id.index)]) {
      writer.add(entry.name, file_shape(entry), numbers);
      continue;
    }
    auto& halves = rounded.emplace_back();
    for (const Scalar x : numbers) halves.push_back(float_to_bfloat16(static_cast<float>(x)));
    writer.add_bytes(entry.name, DType::bf16, file_shape(entry), std::as_bytes(std::span(halves)));
  }
}

// Row by row, so that the memory depends on the model alone. row_of(b) is the network's input
// [1, S, D]; logits [B, 1, C].
template <class Scalar, class RowOf>
void compute_logits_of(const Model<Scalar>& model, const RowOf& row_of, View3<Scalar> logits) {
  Scratch scratch;
  for (Index b = 0; b < logits.batch(); ++b)
    model.network().forward(model.values(), row_of(b), logits.rows(b, 1), nullptr, scratch);
}
template <class Scalar>
void compute_logits(const Model<Scalar>& model, View3<const Scalar> x, View3<Scalar> logits) {
  compute_logits_of(
      model, [&](Index b) { return x.rows(b, 1); }, logits);
}

// Throws ConfigError for a model whose file load would refuse for the work that a row takes.
template <class Scalar>
PLAIT_COLD void require_loadable(const Model<Scalar>& model) {
  ParamTable table(
      budget_of_file(std::ssize(model.table().entries()), model.table().num_parameters()));
  Model<Scalar>::build(table, model.trunk_config(), model.towers_config());
}

// Adds what is of the model alone: descriptions, heads, the user's metadata and parameters.
template <class Scalar>
PLAIT_COLD void add_model(SafetensorsWriter& writer, const Model<Scalar>& model,
                          const SaveOptions& options,
                          std::vector<std::vector<std::uint16_t>>& rounded) {
  const std::string name(model.trunk_config().name());
  require_config(!name.empty(), "save", "trunk", "a description without a name",
                 "one with a name, by which it is loaded");
  require_config(options.store == Precision::full || std::is_same_v<Scalar, float>, "save", "store",
                 "bf16 for a model of another scalar than float", "full");
  check_heads_of("save", options.heads, model);
  const Index limit = largest_size(model.table().num_parameters());
  writer.add_metadata("plait.format", std::string(model_format));
  writer.add_metadata("plait.version", std::string(version));
  writer.add_metadata("plait.architecture", name);
  writer.add_metadata("plait.config", write_fields(model.trunk_config(), limit));
  writer.add_metadata("plait.towers", write_fields(model.towers_config(), limit));
  writer.add_metadata("plait.heads", write_fields(options.heads, limit));
  add_user_metadata(writer, options.metadata, "save");
  add_parameters(writer, model, options.store, rounded);
}

// A tensor of the self-test, or logits for it, [batch, slots, dim] without gaps. The writer borrows
// its numbers.
template <class Scalar>
void add_self_test(SafetensorsWriter& writer, std::string_view name, const Tensor<Scalar>& rows) {
  const auto size = [](Index n) { return static_cast<std::uint64_t>(n); };
  writer.add<Scalar>(std::string(name), {size(rows.batch()), size(rows.slots()), size(rows.dim())},
                     numbers(rows.view()));
}

}  // namespace detail

// Writes the model to `path`; a file that is there survives a failure (see AtomicFile). With
// self_test_x [N, S, D], rows and their logits are stored as well and replayed on load, as many of
// the first as take work in proportion to the file (a few dozen of a large model). Throws
// ConfigError for a trunk or a body without name or fields, settings that could not be read again
// (numbers that are not finite, sizes above the number of parameters, work for a row beyond what so
// many parameters may cause: detail::budget_of_file), heads that do not fit the towers, metadata
// that cannot be stored or bf16 of a model of doubles; ShapeError for rows that do not fit;
// FileError.
template <class Scalar>
PLAIT_COLD void save(const Model<Scalar>& model, const std::string& path,
                     const SaveOptions& options = {},
                     ViewArgument<const std::type_identity_t<Scalar>> self_test_x = {}) {
  detail::require_loadable(model);
  SafetensorsWriter writer;
  std::vector<std::vector<std::uint16_t>> rounded;  // the writer borrows them
  detail::add_model(writer, model, options, rounded);

  Tensor<Scalar> x;
  Tensor<Scalar> logits;
  if (self_test_x) {
    const Shape expected = model.in_shape();
    if (self_test_x.shape() != expected)
      throw ShapeError(
          "save", "self_test_x",
          text("[", self_test_x.batch(), ", ", self_test_x.slots(), ", ", self_test_x.dim(), "]"),
          text("[batch, ", expected.slots, ", ", expected.dim, "]"));
    x.resize(self_test_x.batch(), expected.slots, expected.dim);
    logits.resize(self_test_x.batch(), 1, model.out_shape().dim);
    detail::compute_logits<Scalar>(model, self_test_x, logits);
    kernels::copy(self_test_x, x.view());
    detail::add_self_test(writer, detail::self_test_x, x);
    detail::add_self_test(writer, detail::self_test_logits, logits);
  }
  seal(writer);
  writer.write(path);
}

namespace detail {

// Runs `build`, whose errors become the file's FormatError.
template <class Build>
auto build_from_file(const std::string& file, const std::string& part, const Build& build) {
  try {
    return build();
  } catch (const Error& error) {
    throw FormatError(file, part, error.what(), "what can be built");
  }
}

// From 1 to the next number of a floating type.
inline double epsilon(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return std::numeric_limits<double>::epsilon();
    case DType::f16:
      return std::ldexp(1.0, -10);
    case DType::bf16:
      return std::ldexp(1.0, -7);
    default:
      return std::numeric_limits<float>::epsilon();
  }
}

// What a logit may differ by, relative to its scale (see logit_scales): 2.4e-5 for a float model in
// its own file.
//
// * Two computers add the numbers of a sum in different orders, 4, 8 or 16 at a time, and one of
//   them rounds the products. These errors are random and mostly cancel: logits of models of up to
//   5 levels of 1,024 units differ by at most 20 epsilons between SSE2 and AVX2, by 40 where inputs
//   of size 10 drive the gates to their ends. The most similar of activations, GELU and its tanh
//   form, are 1,500 and more apart. 200 epsilons of the type that was computed in are between.
//
// * Numbers that were stored in fewer bits than they were computed with were rounded once each. A
//   sum of such errors, random as well, is less than an epsilon of the coarsest type; 4 are enough
//   for the layers.
template <class Scalar>
double self_test_tolerance(const SafetensorsHeader& header, DType logits) {
  const bool doubles = logits == DType::f64 && std::is_same_v<Scalar, double>;
  double stored = 0;
  for (const auto& tensor : header.tensors)
    if (is_floating(tensor.dtype) && !tensor.name.starts_with(self_test_weights))
      stored = (std::max)(stored, epsilon(tensor.dtype));
  return 200 * epsilon(doubles ? DType::f64 : DType::f32) + 4 * stored;
}

// The scale of every column of logits [N, 1, C]: the size that half of its rows do not exceed, at
// least 1. A column for itself, because the tasks' logits have nothing in common, and the median,
// because near 0 a logit is the difference of larger numbers, while one that is enormous, or
// infinite, says nothing about the others.
template <class Scalar>
PLAIT_COLD std::vector<double> logit_scales(View3<const Scalar> logits) {
  std::vector<double> scales, sizes;
  for (Index c = 0; c < logits.dim(); ++c) {
    sizes.clear();
    for (Index b = 0; b < logits.batch(); ++b)
      if (const double size = std::abs(double{logits.row(b)[c]}); std::isfinite(size))
        sizes.push_back(size);
    const auto middle = sizes.begin() + std::ssize(sizes) / 2;
    if (!sizes.empty()) std::ranges::nth_element(sizes, middle);
    scales.push_back(sizes.empty() ? 1 : (std::max)(1.0, *middle));
  }
  return scales;
}

// Replays the first `rows` rows; row_of(b) is the network's input. Throws FormatError, naming the
// logit that is farthest beyond its tolerance.
template <class Scalar, class RowOf>
PLAIT_COLD void run_self_test(const Model<Scalar>& model, const RowOf& row_of,
                              const Tensor<Scalar>& expected, Index rows, double relative_tolerance,
                              const std::string& file) {
  Tensor<Scalar> computed(rows, 1, expected.dim());
  compute_logits_of(model, row_of, computed.view());
  const std::vector<double> scales = logit_scales<Scalar>(expected.view());
  struct {
    Index row = 0, column = 0;
    double difference = 0, tolerance = 0, excess = 1;  // excess: the quotient of the two
  } worst;
  for (Index b = 0; b < rows; ++b)
    for (Index c = 0; c < expected.dim(); ++c) {
      const double got = double{std::as_const(computed).view().row(b)[c]};
      const double stored = double{expected.view().row(b)[c]};
      if (got == stored || (std::isnan(got) && std::isnan(stored))) continue;
      const double size = std::isfinite(stored) ? std::abs(stored) : 0;
      const double tolerance =
          relative_tolerance * (std::max)(scales[static_cast<std::size_t>(c)], size);
      const double difference = std::abs(got - stored);
      const double excess =
          std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference / tolerance;
      if (excess > worst.excess) worst = {b, c, difference, tolerance, excess};
    }
  if (worst.excess > 1)
    throw FormatError(file, "self-test",
                      text("logits that differ by ", static_cast<Scalar>(worst.difference),
                           " (row ", worst.row, ", column ", worst.column, ")"),
                      text("at most ", static_cast<Scalar>(worst.tolerance)));
}

// Throws FormatError for a tensor of the self-test that is not of floating-point numbers in this
// shape.
inline void require_self_test(const SealedReader& file, const TensorInfo& tensor,
                              std::uint64_t batch, Shape shape) {
  const std::vector<std::uint64_t> expected{batch, static_cast<std::uint64_t>(shape.slots),
                                            static_cast<std::uint64_t>(shape.dim)};
  if (tensor.shape != expected || !is_floating(tensor.dtype))
    throw FormatError(file.name(), in_quotes(tensor.name),
                      std::string(info(tensor.dtype).name) + " " + shape_text(tensor.shape),
                      "floating-point " + shape_text(expected));
}

// What load_model reads beside the network: here, of a model whose input is rows of numbers, those
// of the self-test. (With tables: io/embedding_file.hpp.)
template <class Scalar>
class DenseInput {
 public:
  // First. Throws FormatError for a file of another kind of input.
  void open(const SealedReader& file) {
    if (file.header().meta(features_key) != nullptr)
      throw FormatError(file.name(), features_key, "a feature encoder and its tables",
                        "a model of dense rows (load_with_encoder reads all of it)");
    if (file.header().meta(embeddings_key) != nullptr)
      throw FormatError(file.name(), embeddings_key, "embedding tables",
                        "a model of dense rows (load_with_tables reads both)");
  }
  // Whether a tensor is read here.
  bool owns(const TensorInfo& tensor) const { return tensor.name == self_test_x; }
  // Whether a tensor's numbers bound what the network may be.
  bool is_of_network(const TensorInfo&) const { return true; }

  // Once the model is known: makes room for rows that `logits` are of, and returns their number.
  // Throws FormatError for one without the other, and for other shapes than the model's.
  Index prepare(const SealedReader& file, const Model<Scalar>& model, const TensorInfo* logits) {
    const TensorInfo* x = file.header().find(self_test_x);
    if ((x == nullptr) != (logits == nullptr))
      throw FormatError(file.name(), "self-test", "one of its two tensors", "both or none");
    if (x == nullptr) return 0;
    const std::uint64_t batch = x->shape.empty() ? 0 : x->shape.front();
    require_self_test(file, *x, batch, model.in_shape());
    require_self_test(file, *logits, batch, model.out_shape());
    x_.resize(static_cast<Index>(batch), model.in_shape().slots, model.in_shape().dim);
    return x_.batch();
  }
  void read(SealedReader& file, const TensorInfo& tensor) { file.read(tensor, numbers(x_.view())); }
  // After the last tensor.
  void finish(const SealedReader&) {}

  View3<const Scalar> row(Index b) { return std::as_const(x_).view().rows(b, 1); }

 private:
  Tensor<Scalar> x_;
};

template <class Scalar, class Input>
PLAIT_COLD LoadedModel<Scalar> load_model(SealedReader& file, const Registry<Scalar>& registry,
                                          Input& input) {
  const std::string& architecture = file.meta("plait.architecture");
  const Trunk<Scalar>* known = registry.trunk(architecture);
  if (known == nullptr)
    throw FormatError(file.name(), "plait.architecture", in_quotes(architecture),
                      "one that is registered");
  input.open(file);
  const auto& header = file.header();
  Index count = 0;
  for (const auto& tensor : header.tensors)
    if (is_floating(tensor.dtype) && input.is_of_network(tensor))
      count += static_cast<Index>(tensor.count());

  const auto read = [&](const char* part, auto& description) {
    read_fields(file.meta(part), {file.name(), part, largest_size(count), &registry.bodies()},
                description);
  };
  Trunk<Scalar> trunk = *known;
  TowersConfig towers;
  std::vector<Head> heads;
  read("plait.config", trunk);
  read("plait.towers", towers);
  read("plait.heads", heads);

  // Without numbers.
  const ParamBudget budget = budget_of_file(std::ssize(header.tensors), count);
  ParamTable table(budget);
  build_from_file(file.name(), "plait.config",
                  [&] { return Model<Scalar>::build(table, trunk, towers); });
  const auto sources =
      match_state_dict(header, file.name(), table, {}, [&](const TensorInfo& tensor) {
        return tensor.name == self_test_logits || input.owns(tensor);
      });

  const Index row_work = table.num_parameters() + budget.activations - table.budget().activations +
                         budget.terms - table.budget().terms;

  auto model = Model<Scalar>::zeros(std::move(trunk), std::move(towers));
  build_from_file(file.name(), "plait.heads", [&] { check_heads_of("load", heads, model); });
  const TensorInfo* const stored = header.find(self_test_logits);
  const Index batch = input.prepare(file, model, stored);
  Tensor<Scalar> logits(batch, 1, model.out_shape().dim);

  // Where the numbers of every tensor go, in the order of the file; those without any are nobody's.
  std::vector<std::span<Scalar>> places(header.tensors.size());
  const auto place_of = [&](const TensorInfo* tensor) -> std::span<Scalar>& {
    return places[static_cast<std::size_t>(tensor - header.tensors.data())];
  };
  for (std::size_t i = 0; i < sources.size(); ++i)
    place_of(sources[i]) = model.values_of(model.table().entries()[i].id);
  if (stored != nullptr) place_of(stored) = numbers(logits.view());
  for (std::size_t i = 0; i < places.size(); ++i) {
    const TensorInfo& tensor = header.tensors[i];
    if (input.owns(tensor)) {
      input.read(file, tensor);
    } else {
      file.read(tensor, places[i]);
    }
  }
  file.finish();
  input.finish(file);
  if (stored != nullptr)
    run_self_test(
        model, [&](Index b) { return input.row(b); }, logits,
        self_test_rows(batch, row_work, count), self_test_tolerance<Scalar>(header, stored->dtype),
        file.name());
  return {std::move(model), std::move(heads), user_metadata(header)};
}

// The file, once its header is known to be that of a model.
PLAIT_COLD inline SealedReader open_model(SafetensorsReader reader, Verify verify = Verify::all) {
  if (reader.header().meta("plait.format") == nullptr)
    throw FormatError(reader.name(), "metadata", "no plait.format",
                      "a model file (for other safetensors files see load_state_dict)");
  SealedReader file(std::move(reader), verify);
  const std::string& format = file.meta("plait.format");
  if (format != model_format)
    throw FormatError(file.name(), "plait.format", in_quotes(format), in_quotes(model_format));
  return file;
}

}  // namespace detail

// Reads a model file, converting its numbers to Scalar (see dtype.hpp). Throws FileError when it
// cannot be read; FormatError when it is torn, corrupt, of a kind that this version does not know,
// names a trunk or a body that the registry does not know, has embedding tables or a feature
// encoder as well, or gives other logits on its self-test rows than it did when it was saved.
template <class Scalar>
PLAIT_COLD LoadedModel<Scalar> load(SafetensorsReader reader,
                                    const Registry<Scalar>& registry = {}) {
  SealedReader file = detail::open_model(std::move(reader));
  detail::DenseInput<Scalar> input;
  return detail::load_model(file, registry, input);
}
template <class Scalar>
PLAIT_COLD LoadedModel<Scalar> load(const std::string& path,
                                    const Registry<Scalar>& registry = {}) {
  return load<Scalar>(SafetensorsReader(path), registry);
}

#ifdef PLAIT_COMPILED_IO
extern template void save<float>(const Model<float>&, const std::string&, const SaveOptions&,
                                 ViewArgument<const float>);
extern template void save<double>(const Model<double>&, const std::string&, const SaveOptions&,
                                  ViewArgument<const double>);
extern template LoadedModel<float> load<float>(SafetensorsReader, const Registry<float>&);
extern template LoadedModel<double> load<double>(SafetensorsReader, const Registry<double>&);
extern template LoadedModel<float> load<float>(const std::string&, const Registry<float>&);
extern template LoadedModel<double> load<double>(const std::string&, const Registry<double>&);
#endif

}  // namespace plait
