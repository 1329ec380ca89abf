// What headers of include/ mean by core/params.hpp, of which the parts have headers of their own
// here.
#pragma once
#include "plait/core/param_buffer.hpp"
#include "plait/core/param_table.hpp"
#include "plait/core/param_view.hpp"
