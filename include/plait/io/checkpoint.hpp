// Checkpoints: training that may be killed at any instant and goes on as if it had not been.
//
//   Checkpoints checkpoints("runs/7");
//   Progress<float> progress{.random = Random(seed), .order = rows};
//   checkpoints.resume(model.values(), trainer.optimizer(), progress);     // nothing at first
//   for (...) { trainer.step(...); checkpoints.save(model.values(), trainer.optimizer(), progress);
//   }
//
// A checkpoint is a sealed safetensors file (see seal.hpp) that appears whole or not at all (see
// atomic_file.hpp): checkpoint-{number}.safetensors, numbered from 1. With it training goes on bit
// for bit, provided that model, optimizer, data and everything else that the caller chooses are
// those of the run that wrote it; what can be compared is compared. One program at a time may use a
// directory.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "plait/core/param_buffer.hpp"
#include "plait/core/random.hpp"
#include "plait/io/safetensors.hpp"
#include "plait/io/seal.hpp"
#include "plait/io/state_dict.hpp"
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

// Where a run is, beside its parameters and its optimizer. All of it is the caller's to interpret.
template <class Scalar>
struct Progress {
  Index epoch = 0;
  Index step = 0;  // within the epoch
  Random random{};
  std::vector<Index> order{};  // of the rows in this epoch
  std::optional<Best<Scalar>> best{};
  std::map<std::string, std::string> notes{};  // anything else; keys must not start with "plait."

  // States of what runs beside the optimizer, by names of the caller's: numbers (EarlyStopping),
  // and buffers over the parameters' table (WeightAverage, GradientMean).
  std::map<std::string, std::vector<double>> numbers{};
  std::map<std::string, ParamBuffer<Scalar>> buffers{};
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

namespace detail {

inline constexpr std::string_view checkpoint_format = "plait.checkpoint.1";

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
  // ConfigError for notes and names that cannot be stored, ShapeError for a buffer over another
  // table than the values'; older checkpoints are then as they were.
  template <class Scalar>
  std::string save(const ParamBuffer<Scalar>& values, const Optimizer<Scalar>& optimizer,
                   const Progress<Scalar>& progress) {
    SafetensorsWriter writer;
    writer.add_metadata("plait.format", std::string(detail::checkpoint_format));
    writer.add_metadata("plait.version", std::string(version));
    for (auto& [key, setting] : settings(optimizer)) writer.add_metadata(key, setting);
    writer.add_metadata("plait.optimizer_steps", text(optimizer.steps()));
    writer.add_metadata("plait.epoch", text(progress.epoch));
    writer.add_metadata("plait.step", text(progress.step));
    writer.add_metadata("plait.random", detail::bits_text(progress.random.state()));
    if (progress.best) {
      writer.add_metadata("plait.best_metric",
                          detail::bits_text(std::array{progress.best->metric}));
      writer.add_metadata("plait.best_epoch", text(progress.best->epoch));
    }
    for (const auto& [key, note] : progress.notes) {
      require_config(!key.starts_with("plait."), "Checkpoints", "note", "'" + key + "'",
                     "a key that does not start with plait.");
      writer.add_metadata(key, note);
    }
    const std::vector<std::int64_t> order(progress.order.begin(), progress.order.end());
    writer.add("order", {order.size()}, std::span(order));
    add_state_dict(writer, values, {.prefix = "values."});
    for (std::size_t k = 0; k < optimizer.moments().size(); ++k)
      add_state_dict(writer, optimizer.moments()[k], {.prefix = moment_prefix(optimizer, k)});
    if (progress.best) add_state_dict(writer, progress.best->values, {.prefix = "best."});
    for (const auto& [name, numbers] : progress.numbers)
      writer.add(std::string(numbers_prefix) + name, {numbers.size()}, std::span(numbers));
    Index place = 0;
    for (const auto& [name, buffer] : progress.buffers) {
      require_schema("Checkpoints", name.c_str(), buffer.shared_table(), values.shared_table());
      writer.add_metadata(buffer_key(place), name);
      add_state_dict(writer, buffer, {.prefix = buffer_prefix(place++)});
    }
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

  // Goes on from the newest checkpoint that is whole, and says which newer ones were not. Without
  // any file nothing happens. Throws before anything is changed: FormatError when no file is whole
  // (listing why), or when the newest whole one is of other parameters, another Scalar, optimizer
  // settings or schedule; FileError.
  template <class Scalar>
  Resumed resume(ParamBuffer<Scalar>& values, Optimizer<Scalar>& optimizer,
                 Progress<Scalar>& progress) const {
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
      restore(path, values, optimizer, progress);
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

  static constexpr std::string_view numbers_prefix = "numbers.";
  // Buffers are numbered in the file, so that their names may be any.
  static std::string buffer_key(Index place) { return text("plait.buffer.", place); }
  static std::string buffer_prefix(Index place) { return text("buffers.", place, "."); }

  template <class Scalar>
  static void restore(const std::string& path, ParamBuffer<Scalar>& values,
                      Optimizer<Scalar>& optimizer, Progress<Scalar>& progress) {
    SafetensorsReader file(path);
    const auto meta = [&](std::string_view key) -> const std::string& {
      const std::string* found = file.header().meta(key);
      if (found == nullptr)
        throw FormatError(path, "metadata", "no " + std::string(key), "a checkpoint");
      return *found;
    };
    const auto require = [&](std::string_view key, std::string_view expected) {
      if (meta(key) != expected)
        throw FormatError(path, std::string(key), "'" + meta(key) + "'",
                          "'" + std::string(expected) + "' as in this run");
    };
    const auto count = [&](std::string_view key) {
      return detail::parse_count(meta(key), path, key);
    };
    require("plait.format", detail::checkpoint_format);
    for (const auto& [key, setting] : settings(optimizer)) require(key, setting);
    const auto is_numbers = [](const TensorInfo& tensor) {
      return tensor.name.starts_with(numbers_prefix);
    };
    for (const TensorInfo& tensor : file.header().tensors) {
      const DType expected = tensor.name == "order" ? DType::i64
                             : is_numbers(tensor)   ? DType::f64
                                                    : dtype_of<Scalar>();
      if (tensor.dtype != expected)
        throw FormatError(path, "'" + tensor.name + "'", std::string(info(tensor.dtype).name),
                          std::string(info(expected).name));
    }

    const auto read = [&](const std::string& prefix) {
      ParamBuffer<Scalar> buffer(values.shared_table());
      load_state_dict(file, buffer, {.prefix = prefix});
      return buffer;
    };
    ParamBuffer<Scalar> new_values = read("values.");
    std::vector<ParamBuffer<Scalar>> moments;
    for (std::size_t k = 0; k < optimizer.moments().size(); ++k)
      moments.push_back(read(moment_prefix(optimizer, k)));
    Progress<Scalar> restored;
    restored.epoch = count("plait.epoch");
    restored.step = count("plait.step");
    restored.random =
        Random(detail::parse_bits<std::uint64_t, 4>(meta("plait.random"), path, "plait.random"));
    if (file.header().meta("plait.best_metric") != nullptr)
      restored.best = Best<Scalar>{
          detail::parse_bits<double, 1>(meta("plait.best_metric"), path, "plait.best_metric")[0],
          count("plait.best_epoch"), read("best.")};
    const TensorInfo* order = file.header().find("order");
    if (order == nullptr) throw FormatError(path, "tensors", "no 'order'", "a checkpoint");
    const auto rows = file.read<std::int64_t>(*order);
    restored.order.assign(rows.begin(), rows.end());
    for (const auto& [key, note] : file.header().metadata)
      if (!key.starts_with("plait.")) restored.notes.emplace(key, note);
    for (const TensorInfo& tensor : file.header().tensors)
      if (is_numbers(tensor))
        restored.numbers.emplace(tensor.name.substr(numbers_prefix.size()),
                                 file.read<double>(tensor));
    for (Index place = 0; const std::string* name = file.header().meta(buffer_key(place)); ++place)
      restored.buffers.emplace(*name, read(buffer_prefix(place)));

    optimizer.restore(count("plait.optimizer_steps"), std::move(moments));
    values = std::move(new_values);
    progress = std::move(restored);
  }

  std::string directory_;
  Index keep_;
};

}  // namespace plait
