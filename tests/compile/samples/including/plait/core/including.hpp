#pragma once
#define PLAIT_EACH_SET "plait/core/each_set/including.inl"
