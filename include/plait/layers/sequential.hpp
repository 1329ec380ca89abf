// Sequential: layers one after the other, each reading the previous one's output.
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/network.hpp"
#include "plait/core/reach.hpp"
#include "plait/core/workspace.hpp"

namespace plait {

template <class Scalar_>
class Sequential {
 public:
  using Scalar = Scalar_;
  struct Workspace {
    std::vector<typename Network<Scalar>::Workspace> layers;
    std::vector<Tensor<Scalar>> states;  // outputs of all layers but the last
  };

  // The layers share one ParamTable. Throws ConfigError for none, ShapeError when one does not fit
  // onto the previous.
  explicit Sequential(std::vector<Network<Scalar>> layers) : layers_(std::move(layers)) {
    require_config(!layers_.empty(), "Sequential", "layers", "none", "at least one");
    for (std::size_t i = 1; i < layers_.size(); ++i) {
      const Shape out = layers_[i - 1].out_shape();
      const Shape in = layers_[i].in_shape();
      if (out != in)
        throw ShapeError("Sequential", text("input of layer ", i),
                         text(out.slots, " slots of ", out.dim),
                         text(in.slots, " slots of ", in.dim));
    }
  }

  Shape in_shape() const { return layers_.front().in_shape(); }
  Shape out_shape() const { return layers_.back().out_shape(); }
  Index num_outputs() const { return layers_.back().num_outputs(); }
  bool drops_experts() const {
    return std::ranges::any_of(layers_, &Network<Scalar>::drops_experts);
  }
  bool draws() const { return std::ranges::any_of(layers_, &Network<Scalar>::draws); }
  bool visit_input_linears(VisitLinear visit) const {
    return layers_.front().visit_input_linears(visit);
  }
  const Network<Scalar>& layer(std::size_t i) const { return layers_[i]; }

  // As core/reach.hpp has it.
  bool reach(Flags live, std::span<bool> live_in, MarkRange mark, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    bool tells = true;
    for (std::size_t i = layers_.size(); i-- > 0;) {
      const std::span<bool> state =
          i == 0 ? live_in : take_flags(scratch, layers_[i].in_shape().slots);
      tells = layers_[i].reach(live, state, mark, scratch) && tells;
      if (i > 0) live = outputs_of(i - 1, state, scratch);
    }
    return tells;
  }

  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace* workspace, Scratch& scratch, const ForwardOptions& options = {}) const {
    const Scratch::Frame frame(scratch);
    if (workspace != nullptr) {
      workspace->layers.resize(layers_.size());
      workspace->states.resize(layers_.size() - 1);
    }
    ForwardOptions own = options;
    View3<const Scalar> input = x;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      own.draws.layer = options.draws.layer * std::ssize(layers_) + static_cast<Index>(i);
      const Shape shape = layers_[i].out_shape();
      View3<Scalar> output = y;
      if (i + 1 < layers_.size())
        output = keep_slot_major(part(workspace, &Workspace::states, i), scratch, x.batch(),
                                 shape.slots, shape.dim);
      layers_[i].forward(theta, input, output, part(workspace, &Workspace::layers, i), scratch,
                         own);
      input = output;
    }
  }

  void backward(ParamView<Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                GradView<Scalar> grad, Scratch& scratch, Flags live = {}) const {
    const Scratch::Frame frame(scratch);
    View3<const Scalar> output = y;
    View3<const Scalar> upstream = dy;
    for (std::size_t i = layers_.size(); i-- > 0;) {
      const Network<Scalar>& layer = layers_[i];
      const View3<const Scalar> input = i == 0 ? x : workspace.states[i - 1].slot_major();
      const View3<Scalar> dinput =
          i == 0 ? dx : scratch.take_slot_major<Scalar>(x.batch(), input.slots(), input.dim());
      layer.backward(theta, input, output, upstream, dinput, workspace.layers[i], grad, scratch,
                     live);
      if (i > 0 && !live.empty()) {
        const std::span<bool> below = take_flags(scratch, input.slots());
        layer.reach(
            live, below, [](const ParamRange&) {}, scratch);
        live = outputs_of(i - 1, below, scratch);
      }
      output = input;
      upstream = dinput;
    }
  }

 private:
  // Which outputs of layer i have a gradient, from the slots that have one: all where several share
  // a slot.
  Flags outputs_of(std::size_t i, Flags slots, Scratch& scratch) const {
    const Index outputs = layers_[i].num_outputs();
    if (std::ssize(slots) == outputs) return slots;
    const std::span<bool> all = take_flags(scratch, outputs);
    std::ranges::fill(all, true);
    return all;
  }

  std::vector<Network<Scalar>> layers_;
};

static_assert(TellsReach<Sequential<float>> && TakesForwardOptions<Sequential<float>>);

}  // namespace plait
