#pragma once
#include PLAIT_EACH_SET
