// What the models train on: features, one label per task, and the rows that train, validate and
// test.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "plait/core/view.hpp"
#include "plait/losses/head.hpp"

namespace ranker {

using plait::Index;

// Numbers as they are, categories as the position of their one: a row of the census file is 484
// inputs wide but holds 38 entries, so rows are kept short and widened batch by batch.
struct Features {
  static constexpr int unseen = -1;  // a category without a position: its inputs are all zero

  plait::Matrix<float> dense;  // [rows, dense inputs], the first inputs
  plait::Matrix<int> hot;      // [rows, categories], positions among the one-hot inputs
  Index one_hot_width = 0;     // the inputs after the dense ones

  Index input_dim() const { return dense.cols() + one_hot_width; }
};

struct Dataset {
  std::string description;  // for people: where it comes from
  std::vector<plait::Head> heads;
  Features features;
  plait::Matrix<float> labels;  // [rows, task]
  std::vector<Index> train;
  std::vector<Index> validation;
  std::vector<Index> test;
};

// Writes the inputs of the chosen rows to x [rows, 1, input_dim].
void gather(const Features& features, std::span<const Index> rows, plait::View3<float> x);

// Writes the labels [rows, task] of the chosen rows to y [rows, 1, task].
void gather(const plait::Matrix<float>& labels, std::span<const Index> rows, plait::View3<float> y);

}  // namespace ranker
