// Checkpoints: training that may be killed at any instant and goes on as if it had not been.
//
//   Checkpoints checkpoints("runs/7");
//   Progress<float> progress{.random = Random(seed), .order = rows};
//   const CheckpointParts<float> parts{{"balancer", balancer}, {"stopping", stopping}};
//   checkpoints.resume(trainer, progress, parts);                     // nothing at first
//   for (...) { trainer.step(...); checkpoints.save(trainer, progress, parts); }
//
// A checkpoint holds all that a run carries: the model's values, the optimizer's moments, progress
// and parts (checkpoint_part.hpp). It is a sealed safetensors file (checkpoint_file.hpp, seal.hpp)
// that appears whole or not at all (atomic_file.hpp): checkpoint-{number}.safetensors, numbered
// from 1. With it training goes on bit for bit, provided that model, optimizer, data and everything
// else that the caller chooses are those of the run that wrote it; what can be compared is
// compared. Restoring is all or nothing. One program at a time may use a directory.
#pragma once
#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/io/checkpoint_file.hpp"
#include "plait/io/checkpoint_part.hpp"
#include "plait/io/error.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/optimizer.hpp"

namespace plait {

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
    const auto older = list();
    const Index number = older.empty() ? 1 : older.back().first + 1;
    const std::string path = path_of(number);
    detail::write_checkpoint(path, model, optimizer, progress, parts);
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

  template <class Scalar>
  Resumed resume_from_newest(const detail::CheckpointDestination<Scalar>& to,
                             detail::LoadValues<Scalar> load_values) const {
    detail::names_of_parts(to.parts);
    Resumed result;
    const auto files = list();
    for (auto file = files.rbegin(); file != files.rend(); ++file) {
      const std::string& path = file->second;
      try {
        detail::verify_checkpoint(path);
      } catch (const Error& error) {
        result.rejected.push_back({path, error.what()});
        continue;
      }
      detail::RestoredCheckpoint<Scalar>(path, to).commit(load_values);
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

  std::string directory_;
  Index keep_;
};

}  // namespace plait
