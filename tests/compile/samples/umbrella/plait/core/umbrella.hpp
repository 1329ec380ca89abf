#pragma once
#include <plait/plait.hpp>
