// Changes of a file's parts, for files::resealed.
#pragma once
#include <cstddef>
#include <functional>
#include <string>

#include "support/catch.hpp"
#include "support/files.hpp"

namespace files {

// Of one part of a text of the metadata.
inline std::function<void(Parts&)> replacing(const std::string& key, const std::string& what,
                                             const std::string& by) {
  return [=](Parts& parts) {
    std::string& text = parts.meta(key);
    REQUIRE(text.find(what) != std::string::npos);
    text.replace(text.find(what), what.size(), by);
  };
}

// Of a tensor and its bytes.
inline std::function<void(Parts&)> of_tensor(
    const std::string& name, const std::function<void(plait::TensorInfo&, std::string&)>& change) {
  return [=](Parts& parts) {
    bool found = false;
    for (std::size_t i = 0; i < parts.data.size(); ++i) {
      if (parts.header.tensors[i].name != name) continue;
      change(parts.header.tensors[i], parts.data[i]);
      found = true;
    }
    REQUIRE(found);
  };
}

}  // namespace files
