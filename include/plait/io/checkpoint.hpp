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
// With tables (Trainer) their values and the state of their rows are stored as well, all of them,
// or, in a delta between two full checkpoints, of the rows that have moved since the one before:
//
//   n % 20 == 0 ? checkpoints.save(trainer, progress, parts)
//               : checkpoints.save_delta(trainer, progress, parts);
//
// delta-{number}.safetensors counts with the checkpoints, holds all but the tables whole, and says
// which file it follows, by number and checksum. resume() goes on from the newest file from which a
// chain of whole ones leads back to a full one, bit for bit as from a full one in its place.
// Memory does not grow with tables: numbers go straight between them and the file.
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
#include <exception>
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
#include "plait/io/numbered_files.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/optimizer.hpp"
#include "plait/sparse/input_tables.hpp"

namespace plait {

struct RejectedFile {
  std::string path;
  std::string reason;
};

struct Resumed {
  std::string path;                    // the checkpoint that was loaded; empty when there was none
  std::vector<RejectedFile> rejected;  // newer ones that are torn or corrupt, or follow such a one

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

namespace detail {

// Those of a Trainer; null for one without, and for what has no tables().
template <class S, class T>
InputTables<S>* tables_of(const T& trainer) {
  if constexpr (requires {
                  { trainer.tables() } -> std::convertible_to<InputTables<S>*>;
                }) {
    return trainer.tables();
  } else {
    return nullptr;
  }
}

}  // namespace detail

// Those of one run: the first save() or a resume() makes them so. Copies are of the same run,
// whenever they were made. Not thread-safe, copies together neither.
class Checkpoints {
 public:
  // Keeps the run's last `keep` full checkpoints in the directory, which is created, and the deltas
  // that are newer than the oldest of them. Throws ConfigError
  // for keep below 1, FileError.
  explicit Checkpoints(std::string directory, Index keep = 3)
      : directory_(std::move(directory)), keep_(keep) {
    require_config(keep >= 1, "Checkpoints", "keep", text(keep), "at least 1");
    std::error_code error;
    std::filesystem::create_directories(directory_, error);
    if (error) throw FileError(directory_, "directory", error.message(), "one to write to");
  }

  const std::string& directory() const { return directory_; }

  // Makes this the one program that writes to the directory, which the first save() or resume()
  // does unasked: for who puts files of its own beside the checkpoints before it saves one. Throws
  // FileError when another program uses it.
  void lock() {
    if (!run_->lock) run_->lock.emplace(directory_, "checkpoints.lock");
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
    return write<Scalar>(model, optimizer, nullptr, progress, parts,
                         detail::run_settings(model, optimizer), false);
  }
  template <class Scalar, TrainsModel<Scalar> Trainer>
  std::string save(const Trainer& trainer, const Progress<Scalar>& progress,
                   const CheckpointParts<Scalar>& parts = {}) {
    return write_trainer(trainer, progress, parts, false);
  }
  // Writes a delta after this run's last checkpoint or delta; a full checkpoint where there is none
  // to follow or no tables, and where somebody else has begun to mark the rows that move
  // (Checkpoints of another run, on the same tables). Changes of the tables' numbers by others than
  // the trainer's steps are not in a delta: follow them with save(). Throws as save.
  template <class Scalar, TrainsModel<Scalar> Trainer>
  std::string save_delta(const Trainer& trainer, const Progress<Scalar>& progress,
                         const CheckpointParts<Scalar>& parts = {}) {
    return write_trainer(trainer, progress, parts, true);
  }

  // Goes on from the newest checkpoint that is whole, or delta that leads back to one, and says
  // which newer ones were not. Without any file nothing happens. `progress` has the rows to train
  // on in its order, if it uses it. Throws before anything is changed: FormatError when no file is
  // whole (listing why), or when the newest whole one is of other parameters, another Scalar, other
  // settings than the options let differ (naming them, with both values), other rows, other parts
  // (in number, names, buffers, or as they refuse its state), other tables, of an earlier version,
  // or holds what no run can (Progress); ConfigError for a name that two parts have and a pattern
  // that matches no setting of this run or of the checkpoint; FileError, also when another program
  // uses the directory. A FileError that comes while tables are read, from files that were whole a
  // moment ago, leaves their numbers those of no run: the optimizer then refuses steps until a
  // resume succeeds.
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
        {model.shared_table(), optimizer, progress, parts, std::move(settings), std::move(options),
         detail::tables_of<Scalar>(trainer)},
        [&](const ParamBuffer<Scalar>& values) { trainer.load(values); });
  }

  // The paths of the directory's checkpoints and deltas, oldest first. Throws FileError.
  std::vector<std::string> paths() const {
    std::vector<std::string> result;
    for (const File& file : list()) result.push_back(file.path);
    return result;
  }

 private:
  struct File {
    Index number = 0;
    std::string path;
    bool is_delta = false;
  };

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
    std::map<std::string, Whole> whole;
    File last;  // what a delta can follow, and its identity
    std::string last_identity;
    std::shared_ptr<const void> marked;  // since when the tables mark rows for a delta after it
  };

  template <class Scalar, class Trainer>
  std::string write_trainer(const Trainer& trainer, const Progress<Scalar>& progress,
                            const CheckpointParts<Scalar>& parts, bool as_delta) {
    const Model<Scalar>& model = trainer.model();
    detail::Settings settings = detail::run_settings<Scalar>(model, trainer.optimizer());
    detail::add_trainer(settings, trainer);
    return write<Scalar>(model, trainer.optimizer(), detail::tables_of<Scalar>(trainer), progress,
                         parts, settings, as_delta);
  }

  template <class Scalar>
  std::string write(const Model<Scalar>& model, const Optimizer<Scalar>& optimizer,
                    InputTables<Scalar>* tables, const Progress<Scalar>& progress,
                    const CheckpointParts<Scalar>& parts, const detail::Settings& settings,
                    bool as_delta) {
    lock();
    auto files = list();
    const Index newest = files.empty() ? 0 : files.back().number;
    if (newest == (std::numeric_limits<Index>::max)())
      throw FileError(directory_, "checkpoints", text("number ", newest),
                      "one that another can follow");
    as_delta = as_delta && tables != nullptr && run_->marked != nullptr &&
               tables->marked_since() == run_->marked && is_whole(run_->last.path);
    const Index number = newest + 1;
    const File file{number, path_of(number, as_delta), as_delta};
    const Index first = run_->first.value_or(number);
    const std::string checksum =
        detail::write_checkpoint(file.path, model, optimizer, tables, progress, parts, first,
                                 settings, as_delta ? run_->last_identity : std::string());
    run_->first = first;
    remember(file.path);
    follow(file, checksum, tables);
    files.push_back(file);
    remove_older(files);
    return file.path;
  }

  // The next delta follows this file.
  template <class Scalar>
  void follow(const File& file, const std::string& checksum, InputTables<Scalar>* tables) {
    run_->marked = nullptr;
    if (tables == nullptr) return;
    const auto now = std::make_shared<const char>();
    tables->mark_moved(now);
    run_->last = file;
    run_->last_identity = detail::identity(file.number, checksum);
    run_->marked = now;
  }

  // Of this run's files, by number, those before the last `keep` full ones that are whole: torn
  // ones do not push out others.
  void remove_older(const std::vector<File>& files) {
    const auto of_run = std::ranges::count_if(
        files, [&](const File& file) { return file.number >= run_->first && !file.is_delta; });
    if (of_run <= keep_) return;
    Index whole = 0;
    for (auto file = files.rbegin(); file != files.rend() && file->number >= run_->first; ++file) {
      if (whole < keep_) {
        whole += !file->is_delta && is_whole(file->path) ? 1 : 0;
      } else {
        std::error_code ignored;  // what cannot be removed now is tried again next time
        std::filesystem::remove(file->path, ignored);
        run_->whole.erase(file->path);
      }
    }
  }

  // Reads all of a file once, and again when it has changed.
  bool is_whole(const std::string& path) {
    const auto known = run_->whole.find(path);
    if (known != run_->whole.end() && known->second == look_at(path)) return true;
    try {
      detail::verify_checkpoint(path);
    } catch (const Error&) {
      return false;
    }
    remember(path);
    return true;
  }
  void remember(const std::string& path) { run_->whole[path] = look_at(path); }
  static Whole look_at(const std::string& path) {
    std::error_code size_error;
    std::error_code time_error;
    const Whole result{std::filesystem::file_size(path, size_error),
                       std::filesystem::last_write_time(path, time_error)};
    return size_error || time_error ? Whole{} : result;
  }

  std::string path_of(Index number, bool is_delta) const {
    return numbered_path(directory_, prefix(is_delta), number);
  }
  static std::string_view prefix(bool is_delta) { return is_delta ? "delta-" : "checkpoint-"; }

  // Every file named like a checkpoint or a delta, by number.
  std::vector<File> list() const {
    std::vector<File> result;
    for (const bool is_delta : {false, true})
      for (NumberedFile& file : numbered_files(directory_, prefix(is_delta)))
        result.push_back({file.number, std::move(file.path), is_delta});
    std::ranges::sort(result, {},
                      [](const File& file) { return std::pair(file.number, file.path); });
    return result;
  }

  // What was found of the files, each of which is read once.
  class Verified {
   public:
    // Throws where a file is not whole.
    const detail::VerifiedCheckpoint& of(const std::string& path) {
      Found& found = files_[path];
      if (!found.file && !found.error) {
        try {
          found.file = detail::verify_checkpoint(path);
        } catch (const Error&) {
          found.error = std::current_exception();
        }
      }
      if (found.error) std::rethrow_exception(found.error);
      return *found.file;
    }

   private:
    struct Found {
      std::optional<detail::VerifiedCheckpoint> file;
      std::exception_ptr error;
    };
    std::map<std::string, Found> files_;
  };

  // The files from a full checkpoint to this one, each followed by the next. Throws where one of
  // them is not whole or not there.
  static std::vector<std::string> chain_to(const File& last, const std::vector<File>& files,
                                           Verified& verified) {
    std::vector<std::string> chain;
    for (const File* file = &last;;) {
      chain.push_back(file->path);
      const std::string& follows = verified.of(file->path).follows;
      if (!file->is_delta) break;
      Index number = 0;
      std::from_chars(follows.data(), follows.data() + follows.size(), number);
      const File* before = nullptr;
      for (const File& other : files)
        if (other.number == number && number < file->number &&
            follows == detail::identity(number, verified.of(other.path).checksum))
          before = &other;
      if (before == nullptr)
        throw FormatError(file->path, detail::follows_key, in_quotes(follows),
                          "a file that is there");
      file = before;
    }
    std::ranges::reverse(chain);
    return chain;
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
    Verified verified;
    for (auto file = files.rbegin(); file != files.rend(); ++file) {
      const std::string& path = file->path;
      std::vector<std::string> chain;
      try {
        chain = chain_to(*file, files, verified);
      } catch (const Error& error) {
        result.rejected.push_back({path, error.what()});
        continue;
      }
      detail::RestoredCheckpoint<Scalar> checkpoint(chain, to);
      if (checkpoint.first() < 1 || checkpoint.first() > file->number)
        throw FormatError(path, "plait.first", text(checkpoint.first()),
                          text("a number from 1 to ", file->number));
      checkpoint.commit(load_values);
      run_->first = checkpoint.first();
      for (const std::string& whole : chain) remember(whole);
      follow(*file, verified.of(path).checksum, to.tables);
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
