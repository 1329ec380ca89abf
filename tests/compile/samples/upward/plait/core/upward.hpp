#pragma once
#include "plait/layers/mlp.hpp"
