// state_dict: parameters to and from safetensors by name.
//
// plait's parameters carry the state_dict keys of the reference library, so a file that PyTorch
// wrote with safetensors.torch.save_file(model.state_dict(), path) loads as it is. For other
// codebases a rename map translates plait's names to the file's.
#pragma once
#include <cstddef>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/io/error.hpp"
#include "plait/io/safetensors.hpp"
#include "plait/model/model.hpp"

namespace plait {

struct StateDictOptions {
  std::string prefix = {};  // of every name in the file: prefix + name
  // plait's name -> the file's, before the prefix. Several may have one: they are tied, and start
  // with the same numbers.
  std::map<std::string, std::string> rename = {};
  bool allow_unexpected = false;  // ignore tensors of the file that have no parameter
};

namespace detail {

inline std::string file_name(const std::string& name, const StateDictOptions& options) {
  const auto renamed = options.rename.find(name);
  return options.prefix + (renamed == options.rename.end() ? name : renamed->second);
}

inline std::string shape_text(const std::vector<std::uint64_t>& shape) {
  std::string result = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) result += text(i == 0 ? "" : ", ", shape[i]);
  return result + "]";
}

inline std::vector<std::uint64_t> file_shape(const ParamEntry& entry) {
  return {entry.shape.begin(), entry.shape.end()};
}

// TorchRec's name of a table.
inline std::string table_tensor(std::string_view table) {
  return text("embedding_bags.", table, ".weight");
}

// Rows of model files' self-tests and the like, which no state dict of another library has.
inline bool is_plaits(const TensorInfo& tensor) { return tensor.name.starts_with("plait."); }

// The file's tensor of every parameter, in table order. Throws FormatError listing what is wrong.
// Tensors for which ignore(tensor) is true may be there besides.
template <class Ignore>
PLAIT_COLD std::vector<const TensorInfo*> match_state_dict(const SafetensorsHeader& header,
                                                           const std::string& file,
                                                           const ParamTable& table,
                                                           const StateDictOptions& options,
                                                           const Ignore& ignore) {
  std::string complaints;
  Index more = 0;
  const auto complain = [&](const std::string& what) {
    constexpr std::size_t enough = 3000;
    if (complaints.size() < enough)
      complaints += (complaints.empty() ? "" : "; ") + what;
    else
      ++more;
  };
  for (const auto& [name, unused] : options.rename)
    if (!table.contains(name)) complain("rename of " + in_quotes(name) + ", no such parameter");

  std::map<std::string_view, const TensorInfo*> by_name;
  for (const auto& tensor : header.tensors)
    if (tensor.name.starts_with(options.prefix)) by_name.emplace(tensor.name, &tensor);

  std::vector<const TensorInfo*> sources;
  std::set<std::string_view> used;
  for (const auto& entry : table.entries()) {
    const std::string name = file_name(entry.name, options);
    const auto found = by_name.find(name);
    if (found == by_name.end()) {
      complain("missing " + in_quotes(name));
      continue;
    }
    const TensorInfo& tensor = *found->second;
    used.insert(found->first);
    sources.push_back(&tensor);
    const auto shape = file_shape(entry);
    if (tensor.shape != shape)
      complain(in_quotes(name) + " of shape " + shape_text(tensor.shape) + " instead of " +
               shape_text(shape));
    if (!is_floating(tensor.dtype))
      complain(in_quotes(name) + " of type " + std::string(info(tensor.dtype).name));
  }
  for (const auto& [name, tensor] : by_name)
    if (!used.contains(name) && tensor->count() > 0 && !options.allow_unexpected &&
        !ignore(*tensor))
      complain("unexpected " + in_quotes(name));
  if (more > 0) complaints += text("; and ", more, " more");
  if (!complaints.empty())
    throw FormatError(file, "tensors", complaints, "the parameters of the model");
  return sources;
}

// Reads every tensor of the table into place_of(id). The file is read twice, once to see that all
// of it can be read, so that no second copy of the numbers is needed.
template <class PlaceOf>
PLAIT_COLD void read_state_dict(SafetensorsReader& file, const ParamTable& table,
                                const StateDictOptions& options, const PlaceOf& place_of) {
  const auto sources = match_state_dict(file.header(), file.name(), table, options, is_plaits);
  for (const TensorInfo* tensor : sources) file.skim(*tensor);
  for (std::size_t i = 0; i < sources.size(); ++i)
    file.read(*sources[i], place_of(table.entries()[i].id));
}

}  // namespace detail

// Reads every parameter of a model, or of a buffer. Without a prefix all tensors of the file are
// expected to be parameters; with one, all that start with it; tensors without elements (the
// reference keeps some where AdaTT has no native-expert weights) and plait's own (self-test rows of
// model files) are ignored. Floating-point tensors convert: F64 rounds when loaded into a float
// model, the others are exact.
//
// Throws FormatError listing the missing, unexpected and wrongly shaped tensors (of very many, the
// first), or FileError; the numbers are then as they were.
template <class Scalar>
PLAIT_COLD void load_state_dict(SafetensorsReader& file, Model<Scalar>& model,
                                const StateDictOptions& options = {}) {
  detail::read_state_dict(file, model.table(), options,
                          [&](ParamId id) { return model.values_of(id); });
}
template <class Scalar>
PLAIT_COLD void load_state_dict(SafetensorsReader& file, ParamBuffer<Scalar>& values,
                                const StateDictOptions& options = {}) {
  detail::read_state_dict(file, values.table(), options, [&](ParamId id) { return values.of(id); });
}

// Adds every parameter under its file name. The numbers are borrowed until the writer writes.
template <class Scalar>
void add_state_dict(SafetensorsWriter& writer, const ParamBuffer<Scalar>& values,
                    const StateDictOptions& options = {}) {
  for (const auto& entry : values.table().entries())
    writer.add(detail::file_name(entry.name, options), detail::file_shape(entry),
               values.of(entry.id));
}

}  // namespace plait
