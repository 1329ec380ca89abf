// The worked numbers of tests/fixtures as plait types. PLAIT_FIXTURES_DIR is set by the build.
#pragma once
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "plait/core/tensor.hpp"

namespace fixtures {

using Json = nlohmann::json;

inline Json load(const std::string& name) {
  std::string path = PLAIT_FIXTURES_DIR "/";
  path.append(name).append(".json");
  std::ifstream file(path);
  if (!file) throw std::runtime_error("no fixture " + path);
  return Json::parse(file);
}

// A JSON array of rank 1 [n] (as [n, 1, 1]), 2 [batch, dim] (as [batch, 1, dim]) or 3.
template <class Scalar>
plait::Tensor<Scalar> tensor(const Json& json) {
  using plait::Index;
  const auto size = [](const Json& j) { return static_cast<Index>(j.size()); };
  const bool has_dim = json.at(0).is_array();
  const bool has_slot = has_dim && json.at(0).at(0).is_array();
  const Index slots = has_slot ? size(json.at(0)) : 1;
  const Index dim = !has_dim ? 1 : has_slot ? size(json.at(0).at(0)) : size(json.at(0));
  plait::Tensor<Scalar> result(size(json), slots, dim);
  const auto view = result.view();
  for (Index b = 0; b < view.batch(); ++b)
    for (Index s = 0; s < slots; ++s)
      for (Index d = 0; d < dim; ++d) {
        const auto at = [](const Json& j, Index i) -> const Json& {
          return j.at(static_cast<std::size_t>(i));
        };
        const Json& sample = at(json, b);
        const Json& value = !has_dim ? sample : has_slot ? at(at(sample, s), d) : at(sample, d);
        view(b, s, d) = value.get<Scalar>();
      }
  return result;
}

}  // namespace fixtures
