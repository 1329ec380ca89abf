#pragma once
#include "view.hpp"
