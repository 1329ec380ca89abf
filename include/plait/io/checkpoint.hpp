// Checkpoints: training that may be killed at any instant and goes on as if it had not been.
//
//   Checkpoints checkpoints("runs/7");
//   Progress<float> progress{.random = Random(seed), .order = rows};
//   const CheckpointParts<float> parts{{"balancer", balancer}, {"stopping", stopping}};
//   checkpoints.resume(trainer, progress, parts);                     // nothing at first
//   for (...) { trainer.step(...); checkpoints.save(trainer, progress, parts); }
//
// A checkpoint holds all that a run carries: the model's values, the optimizer's moments, progress
// and parts (checkpoint_part.hpp). It is a sealed safetensors file (see seal.hpp) that appears
// whole or not at all (see atomic_file.hpp): checkpoint-{number}.safetensors, numbered from 1. With
// it training goes on bit for bit, provided that model, optimizer, data and everything else that
// the caller chooses are those of the run that wrote it; what can be compared is compared.
// Restoring is all or nothing. One program at a time may use a directory.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
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
#include "plait/io/safetensors.hpp"
#include "plait/io/seal.hpp"
#include "plait/io/state_dict.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/optimizer.hpp"
#include "plait/version.hpp"

namespace plait {

// The best values so far.
template <class Scalar>
struct Best {
  double metric = 0;
  Index epoch = 0;
  ParamBuffer<Scalar> values;
};

// Where a run is in its data, and what it found. All of it is the caller's to interpret.
template <class Scalar>
struct Progress {
  Index epoch = 0;
  Index step = 0;  // within the epoch
  Random random{};
  std::vector<Index> order{};  // of the rows in this epoch
  std::optional<Best<Scalar>> best{};
  std::map<std::string, std::string> notes{};  // anything else; keys must not start with "plait."
};

struct RejectedFile {
  std::string path;
  std::string reason;
};

struct Resumed {
  std::string path;                    // the checkpoint that was loaded; empty when there was none
  std::vector<RejectedFile> rejected;  // newer ones that are torn or corrupt

  explicit operator bool() const { return !path.empty(); }
};

// A Trainer, or what else holds a model and its optimizer.
template <class T, class S>
concept TrainsModel = requires(T& trainer, const T& constant, const ParamBuffer<S>& values) {
  { constant.model() } -> std::convertible_to<const Model<S>&>;
  { constant.optimizer() } -> std::convertible_to<const Optimizer<S>&>;
  { trainer.optimizer() } -> std::convertible_to<Optimizer<S>&>;
  trainer.load(values);
};

namespace detail {

inline constexpr std::string_view checkpoint_format = "plait.checkpoint.2";

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
    if (error != std::errc() || after != at + 16)
      throw FormatError(file, std::string(key), "'" + given + "'", text(N, " words of 16 digits"));
    word = std::bit_cast<T>(bits);
    at = after == end ? after : after + 1;
  }
  return result;
}

inline Index parse_count(const std::string& given, const std::string& file, std::string_view key) {
  Index result = 0;
  const auto [after, error] = std::from_chars(given.data(), given.data() + given.size(), result);
  if (error != std::errc() || after != given.data() + given.size() || result < 0)
    throw FormatError(file, std::string(key), "'" + given + "'", "a count");
  return result;
}

}  // namespace detail

class Checkpoints {
 public:
  // Keeps the last `keep` checkpoints of the directory, which is created. Throws ConfigError for
  // keep below 1, FileError.
  explicit Checkpoints(std::string directory, Index keep = 3)
      : directory_(std::move(directory)), keep_(keep) {
    require_config(keep >= 1, "Checkpoints", "keep", text(keep), "at least 1");
    std::error_code error;
    std::filesystem::create_directories(directory_, error);
    if (error) throw FileError(directory_, "directory", error.message(), "one to write to");
  }

  // Writes a checkpoint, returns its path, and removes the oldest beyond `keep`. Throws FileError,
  // ConfigError for notes and names that cannot be stored or that two parts have, ShapeError for a
  // part's or the best values' buffer over another table than the model's; older checkpoints are
  // then as they were.
  template <class Scalar>
  std::string save(const Model<Scalar>& model, const Optimizer<Scalar>& optimizer,
                   const Progress<Scalar>& progress, const CheckpointParts<Scalar>& parts = {}) {
    SafetensorsWriter writer;
    writer.add_metadata("plait.format", std::string(detail::checkpoint_format));
    writer.add_metadata("plait.version", std::string(version));
    for (auto& [key, setting] : settings(optimizer)) writer.add_metadata(key, setting);
    writer.add_metadata("plait.optimizer_steps", text(optimizer.steps()));
    writer.add_metadata("plait.epoch", text(progress.epoch));
    writer.add_metadata("plait.step", text(progress.step));
    writer.add_metadata("plait.random", detail::bits_text(progress.random.state()));
    for (const auto& [key, note] : progress.notes) {
      require_config(!key.starts_with("plait."), "Checkpoints", "note", "'" + key + "'",
                     "a key that does not start with plait.");
      writer.add_metadata(key, note);
    }
    const std::vector<std::int64_t> order(progress.order.begin(), progress.order.end());
    writer.add("order", {order.size()}, std::span(order));
    add_state_dict(writer, model.values(), {.prefix = "values."});
    for (std::size_t k = 0; k < optimizer.moments().size(); ++k)
      add_state_dict(writer, optimizer.moments()[k], {.prefix = moment_prefix(optimizer, k)});
    if (progress.best) {
      writer.add_metadata("plait.best_metric",
                          detail::bits_text(std::array{progress.best->metric}));
      writer.add_metadata("plait.best_epoch", text(progress.best->epoch));
      require_schema("Checkpoints", "best", progress.best->values.shared_table(),
                     model.shared_table());
      add_state_dict(writer, progress.best->values, {.prefix = "best."});
    }
    const std::vector<MethodState> states = add_parts(writer, parts, model.shared_table());
    seal(writer);

    const auto older = list();
    const Index number = older.empty() ? 1 : older.back().first + 1;
    const std::string path = path_of(number);
    writer.write(path);
    const auto count = static_cast<std::ptrdiff_t>(older.size());
    for (std::ptrdiff_t i = 0; i + keep_ <= count; ++i) {
      std::error_code ignored;  // what cannot be removed now is tried again next time
      std::filesystem::remove(older[static_cast<std::size_t>(i)].second, ignored);
    }
    return path;
  }
  template <class Scalar, TrainsModel<Scalar> Trainer>
  std::string save(const Trainer& trainer, const Progress<Scalar>& progress,
                   const CheckpointParts<Scalar>& parts = {}) {
    const Model<Scalar>& model = trainer.model();
    return save(model, trainer.optimizer(), progress, parts);
  }

  // Goes on from the newest checkpoint that is whole, and says which newer ones were not. Without
  // any file nothing happens. Throws before anything is changed: FormatError when no file is whole
  // (listing why), or when the newest whole one is of other parameters, another Scalar, optimizer
  // settings or schedule, of other parts (in number, names, buffers, or as they refuse its state),
  // or of an earlier version; ConfigError for a name that two parts have; FileError.
  template <class Scalar>
  Resumed resume(Model<Scalar>& model, Optimizer<Scalar>& optimizer, Progress<Scalar>& progress,
                 const CheckpointParts<Scalar>& parts = {}) const {
    return resume_from_newest<Scalar>(
        {model.shared_table(), optimizer, progress, parts},
        [&](const ParamBuffer<Scalar>& values) { model.load(values); });
  }
  template <class Scalar, TrainsModel<Scalar> Trainer>
  Resumed resume(Trainer& trainer, Progress<Scalar>& progress,
                 const CheckpointParts<Scalar>& parts = {}) const {
    const Model<Scalar>& model = trainer.model();
    return resume_from_newest<Scalar>(
        {model.shared_table(), trainer.optimizer(), progress, parts},
        [&](const ParamBuffer<Scalar>& values) { trainer.load(values); });
  }

  // The checkpoints' paths, oldest first. Throws FileError.
  std::vector<std::string> paths() const {
    std::vector<std::string> result;
    for (auto& [number, path] : list()) result.push_back(std::move(path));
    return result;
  }

 private:
  std::string path_of(Index number) const {
    std::string digits = std::to_string(number);
    digits.insert(0, digits.size() < 9 ? 9 - digits.size() : 0, '0');
    return (std::filesystem::path(directory_) / ("checkpoint-" + digits + ".safetensors")).string();
  }

  // Number and path of every file named like a checkpoint, by number.
  std::vector<std::pair<Index, std::string>> list() const {
    std::vector<std::pair<Index, std::string>> result;
    std::error_code error;
    for (std::filesystem::directory_iterator entry(directory_, error), end; !error && entry != end;
         entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      constexpr std::string_view before = "checkpoint-";
      Index number = 0;
      if (!name.starts_with(before)) continue;
      std::from_chars(name.data() + before.size(), name.data() + name.size(), number);
      if (number >= 1 && entry->path() == path_of(number))
        result.emplace_back(number, entry->path().string());
    }
    if (error) throw FileError(directory_, "directory", error.message(), "one to read");
    std::sort(result.begin(), result.end());
    return result;
  }

  // Throws unless the file is whole: both checksums.
  static void verify(const std::string& path) {
    SealedReader file{SafetensorsReader(path)};
    file.skim();
  }

  // What must be the same when training goes on.
  template <class Scalar>
  static std::vector<std::pair<std::string, std::string>> settings(
      const Optimizer<Scalar>& optimizer) {
    Checksum of_parameters;
    for (const ParamSettings& p : optimizer.settings()) {
      const std::array numbers{p.learning_rate, p.weight_decay, p.frozen ? 1.0 : 0.0};
      of_parameters.update(std::as_bytes(std::span(numbers)));
    }
    const std::optional<double> clip = optimizer.options().clip_norm;
    return {{"plait.moments", detail::join(optimizer.moment_names())},
            {"plait.schedule", detail::bits_text(optimizer.options().schedule.parameters())},
            {"plait.parameter_settings", hex(of_parameters.value())},
            {"plait.clip_norm", clip ? detail::bits_text(std::array{*clip}) : "none"}};
  }

  template <class Scalar>
  static std::string moment_prefix(const Optimizer<Scalar>& optimizer, std::size_t k) {
    return "moments." + optimizer.moment_names()[k] + ".";
  }

  // Parts are numbered in the file, so that their names may be any.
  static std::string part_key(std::size_t part) { return text("plait.part.", part); }
  static constexpr std::string_view numbers_prefix = "numbers.";
  static std::string numbers_name(std::size_t part) { return text(numbers_prefix, part); }
  static std::string buffer_prefix(std::size_t part, std::size_t buffer) {
    return text("buffers.", part, ".", buffer, ".");
  }

  // Sorted. Throws ConfigError for a name that two parts have.
  template <class Scalar>
  static std::vector<std::string> names_of(const CheckpointParts<Scalar>& parts) {
    std::vector<std::string> names;
    for (const auto& part : parts) names.push_back(part.name());
    std::ranges::sort(names);
    const auto twice = std::ranges::adjacent_find(names);
    require_config(twice == names.end(), "Checkpoints", "parts",
                   twice == names.end() ? "" : "'" + *twice + "' twice", "names of their own");
    return names;
  }

  // Returns what the writer borrows beside the parts' own buffers.
  template <class Scalar>
  static std::vector<MethodState> add_parts(SafetensorsWriter& writer,
                                            const CheckpointParts<Scalar>& parts,
                                            const std::shared_ptr<const ParamTable>& table) {
    names_of(parts);
    std::vector<MethodState> states;
    for (const auto& part : parts) states.push_back(part.state());
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const MethodState& state = states[i];
      const auto buffers = parts[i].buffers();
      require_config(state.steps >= 0, "Checkpoints", "steps of " + parts[i].name(),
                     text(state.steps), "at least 0");
      writer.add_metadata(part_key(i), parts[i].name());
      writer.add_metadata(part_key(i) + ".steps", text(state.steps));
      writer.add_metadata(part_key(i) + ".random", detail::bits_text(state.random.state()));
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
  struct Destination {
    std::shared_ptr<const ParamTable> table;
    Optimizer<Scalar>& optimizer;
    Progress<Scalar>& progress;
    const CheckpointParts<Scalar>& parts;
  };
  template <class Scalar>
  using LoadValues = FunctionRef<void(const ParamBuffer<Scalar>&)>;

  template <class Scalar>
  Resumed resume_from_newest(const Destination<Scalar>& to, LoadValues<Scalar> load_values) const {
    names_of(to.parts);
    Resumed result;
    const auto files = list();
    for (auto file = files.rbegin(); file != files.rend(); ++file) {
      const std::string& path = file->second;
      try {
        verify(path);
      } catch (const Error& error) {
        result.rejected.push_back({path, error.what()});
        continue;
      }
      Restoring<Scalar>(path, to).commit(load_values);
      result.path = path;
      return result;
    }
    if (!result.rejected.empty()) {
      std::string reasons;
      for (const auto& [path, reason] : result.rejected)
        reasons += (reasons.empty() ? "" : "; ") + reason;
      throw FormatError(directory_, "checkpoints", reasons, "one that is whole");
    }
    return result;
  }

  // Reads all of a file before anything is changed: the constructor throws, commit does not, but
  // for an optimizer of other parameters than the model's, and then before anything is changed.
  template <class Scalar>
  class Restoring {
   public:
    Restoring(const std::string& path, const Destination<Scalar>& to)
        : path_(path), to_(to), file_(path) {
      check_format();
      check_dtypes();
      for (const auto& [key, setting] : settings(to.optimizer))
        if (meta(key) != setting)
          throw FormatError(path_, key, "'" + meta(key) + "'", "'" + setting + "' as in this run");
      values_ = read("values.");
      steps_ = count("plait.optimizer_steps");
      for (std::size_t k = 0; k < to.optimizer.moments().size(); ++k)
        moments_.push_back(read(moment_prefix(to.optimizer, k)));
      read_progress();
      prepare_parts();
    }

    void commit(LoadValues<Scalar> load_values) {
      static_assert(std::is_nothrow_move_assignable_v<Progress<Scalar>>);
      to_.optimizer.restore(steps_, std::move(moments_));
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
    Index count(const std::string& key) const { return detail::parse_count(meta(key), path_, key); }
    Random random(const std::string& key) const {
      return Random(detail::parse_bits<std::uint64_t, 4>(meta(key), path_, key));
    }
    const TensorInfo& tensor(const std::string& name) const {
      const TensorInfo* found = file_.header().find(name);
      if (found == nullptr)
        throw FormatError(path_, "tensors", "no '" + name + "'", "a checkpoint");
      return *found;
    }
    ParamBuffer<Scalar> read(const std::string& prefix) {
      ParamBuffer<Scalar> buffer(to_.table);
      load_state_dict(file_, buffer, {.prefix = prefix});
      return buffer;
    }

    void check_format() const {
      const std::string& format = meta("plait.format");
      if (format == detail::checkpoint_format) return;
      const bool earlier = format == "plait.checkpoint.1";
      throw FormatError(path_, "plait.format",
                        "'" + format + "'" + (earlier ? ", that of an earlier version" : ""),
                        "'" + std::string(detail::checkpoint_format) + "'");
    }
    void check_dtypes() const {
      for (const TensorInfo& tensor : file_.header().tensors) {
        const DType expected = tensor.name == "order"                    ? DType::i64
                               : tensor.name.starts_with(numbers_prefix) ? DType::f64
                                                                         : dtype_of<Scalar>();
        if (tensor.dtype != expected)
          throw FormatError(path_, "'" + tensor.name + "'", std::string(info(tensor.dtype).name),
                            std::string(info(expected).name));
      }
    }
    void read_progress() {
      progress_.epoch = count("plait.epoch");
      progress_.step = count("plait.step");
      progress_.random = random("plait.random");
      if (file_.header().meta("plait.best_metric") != nullptr)
        progress_.best = Best<Scalar>{
            detail::parse_bits<double, 1>(meta("plait.best_metric"), path_, "plait.best_metric")[0],
            count("plait.best_epoch"), read("best.")};
      const auto rows = file_.template read<std::int64_t>(tensor("order"));
      progress_.order.assign(rows.begin(), rows.end());
      for (const auto& [key, note] : file_.header().metadata)
        if (!key.starts_with("plait.")) progress_.notes.emplace(key, note);
    }
    void prepare_parts() {
      std::vector<std::string> names;  // in the order of the file
      while (file_.header().meta(part_key(names.size())) != nullptr)
        names.push_back(meta(part_key(names.size())));
      std::vector<std::string> sorted = names;
      std::ranges::sort(sorted);
      const std::vector<std::string> expected = names_of(to_.parts);
      if (sorted != expected)
        throw FormatError(path_, "parts", "'" + detail::join(sorted) + "'",
                          "'" + detail::join(expected) + "' as in this run");
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
    }

    const std::string& path_;
    const Destination<Scalar>& to_;
    SafetensorsReader file_;
    ParamBuffer<Scalar> values_;
    Index steps_ = 0;
    std::vector<ParamBuffer<Scalar>> moments_;
    Progress<Scalar> progress_;
    std::vector<std::function<void()>> parts_;  // put the parts' new states in place
  };

  std::string directory_;
  Index keep_;
};

}  // namespace plait
