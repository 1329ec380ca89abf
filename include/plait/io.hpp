// Files, for users: models, checkpoints and state dicts. Apart from plait.hpp because it needs
// nlohmann-json (the CMake target plait::io) and POSIX.
#pragma once
#include "plait/io/atomic_file.hpp"
#include "plait/io/checkpoint.hpp"
#include "plait/io/checkpoint_file.hpp"
#include "plait/io/checkpoint_part.hpp"
#include "plait/io/checksum.hpp"
#include "plait/io/dtype.hpp"
#include "plait/io/error.hpp"
#include "plait/io/fields.hpp"
#include "plait/io/json.hpp"
#include "plait/io/model_file.hpp"
#include "plait/io/reports.hpp"
#include "plait/io/safetensors.hpp"
#include "plait/io/safetensors_header.hpp"
#include "plait/io/seal.hpp"
#include "plait/io/sharded_state_dict.hpp"
#include "plait/io/state_dict.hpp"
