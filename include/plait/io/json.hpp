// The JSON type of all files: objects keep the order in which they are written.
#pragma once
#include <nlohmann/json.hpp>

namespace plait::detail {

// One type everywhere: a second one would be compiled a second time.
using Json = nlohmann::ordered_json;

}  // namespace plait::detail
