// Parsed once for all tests: large headers that do not change. None of plait's, so that a test
// names what it uses.
#pragma once
#include <Eigen/Core>
#include <nlohmann/json.hpp>

#include "support/catch.hpp"
