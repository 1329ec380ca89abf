// The file of one checkpoint: what is in it, how it is written, and how all of it is read before
// anything is changed. checkpoint.hpp keeps a directory of them.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/core/function_ref.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/core/random.hpp"
#include "plait/io/checkpoint_part.hpp"
#include "plait/io/checkpoint_settings.hpp"
#include "plait/io/checkpoint_tables.hpp"
#include "plait/io/id_tensor.hpp"
#include "plait/io/safetensors.hpp"
#include "plait/io/seal.hpp"
#include "plait/io/state_dict.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/optimizer.hpp"
#include "plait/sparse/input_tables.hpp"
#include "plait/version.hpp"

namespace plait {

// The best values so far, of the network alone: what tables do is in train/early_stopping.hpp.
template <class Scalar>
struct Best {
  double metric = 0;
  Index epoch = 0;
  ParamBuffer<Scalar> values;
};

// Where a run is in its data, and what it found. What it means is the caller's to interpret, and
// what is read from a file the caller's to check, where it says more than is checked here: counts
// are 0 to 2^53, a step within an epoch of n rows is at most n, and order is checked as
// ResumeOptions::rows says.
template <class Scalar>
struct Progress {
  Index epoch = 0;
  Index step = 0;  // within the epoch
  Random random{};
  std::vector<Index> order{};  // of the rows in this epoch; may be empty
  std::optional<Best<Scalar>> best{};
  std::map<std::string, std::string> notes{};  // anything else; keys must not start with "plait."
};

// How a run that goes on may differ from the one that wrote the checkpoint.
struct ResumeOptions {
  // Settings that may, by name, where * stands for any characters and ? for one:
  // {"learning_rate*", "optimizer.schedule"} to go on with another learning rate. The names are
  // those that an error tells (io/checkpoint_settings.hpp).
  std::vector<std::string> may_differ = {};
  // 0: the stored order must have the rows of the order in `progress`, in any order. Otherwise it
  // may have any rows below this number: where every epoch takes another choice of them.
  Index rows = 0;
};

namespace detail {

inline constexpr std::string_view checkpoint_format = "plait.checkpoint.3";
inline constexpr std::string_view delta_format = "plait.delta.1";
inline constexpr std::string_view checkpoint_formats_before[] = {"plait.checkpoint.1",
                                                                 "plait.checkpoint.2"};

template <class T>
std::string join(const T& texts) {
  std::string result;
  for (const auto& entry : texts) {
    if (!result.empty()) result += ' ';
    result += entry;
  }
  return result;
}

// Doubles and states by their bits: exact, NaN and infinity included.
template <class T>
std::string bits_text(const T& words) {
  std::vector<std::string> texts;
  for (const auto word : words) texts.push_back(hex(std::bit_cast<std::uint64_t>(word)));
  return join(texts);
}
template <class T, std::size_t N>
std::array<T, N> parse_bits(const std::string& given, const std::string& file,
                            std::string_view key) {
  std::array<T, N> result;
  const char* at = given.data();
  const char* const end = at + given.size();
  for (T& word : result) {
    std::uint64_t bits = 0;
    const auto [after, error] = std::from_chars(at, end, bits, 16);
    const bool is_last = &word == &result.back();
    if (error != std::errc() || after != at + 16 || (after == end) != is_last)
      throw FormatError(file, std::string(key), in_quotes(given), text(N, " words of 16 digits"));
    word = std::bit_cast<T>(bits);
    at = is_last ? after : after + 1;
  }
  return result;
}

inline Index parse_count(const std::string& given, const std::string& file, std::string_view key,
                         Index most = largest_count) {
  Index result = 0;
  const auto [after, error] = std::from_chars(given.data(), given.data() + given.size(), result);
  if (error != std::errc() || after != given.data() + given.size() || result < 0 || result > most)
    throw FormatError(file, std::string(key), in_quotes(given),
                      most == largest_count ? "a count up to 2^53" : text("a count up to ", most));
  return result;
}

// Throws ConfigError for progress that could not be read again.
template <class Scalar>
PLAIT_COLD void require_progress(const Progress<Scalar>& progress) {
  const auto require_count = [](const char* name, Index count) {
    require_config(count >= 0 && count <= largest_count, "Checkpoints", name, text(count),
                   "a count up to 2^53");
  };
  require_count("epoch", progress.epoch);
  require_count("step", progress.step);
  if (progress.best) require_count("best epoch", progress.best->epoch);
  const Index rows = std::ssize(progress.order);
  require_config(rows == 0 || progress.step <= rows, "Checkpoints", "step", text(progress.step),
                 text("at most ", rows, ", one for each row of order"));
  for (const Index row : progress.order)
    require_config(row >= 0, "Checkpoints", "order", text("row ", row), "rows from 0 on");
}

// What a delta says it follows: the number and the header's checksum of another file, which covers
// that of its data.
inline constexpr const char* follows_key = "plait.follows";
inline std::string identity(Index number, const std::string& checksum) {
  return text(number, ' ', checksum);
}
struct VerifiedCheckpoint {
  std::string checksum;
  std::string follows;  // empty: a full one
};

// Throws unless the file is whole: both checksums.
PLAIT_COLD inline VerifiedCheckpoint verify_checkpoint(const std::string& path) {
  SealedReader file{SafetensorsReader(path)};
  file.skim();
  const std::string* follows = file.header().meta(follows_key);
  return {file.meta(header_checksum_key), follows == nullptr ? std::string() : *follows};
}

template <class Scalar>
std::string moment_prefix(const Optimizer<Scalar>& optimizer, std::size_t k) {
  return "moments." + optimizer.moment_names()[k] + ".";
}

// Parts are numbered in the file, so that their names may be any.
inline std::string part_key(std::size_t part) { return text("plait.part.", part); }
inline constexpr std::string_view numbers_prefix = "numbers.";
inline std::string numbers_name(std::size_t part) { return text(numbers_prefix, part); }
inline std::string buffer_prefix(std::size_t part, std::size_t buffer) {
  return text("buffers.", part, ".", buffer, ".");
}

// Sorted. Throws ConfigError for a name that two parts have.
template <class Scalar>
std::vector<std::string> names_of_parts(const CheckpointParts<Scalar>& parts) {
  std::vector<std::string> names;
  for (const auto& part : parts) names.push_back(part.name());
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  require_config(twice == names.end(), "Checkpoints", "parts",
                 twice == names.end() ? "" : in_quotes(*twice) + " twice", "names of their own");
  return names;
}

// Returns what the writer borrows beside the parts' own buffers.
template <class Scalar>
std::vector<MethodState> add_parts(SafetensorsWriter& writer, const CheckpointParts<Scalar>& parts,
                                   const std::shared_ptr<const ParamTable>& table) {
  names_of_parts(parts);
  std::vector<MethodState> states;
  for (const auto& part : parts) states.push_back(part.state());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const MethodState& state = states[i];
    const auto buffers = parts[i].buffers();
    require_config(state.steps >= 0 && state.steps <= largest_count, "Checkpoints",
                   "steps of " + parts[i].name(), text(state.steps), "a count up to 2^53");
    writer.add_metadata(part_key(i), parts[i].name());
    writer.add_metadata(part_key(i) + ".steps", text(state.steps));
    writer.add_metadata(part_key(i) + ".random", bits_text(state.random.state()));
    writer.add_metadata(part_key(i) + ".buffers", text(buffers.size()));
    writer.add(numbers_name(i), {state.numbers.size()}, std::span(state.numbers));
    for (std::size_t k = 0; k < buffers.size(); ++k) {
      require_schema("Checkpoints", parts[i].name().c_str(), buffers[k].shared_table(), table);
      add_state_dict(writer, buffers[k], {.prefix = buffer_prefix(i, k)});
    }
  }
  return states;
}

// Where a checkpoint goes, beside the values.
template <class Scalar>
struct CheckpointDestination {
  std::shared_ptr<const ParamTable> table;
  Optimizer<Scalar>& optimizer;
  Progress<Scalar>& progress;
  const CheckpointParts<Scalar>& parts;
  Settings settings;  // of this run, without those of the parts
  ResumeOptions options;
  InputTables<Scalar>* tables = nullptr;  // null: the run has none
};
template <class Scalar>
using LoadValues = FunctionRef<void(const ParamBuffer<Scalar>&)>;

// Writes a checkpoint; `first` is the number of the run's first one. With `follows`, the identity
// of the one before, it is a delta: of the tables only the rows that moved. Returns the header's
// checksum. Throws as Checkpoints::save.
template <class Scalar>
std::string write_checkpoint(const std::string& path, const Model<Scalar>& model,
                             const Optimizer<Scalar>& optimizer, InputTables<Scalar>* tables,
                             const Progress<Scalar>& progress, const CheckpointParts<Scalar>& parts,
                             Index first, const Settings& settings, const std::string& follows) {
  require_progress(progress);
  require_config(optimizer.steps() <= largest_count, "Checkpoints", "optimizer's steps",
                 text(optimizer.steps()), "a count up to 2^53");
  require_config(!optimizer.spoiled(), "Checkpoints", "optimizer", "that of a step that threw",
                 "one whose steps are whole");
  SafetensorsWriter writer;
  const bool is_delta = !follows.empty();
  writer.add_metadata("plait.format", std::string(is_delta ? delta_format : checkpoint_format));
  if (is_delta) writer.add_metadata(follows_key, follows);
  writer.add_metadata("plait.version", std::string(version));
  writer.add_metadata("plait.first", text(first));
  writer.add_metadata("plait.settings", write_settings(settings));
  writer.add_metadata("plait.settings_of_parts", write_settings(settings_of(parts)));
  writer.add_metadata("plait.moments", join(optimizer.moment_names()));
  writer.add_metadata("plait.optimizer_steps", text(optimizer.steps()));
  writer.add_metadata("plait.epoch", text(progress.epoch));
  writer.add_metadata("plait.step", text(progress.step));
  writer.add_metadata("plait.random", bits_text(progress.random.state()));
  for (const auto& [key, note] : progress.notes) {
    require_config(!key.starts_with("plait."), "Checkpoints", "note", in_quotes(key),
                   "a key that does not start with plait.");
    writer.add_metadata(key, note);
  }
  const std::vector<std::int64_t> order(progress.order.begin(), progress.order.end());
  writer.add("order", {order.size()}, std::span(order));
  add_state_dict(writer, model.values(), {.prefix = "values."});
  for (std::size_t k = 0; k < optimizer.moments().size(); ++k)
    add_state_dict(writer, optimizer.moments()[k], {.prefix = moment_prefix(optimizer, k)});
  if (progress.best) {
    writer.add_metadata("plait.best_metric", bits_text(std::array{progress.best->metric}));
    writer.add_metadata("plait.best_epoch", text(progress.best->epoch));
    require_schema("Checkpoints", "best", progress.best->values.shared_table(),
                   model.shared_table());
    add_state_dict(writer, progress.best->values, {.prefix = "best."});
  }
  const std::vector<MethodState> states = add_parts(writer, parts, model.shared_table());
  if (tables != nullptr) add_tables(writer, *tables, is_delta);
  seal(writer);
  writer.write(path);
  return *writer.header().meta(header_checksum_key);
}

// Reads all of a file before anything is changed, but for the numbers of tables, of which there is
// no second copy: these are read by commit, from the files that `chain` ends with this one of. The
// constructor throws, commit does not, but for an optimizer of other parameters than the model's,
// and then before anything is changed, and where a file that was whole cannot be read any more: the
// optimizer is then spoiled, as after a step that threw.
template <class Scalar>
class RestoredCheckpoint {
 public:
  RestoredCheckpoint(const std::vector<std::string>& chain, const CheckpointDestination<Scalar>& to)
      : path_(chain.back()),
        format_(chain.size() > 1 ? delta_format : checkpoint_format),
        to_(to),
        file_(path_) {
    check_format();
    check_dtypes();
    // The number of a file, which is more than a count.
    first_ =
        parse_count(meta("plait.first"), path_, "plait.first", (std::numeric_limits<Index>::max)());
    const std::string moments = join(to.optimizer.moment_names());
    if (meta("plait.moments") != moments)
      throw FormatError(path_, "moments", in_quotes(meta("plait.moments")),
                        "'" + moments + "' as of this run's optimizer, " +
                            std::string(to.optimizer.rule().name()));
    const Settings stored = read_settings(meta("plait.settings"));
    const Settings stored_of_parts = read_settings(meta("plait.settings_of_parts"));
    const Settings of_parts = settings_of(to.parts);
    require_patterns({&to.settings, &of_parts, &stored, &stored_of_parts}, to.options.may_differ);
    require_settings(path_, stored, to.settings, to.options.may_differ);
    values_ = read("values.");
    steps_ = count("plait.optimizer_steps");
    for (std::size_t k = 0; k < to.optimizer.moments().size(); ++k)
      moments_.push_back(read(moment_prefix(to.optimizer, k)));
    read_progress();
    prepare_parts();
    tables_.emplace(chain, to.tables);
  }

  // The number of the first checkpoint of its run.
  Index first() const { return first_; }

  void commit(LoadValues<Scalar> load_values) {
    static_assert(std::is_nothrow_move_assignable_v<Progress<Scalar>>);
    to_.optimizer.restore(steps_, std::move(moments_));
    try {
      tables_->read();
    } catch (...) {
      to_.optimizer.spoil();
      throw;
    }
    load_values(values_);
    for (const auto& put : parts_) put();
    to_.progress = std::move(progress_);
  }

 private:
  const std::string& meta(const std::string& key) const {
    const std::string* found = file_.header().meta(key);
    if (found == nullptr) throw FormatError(path_, "metadata", "no " + key, "a checkpoint");
    return *found;
  }
  Index count(const std::string& key) const { return parse_count(meta(key), path_, key); }
  Random random(const std::string& key) const {
    const auto state = parse_bits<std::uint64_t, 4>(meta(key), path_, key);
    if (state == Random::State{})
      throw FormatError(path_, key, "zeros alone", "a state that a generator had");
    return Random(state);
  }
  const TensorInfo& tensor(const std::string& name) const {
    const TensorInfo* found = file_.header().find(name);
    if (found == nullptr)
      throw FormatError(path_, "tensors", "no " + in_quotes(name), "a checkpoint");
    return *found;
  }
  ParamBuffer<Scalar> read(const std::string& prefix) {
    ParamBuffer<Scalar> buffer(to_.table);
    load_state_dict(file_, buffer, {.prefix = prefix});
    return buffer;
  }

  void check_format() const {
    const std::string& format = meta("plait.format");
    if (format == format_) return;
    const bool earlier = std::ranges::count(checkpoint_formats_before, format) > 0;
    throw FormatError(path_, "plait.format",
                      in_quotes(format) + (earlier ? ", that of an earlier version" : ""),
                      in_quotes(std::string(format_)));
  }
  void check_dtypes() const {
    for (const TensorInfo& tensor : file_.header().tensors) {
      const bool is_integers = tensor.name == "order" || tensor.name.starts_with(moved_prefix) ||
                               is_ids_tensor(tensor.name);
      const DType expected = is_integers                               ? DType::i64
                             : tensor.name.starts_with(numbers_prefix) ? DType::f64
                                                                       : dtype_of<Scalar>();
      if (tensor.dtype != expected)
        throw FormatError(path_, in_quotes(tensor.name), std::string(info(tensor.dtype).name),
                          std::string(info(expected).name));
    }
  }
  void read_progress() {
    progress_.epoch = count("plait.epoch");
    progress_.step = count("plait.step");
    progress_.random = random("plait.random");
    if (file_.header().meta("plait.best_metric") != nullptr)
      progress_.best = Best<Scalar>{
          parse_bits<double, 1>(meta("plait.best_metric"), path_, "plait.best_metric")[0],
          count("plait.best_epoch"), read("best.")};
    read_order();
    for (const auto& [key, note] : file_.header().metadata)
      if (!key.starts_with("plait.")) progress_.notes.emplace(key, note);
  }
  void read_order() {
    const auto rows = file_.template read<std::int64_t>(tensor("order"));
    progress_.order.assign(rows.begin(), rows.end());
    if (to_.options.rows > 0) {
      for (const Index row : progress_.order)
        if (row < 0 || row >= to_.options.rows)
          throw FormatError(path_, "order", text("row ", row),
                            text("rows from 0 to ", to_.options.rows - 1));
    } else {
      require_same_rows();
    }
    if (!rows.empty() && progress_.step > std::ssize(rows))
      throw FormatError(path_, "plait.step", text(progress_.step),
                        text("at most ", rows.size(), ", one for each row of order"));
  }
  void require_same_rows() const {
    if (progress_.order.size() != to_.progress.order.size())
      throw FormatError(path_, "order", text(progress_.order.size(), " rows"),
                        text(to_.progress.order.size(), " as in this run"));
    std::vector<Index> stored = progress_.order;
    std::vector<Index> ours = to_.progress.order;
    std::ranges::sort(stored);
    std::ranges::sort(ours);
    const auto [other, own] = std::ranges::mismatch(stored, ours);
    if (other != stored.end())
      throw FormatError(path_, "order", text("row ", *other, " in place of ", *own),
                        "the rows of this run, in any order");
  }
  void prepare_parts() {
    std::vector<std::string> names;  // in the order of the file
    while (file_.header().meta(part_key(names.size())) != nullptr)
      names.push_back(meta(part_key(names.size())));
    std::vector<std::string> sorted = names;
    std::ranges::sort(sorted);
    const std::vector<std::string> expected = names_of_parts(to_.parts);
    if (sorted != expected)
      throw FormatError(path_, "parts", in_quotes(join(sorted)),
                        "'" + join(expected) + "' as in this run");
    for (const auto& part : to_.parts) {
      const auto i =
          static_cast<std::size_t>(std::ranges::find(names, part.name()) - names.begin());
      const Index buffer_count = count(part_key(i) + ".buffers");
      if (buffer_count != std::ssize(part.buffers()))
        throw FormatError(path_, "buffers of " + part.name(), text(buffer_count),
                          text(part.buffers().size(), " as in this run"));
      MethodState state{.steps = count(part_key(i) + ".steps"),
                        .random = random(part_key(i) + ".random"),
                        .numbers = file_.template read<double>(tensor(numbers_name(i)))};
      std::vector<ParamBuffer<Scalar>> buffers;
      for (std::size_t k = 0; k < part.buffers().size(); ++k)
        buffers.push_back(read(buffer_prefix(i, k)));
      try {
        parts_.push_back(part.prepare(std::move(state), std::move(buffers)));
      } catch (const Error& error) {
        throw FormatError(path_, "state of " + part.name(), error.what(),
                          "one that this run's takes");
      }
    }
    require_settings(path_, read_settings(meta("plait.settings_of_parts")), settings_of(to_.parts),
                     to_.options.may_differ);
  }

  const std::string& path_;
  std::string_view format_;
  const CheckpointDestination<Scalar>& to_;
  SafetensorsReader file_;
  Index first_ = 0;
  ParamBuffer<Scalar> values_;
  Index steps_ = 0;
  std::vector<ParamBuffer<Scalar>> moments_;
  Progress<Scalar> progress_;
  std::vector<std::function<void()>> parts_;  // put the parts' new states in place
  std::optional<RestoredTables<Scalar>> tables_;
};

}  // namespace detail

}  // namespace plait
