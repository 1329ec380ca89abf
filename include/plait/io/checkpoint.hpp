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
// compared, by name (checkpoint_settings.hpp), and may be changed on purpose:
//
//   checkpoints.resume(trainer, progress, parts, {.may_differ = {"learning_rate*"}});
//
// Restoring is all or nothing. One program at a time writes to a directory, which a lock sees to
// (directory_lock.hpp). A run that starts anew where others have left checkpoints leaves them there
// and counts on from them; resume() then goes on from the newest, this run's.
#pragma once
#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/io/checkpoint_file.hpp"
#include "plait/io/checkpoint_part.hpp"
#include "plait/io/checkpoint_settings.hpp"
#include "plait/io/directory_lock.hpp"
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

// A Trainer, or what else holds a model and its optimizer. One with settings(FieldVisitor&) is held
// to them as a Trainer is.
template <class T, class S>
concept TrainsModel = requires(T& trainer, const T& constant, const ParamBuffer<S>& values) {
  { constant.model() } -> std::convertible_to<const Model<S>&>;
  { constant.optimizer() } -> std::convertible_to<const Optimizer<S>&>;
  { trainer.optimizer() } -> std::convertible_to<Optimizer<S>&>;
  trainer.load(values);
};

// Those of one run: the first save() or a resume() makes them so. Copies are of the same run,
// whenever they were made. Not thread-safe, copies together neither.
class Checkpoints {
 public:
  // Keeps the run's last `keep` checkpoints in the directory, which is created. Throws ConfigError
  // for keep below 1, FileError.
  explicit Checkpoints(std::string directory, Index keep = 3)
      : directory_(std::move(directory)), keep_(keep) {
    require_config(keep >= 1, "Checkpoints", "keep", text(keep), "at least 1");
    std::error_code error;
    std::filesystem::create_directories(directory_, error);
    if (error) throw FileError(directory_, "directory", error.message(), "one to write to");
  }

  // Writes a checkpoint, returns its path, and removes those of this run that are older than its
  // last `keep` whole ones. Throws FileError, also when another program uses the directory or no
  // number is left; ConfigError for notes and names that cannot be stored or that two parts have,
  // and for progress that could not be read again (counts that are negative or beyond 2^53, a step
  // beyond the rows of order, a row below 0) or a spoiled step of the optimizer; ShapeError for a
  // part's or the best values' buffer over another table than the model's. Older checkpoints are
  // then as they were.
  template <class Scalar>
  std::string save(const Model<Scalar>& model, const Optimizer<Scalar>& optimizer,
                   const Progress<Scalar>& progress, const CheckpointParts<Scalar>& parts = {}) {
    return write(model, optimizer, progress, parts, detail::run_settings(model, optimizer));
  }
  template <class Scalar, TrainsModel<Scalar> Trainer>
  std::string save(const Trainer& trainer, const Progress<Scalar>& progress,
                   const CheckpointParts<Scalar>& parts = {}) {
    const Model<Scalar>& model = trainer.model();
    detail::Settings settings = detail::run_settings<Scalar>(model, trainer.optimizer());
    detail::add_trainer(settings, trainer);
    return write<Scalar>(model, trainer.optimizer(), progress, parts, std::move(settings));
  }

  // Goes on from the newest checkpoint that is whole, and says which newer ones were not. Without
  // any file nothing happens. `progress` has the rows to train on in its order, if it uses it.
  // Throws before anything is changed: FormatError when no file is whole (listing why), or when the
  // newest whole one is of other parameters, another Scalar, other settings than the options let
  // differ (naming them, with both values), other rows, other parts (in number, names, buffers, or
  // as they refuse its state), of an earlier version, or holds what no run can (Progress);
  // ConfigError for a name that two parts have and a pattern that matches no setting of this run
  // or of the checkpoint; FileError, also when another program uses the directory.
  template <class Scalar>
  Resumed resume(Model<Scalar>& model, Optimizer<Scalar>& optimizer, Progress<Scalar>& progress,
                 const CheckpointParts<Scalar>& parts = {}, ResumeOptions options = {}) {
    return resume_from_newest<Scalar>(
        {model.shared_table(), optimizer, progress, parts, detail::run_settings(model, optimizer),
         std::move(options)},
        [&](const ParamBuffer<Scalar>& values) { model.load(values); });
  }
  template <class Scalar, TrainsModel<Scalar> Trainer>
  Resumed resume(Trainer& trainer, Progress<Scalar>& progress,
                 const CheckpointParts<Scalar>& parts = {}, ResumeOptions options = {}) {
    const Model<Scalar>& model = trainer.model();
    Optimizer<Scalar>& optimizer = trainer.optimizer();
    detail::Settings settings = detail::run_settings(model, optimizer);
    detail::add_trainer(settings, trainer);
    return resume_from_newest<Scalar>(
        {model.shared_table(), optimizer, progress, parts, std::move(settings), std::move(options)},
        [&](const ParamBuffer<Scalar>& values) { trainer.load(values); });
  }

  // The paths of the directory's checkpoints, oldest first. Throws FileError.
  std::vector<std::string> paths() const {
    std::vector<std::string> result;
    for (auto& [number, path] : list()) result.push_back(std::move(path));
    return result;
  }

 private:
  // A file as it was when all of it had been read or written.
  struct Whole {
    std::uintmax_t size = 0;
    std::filesystem::file_time_type time{};
    bool operator==(const Whole&) const = default;
  };

  // What all copies share.
  struct Run {
    std::optional<DirectoryLock> lock;  // from the first save or resume on
    std::optional<Index> first;         // number of the run's first checkpoint
    std::map<Index, Whole> whole;
  };

  void lock() {
    if (!run_->lock) run_->lock.emplace(directory_, "checkpoints.lock");
  }

  template <class Scalar>
  std::string write(const Model<Scalar>& model, const Optimizer<Scalar>& optimizer,
                    const Progress<Scalar>& progress, const CheckpointParts<Scalar>& parts,
                    detail::Settings settings) {
    lock();
    auto files = list();
    const Index newest = files.empty() ? 0 : files.back().first;
    if (newest == (std::numeric_limits<Index>::max)())
      throw FileError(directory_, "checkpoints", text("number ", newest),
                      "one that another can follow");
    const Index number = newest + 1;
    const std::string path = path_of(number);
    const Index first = run_->first.value_or(number);
    detail::write_checkpoint(path, model, optimizer, progress, parts, first, std::move(settings));
    run_->first = first;
    remember(number, path);
    files.emplace_back(number, path);
    remove_older(files);
    return path;
  }

  // Of this run's files, by number, those before the last `keep` that are whole: torn ones do not
  // push out others.
  void remove_older(const std::vector<std::pair<Index, std::string>>& files) {
    const auto of_run =
        std::ranges::count_if(files, [&](const auto& f) { return f.first >= run_->first; });
    if (of_run <= keep_) return;
    Index whole = 0;
    for (auto file = files.rbegin(); file != files.rend() && file->first >= run_->first; ++file) {
      if (whole < keep_) {
        whole += is_whole(file->first, file->second) ? 1 : 0;
      } else {
        std::error_code ignored;  // what cannot be removed now is tried again next time
        std::filesystem::remove(file->second, ignored);
        run_->whole.erase(file->first);
      }
    }
  }

  // Reads all of a file once, and again when it has changed.
  bool is_whole(Index number, const std::string& path) {
    const auto known = run_->whole.find(number);
    if (known != run_->whole.end() && known->second == look_at(path)) return true;
    try {
      detail::verify_checkpoint(path);
    } catch (const Error&) {
      return false;
    }
    remember(number, path);
    return true;
  }
  void remember(Index number, const std::string& path) { run_->whole[number] = look_at(path); }
  static Whole look_at(const std::string& path) {
    std::error_code size_error;
    std::error_code time_error;
    const Whole result{std::filesystem::file_size(path, size_error),
                       std::filesystem::last_write_time(path, time_error)};
    return size_error || time_error ? Whole{} : result;
  }

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
                             detail::LoadValues<Scalar> load_values) {
    detail::names_of_parts(to.parts);
    lock();
    Resumed result;
    const auto files = list();
    if (files.empty()) {
      const detail::Settings of_parts = detail::settings_of(to.parts);
      detail::require_patterns({&to.settings, &of_parts}, to.options.may_differ);
    }
    for (auto file = files.rbegin(); file != files.rend(); ++file) {
      const std::string& path = file->second;
      try {
        detail::verify_checkpoint(path);
      } catch (const Error& error) {
        result.rejected.push_back({path, error.what()});
        continue;
      }
      detail::RestoredCheckpoint<Scalar> checkpoint(path, to);
      if (checkpoint.first() < 1 || checkpoint.first() > file->first)
        throw FormatError(path, "plait.first", text(checkpoint.first()),
                          text("a number from 1 to ", file->first));
      checkpoint.commit(load_values);
      run_->first = checkpoint.first();
      remember(file->first, path);
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
  std::shared_ptr<Run> run_ = std::make_shared<Run>();
};

}  // namespace plait
