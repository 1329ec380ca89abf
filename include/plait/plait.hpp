// Everything, for users. Library files include what they need and never this one.
#pragma once
#include "plait/core/buffer.hpp"
#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/layer.hpp"
#include "plait/core/parallel.hpp"
#include "plait/core/params.hpp"
#include "plait/core/random.hpp"
#include "plait/core/scratch.hpp"
#include "plait/core/tensor.hpp"
#include "plait/core/view.hpp"
#include "plait/version.hpp"
