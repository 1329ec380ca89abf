// The built-in stream of clicks (click_stream.hpp) as a data set: raw rows, made instead of read.
#pragma once
#include "click_stream.hpp"
#include "dataset.hpp"
#include "plait/features/feature.hpp"

namespace ranker {

// Users, items, categories and hours with rows of their own, the history by the items' rows, and
// the price.
plait::EncoderConfig stream_features();

// Tasks click, dwell (regression) and buy; encoded as raw_dataset does with a file.
Dataset stream_dataset(const StreamConfig& config);

}  // namespace ranker
