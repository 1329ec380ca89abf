#include "best_tables.hpp"

#include <charconv>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "errors.hpp"
#include "plait/core/error.hpp"
#include "plait/io/embedding_file.hpp"
#include "plait/io/error.hpp"
#include "plait/io/numbered_files.hpp"
#include "plait/io/safetensors.hpp"
#include "plait/io/seal.hpp"

namespace ranker {
namespace {

constexpr const char* note_key = "best_tables";
constexpr std::string_view prefix = "best-";

// What a note says, and of which number; 0 for none.
Index number_in(std::string_view note) {
  Index number = 0;
  std::from_chars(note.data(), note.data() + note.size(), number);
  return number;
}
Index number_noted(const BestTables::Notes& notes) {
  const auto note = notes.find(note_key);
  return note == notes.end() ? 0 : number_in(note->second);
}

// The note of a file: its header's checksum covers that of its data.
std::string note_of(const std::string& path, Index number) {
  const plait::SealedReader file{plait::SafetensorsReader(path)};
  return plait::text(number, ' ', file.meta(plait::detail::header_checksum_key));
}

}  // namespace

void BestTables::keep(const plait::Model<float>& model, Notes& notes) {
  if (tables_ == nullptr) return;
  if (kept_)
    kept_->assign(*tables_);
  else
    kept_.emplace(tables_->clone());
  if (checkpoints_ == nullptr) return;
  checkpoints_->lock();
  const std::string& directory = checkpoints_->directory();
  const auto files = plait::numbered_files(directory, prefix);
  const Index number = files.empty() ? 1 : files.back().number + 1;
  const std::string path = plait::numbered_path(directory, prefix, number);
  plait::save(model, *tables_, path);
  notes[note_key] = note_of(path, number);
  remove_unnamed(notes);
}

void BestTables::resume(const Notes& notes, const std::string& checkpoint) {
  if (tables_ == nullptr) return;
  const Index number = number_noted(notes);
  if (number < 1)
    throw UsageError("--resume: " + checkpoint +
                     ": got no file of the best epoch's tables, expected one");
  const std::string path = plait::numbered_path(checkpoints_->directory(), prefix, number);
  const std::string got = note_of(path, number);
  const std::string& expected = notes.find(note_key)->second;
  if (got != expected)
    throw UsageError("--resume: " + path + ": got " + got + ", expected " +
                     plait::shown(expected, 60) + " as " + checkpoint + " says");
  auto loaded = plait::load_with_tables<float>(path);
  if (loaded.tables.config() != tables_->config())
    throw UsageError("--resume: " + path + ": got other tables, expected those of this run");
  kept_.emplace(std::move(loaded.tables));
}

void BestTables::load() {
  if (kept_) tables_->assign(*kept_);
}

void BestTables::remove_unnamed(const Notes& notes) const {
  if (tables_ == nullptr || checkpoints_ == nullptr) return;
  const auto files = plait::numbered_files(checkpoints_->directory(), prefix);
  if (files.size() < 2) return;  // nothing but the best one's
  std::set<Index> named{number_noted(notes)};
  for (const std::string& path : checkpoints_->paths()) {
    try {
      const plait::SealedReader file{plait::SafetensorsReader(path)};
      if (const std::string* note = file.header().meta(note_key)) named.insert(number_in(*note));
    } catch (const plait::FormatError&) {  // nobody goes on from a torn one
    } catch (const plait::FileError&) {    // it may be a whole one
      return;
    }
  }
  for (const plait::NumberedFile& file : files) {
    std::error_code ignored;  // what cannot be removed now is tried again next time
    if (!named.contains(file.number)) std::filesystem::remove(file.path, ignored);
  }
}

}  // namespace ranker
