// Sequential: layers one after the other, each reading the previous one's output.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <tuple>
#include <utility>

#include "plait/core/error.hpp"
#include "plait/core/layer.hpp"
#include "plait/core/reach.hpp"

namespace plait {

template <Layer First, Layer... Rest>
requires(std::same_as<typename First::Scalar, typename Rest::Scalar>&&...) class Sequential {
  static constexpr std::size_t count = 1 + sizeof...(Rest);

 public:
  using Scalar = typename First::Scalar;
  struct Workspace {
    std::tuple<typename First::Workspace, typename Rest::Workspace...> layers;
    std::array<Tensor<Scalar>, sizeof...(Rest)> states;  // outputs of all layers but the last
  };

  // The layers share one ParamTable. Throws ShapeError when one does not fit onto the previous.
  explicit Sequential(First first, Rest... rest) : layers_(std::move(first), std::move(rest)...) {
    check_shapes(std::make_index_sequence<count - 1>());
  }

  Shape in_shape() const { return std::get<0>(layers_).in_shape(); }
  Shape out_shape() const { return std::get<count - 1>(layers_).out_shape(); }
  template <class F>
  bool visit_input_linears(const F& f) const {
    return plait::visit_input_linears(layer<0>(), f);
  }
  // Of the last layer.
  Index num_outputs() const { return plait::num_outputs(layer<count - 1>()); }
  // As core/reach.hpp has it.
  template <class Mark>
  bool reach(Flags live, std::span<bool> live_in, const Mark& mark, Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    return reach_from<count - 1>(live, live_in, mark, scratch);
  }
  template <std::size_t I>
  const auto& layer() const {
    return std::get<I>(layers_);
  }

  void infer(ParamView<const Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
             Scratch& scratch) const {
    const Scratch::Frame frame(scratch);
    run_from<false, 0>(theta, x, y, nullptr, scratch);
  }
  void forward(ParamView<const Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
               Workspace& workspace, Scratch& scratch) const {
    run_from<true, 0>(theta, x, y, &workspace, scratch);
  }
  void backward(ParamView<const Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                ParamView<Scalar> grad, Scratch& scratch, Flags live = {}) const {
    const Scratch::Frame frame(scratch);
    back_from<count - 1>(theta, x, y, dy, dx, workspace, grad, scratch, live);
  }

 private:
  template <std::size_t... I>
  void check_shapes(std::index_sequence<I...>) const {
    (check_pair(layer<I>().out_shape(), layer<I + 1>().in_shape(), I + 1), ...);
  }
  static void check_pair(Shape out, Shape in, std::size_t place) {
    if (out == in) return;
    throw ShapeError("Sequential", text("input of layer ", place),
                     text(out.slots, " slots of ", out.dim), text(in.slots, " slots of ", in.dim));
  }

  template <bool Record, std::size_t I>
  void run_from(ParamView<const Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
                Workspace* workspace, Scratch& scratch) const {
    if constexpr (I + 1 == count) {
      run<Record>(layer<I>(), theta, x, y, Record ? &std::get<I>(workspace->layers) : nullptr,
                  scratch);
    } else {
      const Shape shape = layer<I>().out_shape();
      View3<Scalar> state;
      if constexpr (Record) {
        workspace->states[I].resize(x.batch(), shape.slots, shape.dim);
        state = workspace->states[I].slot_major();
      } else {
        state = scratch.take_slot_major<Scalar>(x.batch(), shape.slots, shape.dim);
      }
      run<Record>(layer<I>(), theta, x, state, Record ? &std::get<I>(workspace->layers) : nullptr,
                  scratch);
      run_from<Record, I + 1>(theta, state, y, workspace, scratch);
    }
  }

  template <std::size_t I, class Mark>
  bool reach_from(Flags live, std::span<bool> live_in, const Mark& mark, Scratch& scratch) const {
    if constexpr (I == 0) {
      return plait::reach(layer<0>(), live, live_in, mark, scratch);
    } else {
      const std::span<bool> state = take_flags(scratch, layer<I>().in_shape().slots);
      const bool tells = plait::reach(layer<I>(), live, state, mark, scratch);
      return reach_from<I - 1>(outputs_of<I - 1>(state, scratch), live_in, mark, scratch) && tells;
    }
  }
  // Which outputs of layer I have a gradient, from the slots that have one: all where several share
  // a slot.
  template <std::size_t I>
  Flags outputs_of(Flags slots, Scratch& scratch) const {
    const Index outputs = plait::num_outputs(layer<I>());
    if (std::ssize(slots) == outputs) return slots;
    const std::span<bool> all = take_flags(scratch, outputs);
    std::ranges::fill(all, true);
    return all;
  }

  // Layers I, I - 1, ..., 0; dy is the gradient of layer I's output y.
  template <std::size_t I>
  void back_from(ParamView<const Scalar> theta, View3<const Scalar> x, View3<const Scalar> y,
                 View3<const Scalar> dy, View3<Scalar> dx, const Workspace& workspace,
                 ParamView<Scalar> grad, Scratch& scratch, Flags live) const {
    if constexpr (I == 0) {
      plait::backward(layer<0>(), theta, x, y, dy, dx, std::get<0>(workspace.layers), grad, scratch,
                      live);
    } else {
      const View3<const Scalar> state = workspace.states[I - 1].slot_major();
      const auto dstate = scratch.take_slot_major<Scalar>(x.batch(), state.slots(), state.dim());
      plait::backward(layer<I>(), theta, state, y, dy, dstate, std::get<I>(workspace.layers), grad,
                      scratch, live);
      if (!live.empty()) {
        const std::span<bool> below = take_flags(scratch, state.slots());
        plait::reach(layer<I>(), live, below, detail::AnyMark(), scratch);
        live = outputs_of<I - 1>(below, scratch);
      }
      back_from<I - 1>(theta, x, state, dstate, dx, workspace, grad, scratch, live);
    }
  }

  std::tuple<First, Rest...> layers_;
};

}  // namespace plait
