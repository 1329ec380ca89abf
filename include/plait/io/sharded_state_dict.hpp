// Weights in several files: a model.safetensors.index.json, as Hugging Face's libraries write it,
// and the safetensors files beside it whose names it has.
//
//   {"metadata": {...}, "weight_map": {"<tensor>": "<file>", ...}}
//
//   load_sharded_state_dict("model.safetensors.index.json", model);
//
// Nothing is loaded unless all of it is there: the files together have the index's tensors, no
// others and each once.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/io/error.hpp"
#include "plait/io/json.hpp"
#include "plait/io/safetensors.hpp"
#include "plait/io/state_dict.hpp"
#include "plait/model/model.hpp"

namespace plait {

// Files that an index may name; all of them are open at once.
inline constexpr std::size_t max_shards = 256;

namespace detail {

// Follows the parser through an index and keeps its weight_map alone.
class IndexReader {
 public:
  IndexReader(std::map<std::string, std::string>& files, const std::string& index)
      : files_(files), index_(index) {}

  PLAIT_COLD bool operator()(int depth, Json::parse_event_t event, Json& json) {
    using Event = Json::parse_event_t;
    constexpr int most_deep = 8;  // of metadata
    if (event == Event::key && depth == 1) {
      section_ = json.get_ref<const std::string&>();
      if (section_ != "metadata" && section_ != "weight_map")
        refuse("the key " + in_quotes(section_));
      if (in_map() && std::exchange(has_map_, true)) refuse("a second weight_map");
    } else if (event == Event::key) {
      name_ = json.get_ref<const std::string&>();
      return false;
    } else if (event == Event::object_start || event == Event::array_start) {
      const bool array = event == Event::array_start;
      if (depth >= most_deep || (depth == 0 && array) || (in_map() && (depth > 1 || array)))
        refuse("a list or an object");
    } else if (event == Event::value && depth <= 2 && (depth < 2 || in_map())) {
      if (depth < 2 || !json.is_string()) refuse(json.type_name());
      if (!files_.emplace(name_, json.get_ref<const std::string&>()).second)
        refuse("a second " + in_quotes(name_));
    }
    return true;
  }

  void finish() const {
    if (!has_map_) refuse("no weight_map");
  }

 private:
  [[noreturn]] PLAIT_COLD void refuse(const std::string& what) const {
    throw FormatError(index_, "index", what, "a weight_map of tensors to files");
  }
  bool in_map() const { return section_ == "weight_map"; }

  std::map<std::string, std::string>& files_;
  const std::string& index_;
  std::string section_, name_;
  bool has_map_ = false;
};

PLAIT_COLD inline std::map<std::string, std::string> read_index(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::is_regular_file(path, error))
    throw FileError(path, "index", error ? error.message() : "no regular file", "a readable file");
  std::ifstream stream(path, std::ios::binary);
  const auto size = fs::file_size(path, error);
  if (!stream || error)
    throw FileError(path, "index", "none that can be opened", "a readable file");
  if (size > max_header_bytes)
    throw FormatError(path, "index", text(size, " bytes"), text("at most ", max_header_bytes));
  std::string json(size, ' ');
  if (!stream.read(json.data(), static_cast<std::streamsize>(size)))
    throw FileError(path, "index", "fewer bytes", text(size));
  std::map<std::string, std::string> files;
  IndexReader read(files, path);
  try {
    const auto rest = Json::parse(json, std::ref(read));
  } catch (const nlohmann::json::parse_error& parse) {
    throw FormatError(path, "index", text("no JSON from byte ", parse.byte, " on"), "JSON");
  } catch (const nlohmann::json::out_of_range&) {
    throw FormatError(path, "index", "a number beyond all doubles", "JSON");
  }
  read.finish();
  return files;
}

// The tensors of all files under one header.
class ShardedReader {
 public:
  // Throws FileError and FormatError.
  PLAIT_COLD explicit ShardedReader(const std::string& index) {
    const auto file_of_name = read_index(index);
    std::map<std::string, std::size_t> opened;
    for (const auto& [tensor, file] : file_of_name) {
      const std::filesystem::path name(file);
      if (file.empty() || name.filename() != name || file == "." || file == "..")
        throw FormatError(index, "file of " + in_quotes(tensor), in_quotes(file),
                          "the name of a file beside the index");
      if (!opened.emplace(file, files_.size()).second) continue;
      if (files_.size() == max_shards)
        throw FormatError(index, "index", "more files", text("at most ", max_shards));
      files_.emplace_back((std::filesystem::path(index).parent_path() / name).string());
      for (const TensorInfo& info : files_.back().header().tensors) {
        const auto found = file_of_name.find(info.name);
        if (found == file_of_name.end() || found->second != file)
          throw FormatError(files_.back().name(), "tensor", in_quotes(info.name),
                            "those that the index has in this file");
        header_.tensors.push_back(info);
        owners_.push_back(files_.size() - 1);
      }
    }
    if (header_.tensors.size() == file_of_name.size()) return;
    for (const auto& [tensor, file] : file_of_name)
      if (files_[opened.at(file)].header().find(tensor) == nullptr)
        throw FormatError(files_[opened.at(file)].name(), "tensor", "no " + in_quotes(tensor),
                          "it, as the index says");
  }

  const SafetensorsHeader& header() const { return header_; }

  // The file of one of the header's tensors.
  SafetensorsReader& file_of(const TensorInfo& tensor) {
    return files_[owners_[static_cast<std::size_t>(&tensor - header_.tensors.data())]];
  }

 private:
  std::vector<SafetensorsReader> files_;
  SafetensorsHeader header_;
  std::vector<std::size_t> owners_;  // by tensor
};

}  // namespace detail

// As load_state_dict, from the files of an index. Throws FileError, and FormatError for an index or
// files that are not as above or do not fit the model; the numbers are then as they were.
template <class Scalar>
PLAIT_COLD void load_sharded_state_dict(const std::string& index, Model<Scalar>& model,
                                        const StateDictOptions& options = {}) {
  detail::ShardedReader files(index);
  const auto sources =
      detail::match_state_dict(files.header(), index, model.table(), options, detail::is_plaits);
  for (const TensorInfo* tensor : sources) files.file_of(*tensor).skim(*tensor);
  for (std::size_t i = 0; i < sources.size(); ++i)
    files.file_of(*sources[i]).read(*sources[i], model.values_of(model.table().entries()[i].id));
}

}  // namespace plait
