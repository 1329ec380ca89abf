// Requests that are wrong, drawn at random: in their JSON, in their HTTP, or in any byte.
#pragma once
#include <string>

#include "plait/core/random.hpp"

namespace load {

// A body with one to three mistakes made in a good one. Some are harmless, most are not.
std::string malformed_body(const std::string& good, plait::Random& random);

// A whole request, of a good body: a malformed body in good HTTP, or malformed HTTP.
std::string malformed_request(const std::string& good_body, plait::Random& random);

}  // namespace load
