// InputSplit: the input's columns in two parts, those that are equal for all rows of a request and
// those that differ, and the weights that read the input packed apart for each.
//
//   x Wᵀ + b = x_rows W_rowsᵀ + (x_shared W_sharedᵀ + b)
//
// A ranking request scores many candidates of one user: the bracket is computed once for all of
// them.
#pragma once
#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "plait/core/buffer.hpp"
#include "plait/core/error.hpp"
#include "plait/core/layer.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/kernels/linear.hpp"
#include "plait/kernels/packed_weights.hpp"

namespace plait {

template <class Scalar>
class InputSplit {
 public:
  // `shared` are the columns that are equal for a whole request; the rest, in order, are the rows'.
  // Throws ConfigError unless there is at least one column in both parts, each named once, the
  // input has one slot, and the network reads it through linear layers alone (a user's own expert
  // that does not say so with visit_input_linears cannot be split).
  template <Layer L>
  PLAIT_COLD InputSplit(const L& network, const ParamBuffer<Scalar>& values,
                        std::vector<Index> shared, std::vector<bool> in_bf16 = {})
      : in_bf16_(std::move(in_bf16)),
        shared_(std::move(shared)),
        input_dim_(network.in_shape().dim) {
    require_config(network.in_shape().slots == 1, "Scorer", "shared_inputs",
                   text("an input of ", network.in_shape().slots, " slots"), "one slot");
    std::vector<bool> is_shared(static_cast<std::size_t>(input_dim_), false);
    for (const Index column : shared_) {
      const bool known = 0 <= column && column < input_dim_;
      require_config(known && !is_shared[static_cast<std::size_t>(column)], "Scorer",
                     "shared_inputs", text("column ", column),
                     text("columns below ", input_dim_, ", each once"));
      is_shared[static_cast<std::size_t>(column)] = true;
    }
    for (Index column = 0; column < input_dim_; ++column)
      if (!is_shared[static_cast<std::size_t>(column)]) own_.push_back(column);
    require_config(!shared_.empty() && !own_.empty(), "Scorer", "shared_inputs",
                   text(shared_.size(), " of ", input_dim_, " columns"), "some, but not all");

    const bool all_linear = visit_input_linears(network, [&](const LinearIds& linear) {
      const Index outputs = linear.weight.rows;
      parts_.push_back({linear.weight, linear.bias, {}, {}, starts_size_});
      starts_size_ += outputs;
      const PackedFormat format = format_of(linear.weight);
      panels_size_ += kernels::packed_size<Scalar>(set_, format, outputs, num_shared()) +
                      kernels::packed_size<Scalar>(set_, format, outputs, num_own());
    });
    require_config(all_linear, "Scorer", "shared_inputs", "a layer that reads the input otherwise",
                   "layers that read it through linear layers");
    pack(values);
  }

  InputSplit(const InputSplit&) = delete;  // parts_ points into panels_
  InputSplit& operator=(const InputSplit&) = delete;

  // Takes the values of the weights anew; everything stays where it is.
  PLAIT_COLD void pack(const ParamBuffer<Scalar>& values) {
    panels_.resize(static_cast<std::size_t>(panels_size_));
    Scalar* next = panels_.data();
    const auto pack_columns = [&](ParamId weight, std::span<const Index> columns) {
      Matrix<Scalar> part(weight.rows, std::ssize(columns));
      for (Index j = 0; j < part.cols(); ++j)
        part.col(j) = values.view().matrix(weight).col(columns[static_cast<std::size_t>(j)]);
      const PackedFormat format = format_of(weight);
      const MatrixMap<const Scalar> columns_of_weight(part.data(), part.rows(), part.cols(),
                                                      Eigen::OuterStride<>(part.cols()));
      const auto packed = kernels::pack_weight<Scalar>(set_, format, columns_of_weight, next);
      next += kernels::packed_size<Scalar>(set_, format, part.rows(), part.cols());
      return packed;
    };
    for (Part& part : parts_) {
      part.shared = pack_columns(part.weight, shared_);
      part.own = pack_columns(part.weight, own_);
    }
  }

  Index num_shared() const { return std::ssize(shared_); }
  Index num_own() const { return std::ssize(own_); }
  // Numbers that `start` writes.
  Index starts_size() const { return starts_size_; }

  // Makes a mirror of the table read the rows' columns alone, with sums that start at `starts`.
  void redirect(std::span<PackedWeight<Scalar>> mirror, const Scalar* starts) const {
    for (const Part& part : parts_) {
      auto& entry = mirror[static_cast<std::size_t>(part.weight.index)];
      entry = part.own;
      entry.start = starts + part.start;
    }
  }

  // starts = x_shared W_sharedᵀ + b for every weight that reads the input.
  void start(ParamView<Scalar> values, View3<const Scalar> shared, Scalar* starts) const {
    for (const Part& part : parts_)
      kernels::linear(shared, part.shared, part.bias ? values.data(*part.bias) : nullptr,
                      View3<Scalar>(starts + part.start, 1, 1, part.shared.outputs));
  }

 private:
  struct Part {
    ParamId weight;
    std::optional<ParamId> bias;
    PackedWeight<Scalar> shared;
    PackedWeight<Scalar> own;
    Index start;  // first of its numbers among the starts
  };

  PackedFormat format_of(ParamId weight) const {
    const bool reduced = !in_bf16_.empty() && in_bf16_[static_cast<std::size_t>(weight.index)];
    return reduced ? kernels::bf16_format(set_) : PackedFormat::full;
  }

  InstructionSet set_ = instruction_set();  // that the panels are laid out for
  std::vector<bool> in_bf16_;               // by index in the table; empty: none
  std::vector<Index> shared_;
  std::vector<Index> own_;
  Index input_dim_;
  std::vector<Part> parts_;
  Index starts_size_ = 0;
  Index panels_size_ = 0;
  AlignedVector<Scalar> panels_;
};

}  // namespace plait
