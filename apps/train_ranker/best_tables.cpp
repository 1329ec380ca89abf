#include "best_tables.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "errors.hpp"
#include "plait/core/error.hpp"
#include "plait/io/embedding_file.hpp"
#include "plait/io/error.hpp"
#include "plait/io/safetensors.hpp"
#include "plait/io/seal.hpp"

namespace ranker {
namespace {

constexpr const char* note_key = "best_tables";
constexpr std::string_view prefix = "best-";

std::string path_of(const std::string& directory, Index number) {
  std::string digits = std::to_string(number);
  digits.insert(0, digits.size() < 9 ? 9 - digits.size() : 0, '0');
  const std::string name = std::string(prefix) + digits + ".safetensors";
  return (std::filesystem::path(directory) / name).string();
}

// What a note says, and of which number; 0 for none.
Index number_in(std::string_view digits) {
  Index number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}
Index number_noted(const BestTables::Notes& notes) {
  const auto note = notes.find(note_key);
  return note == notes.end() ? 0 : number_in(note->second);
}

// Of the files in the directory, rising.
std::vector<Index> numbers_of_files(const std::string& directory) {
  namespace fs = std::filesystem;
  std::vector<Index> numbers;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(prefix)) continue;
    const Index number = number_in(std::string_view(name).substr(prefix.size()));
    if (number >= 1 && entry->path() == path_of(directory, number)) numbers.push_back(number);
  }
  if (error) throw plait::FileError(directory, "directory", error.message(), "one to read");
  std::ranges::sort(numbers);
  return numbers;
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
  const auto numbers = numbers_of_files(directory);
  const Index number = numbers.empty() ? 1 : numbers.back() + 1;
  const std::string path = path_of(directory, number);
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
  const std::string path = path_of(checkpoints_->directory(), number);
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
  const auto numbers = numbers_of_files(checkpoints_->directory());
  if (numbers.size() < 2) return;  // nothing but the best one's
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
  for (const Index number : numbers) {
    std::error_code ignored;  // what cannot be removed now is tried again next time
    if (!named.contains(number))
      std::filesystem::remove(path_of(checkpoints_->directory(), number), ignored);
  }
}

}  // namespace ranker
