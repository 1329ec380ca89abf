#pragma once
#define PLAIT_EACH_SET "plait/layers/each_set/mlp.inl"
