// How many multiply-adds a model needs per row, counted from its architecture.
//
// Counted are the products of linear layers (experts, gates, towers) and the mixing of experts. A
// product is needed once for inference; in training again for the gradient of the weights and,
// unless it reads the model's input, for that of what it reads. A mixed expert is needed once for
// inference; in training again for the gradient of the expert and for that of its weight, which is
// a gate's or learned. Not counted: biases, activations, softmax, loss and optimizer.
#pragma once
#include <stdexcept>
#include <string>
#include <vector>

#include "plait/core/param_buffer.hpp"
#include "support/reference.hpp"

namespace bench {

// What a linear layer reads: only a state's gradient is needed.
enum class Reads {
  input,     // the model's input
  state,     // what other layers computed
  detached,  // the same behind a stop-gradient
};

class Work {
 public:
  // A linear layer from `in` to `out` that runs `count` times per row.
  Work& linear(Index count, Index in, Index out, Reads what) {
    weights_ += count * in * out;
    if (what == Reads::input) input_weights_ += count * in * out;
    training_ += count * in * out * (what == Reads::state ? 3 : 2);
    return *this;
  }

  // Experts of one level, each with these layers.
  Work& experts(Index count, Index in, const std::vector<Index>& layers, Reads what) {
    for (const Index out : layers) {
      linear(count, in, out, what);
      in = out;
      what = Reads::state;
    }
    return *this;
  }

  // `terms` products of an expert's output and a weight that is gated or learned.
  Work& mixing(Index terms, Index width) {
    mixing_ += terms * width;
    training_ += 3 * terms * width;
    return *this;
  }

  // Gates with `outputs` weights in all, and the mixing of what they weigh.
  Work& gates(Index outputs, Index in, Index width, Reads what) {
    return linear(1, in, outputs, what).mixing(outputs, width);
  }

  // Every task's tower, with one logit.
  Work& towers(Index in) { return experts(sizes::tasks, in, {sizes::tower, 1}, Reads::state); }

  // Multiply-adds per row; reading_input() are those of inference that read the model's input.
  double inference() const { return static_cast<double>(weights_ + mixing_); }
  double reading_input() const { return static_cast<double>(input_weights_); }
  double training() const { return static_cast<double>(training_); }

  // Throws unless the linear layers counted hold as many weights as those of the table.
  void check(const plait::ParamTable& table) const {
    Index weights = 0;
    for (const auto& entry : table.entries())
      if (entry.is_weight) weights += entry.id.size();
    if (weights == weights_) return;
    throw std::logic_error("counted " + std::to_string(weights_) + " weights of " +
                           std::to_string(weights));
  }

 private:
  Index weights_ = 0;
  Index input_weights_ = 0;
  Index mixing_ = 0;
  Index training_ = 0;
};

}  // namespace bench
