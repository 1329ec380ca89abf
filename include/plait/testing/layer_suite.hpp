// Layer suite: the contract of core/layer.hpp, clause by clause, checked on any layer.
//
//   const auto report = plait::testing::check_layer(layer, theta);
//   if (!report.passed()) ... report.text() ...
//
// What is optional for a layer is checked where it has it: ForwardOptions, BackwardOptions (of
// layers of one slot, which alone are asked for them), reach and the backward of live outputs
// (where outputs are slots), and of a layer that draws what a draw computes. The gradients' values
// are the business of gradcheck.hpp.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/layer.hpp"
#include "plait/core/options.hpp"
#include "plait/core/parallel.hpp"
#include "plait/core/reach.hpp"
#include "plait/kernels/packed_weights.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/testing/data.hpp"
#include "plait/testing/gapped.hpp"

namespace plait::testing {

struct SuiteOptions {
  Index batch = 7;         // the largest one tried; at least 3
  std::uint64_t seed = 1;  // of x, dy and what accumulated gradients start from
  double tolerance = 0;    // where the order of summation differs; 0: 64 units of rounding · batch
  Executor* executor = nullptr;  // null: concurrent calls are not tried
  // Allocations so far; empty: not tried. Should count malloc too: Eigen's temporaries use it.
  std::function<std::size_t()> count_allocations{};
};

// A clause that a layer breaks.
struct Violation {
  std::string clause;
  std::string text;
};

struct SuiteReport {
  std::vector<Violation> violations;

  bool passed() const { return violations.empty(); }
  bool breaks(const std::string& clause) const {
    return std::any_of(violations.begin(), violations.end(),
                       [&](const Violation& v) { return v.clause == clause; });
  }
  std::string text() const {
    if (passed()) return "passed";
    std::string result = "failed:";
    for (const auto& violation : violations)
      result += "\n  " + violation.clause + ": " + violation.text;
    return result;
  }
};

template <Layer L>
class LayerSuite {
 public:
  using Scalar = typename L::Scalar;
  using Workspace = typename L::Workspace;

  LayerSuite(const L& layer, const ParamBuffer<Scalar>& theta, const SuiteOptions& options)
      : layer_(layer), theta_(theta), options_(options), random_(options.seed) {
    require_config(options.batch >= 3, "LayerSuite", "batch", plait::text(options.batch),
                   "at least 3");
    if (options_.tolerance == 0)
      options_.tolerance = 64.0 * static_cast<double>(std::numeric_limits<Scalar>::epsilon()) *
                           static_cast<double>(options.batch);
  }

  SuiteReport run() {
    if (!shapes()) return report_;
    for (const Index batch : {Index{0}, Index{1}, Index{3}, options_.batch}) calls(batch);
    if (report_.breaks(outside)) return report_;  // the rest has no gaps to protect the heap
    tiles();
    reuse();
    copies();
    packed();
    broadcast();
    if constexpr (TakesForwardOptions<L>) forward_options();
    if constexpr (TakesBackwardOptions<L>) backward_options();
    if constexpr (TellsReach<L>) live_outputs();
    if (draws(layer_)) {
      drawn();
      asked_.draws = {.seed = options_.seed, .step = 3};
      tiles();
      copies();
      packed();
      if constexpr (TakesBackwardOptions<L>) backward_options();
      if constexpr (TellsReach<L>) live_outputs();
      asked_ = {};
    }
    if (options_.count_allocations) allocations();
    if (options_.executor != nullptr) concurrency();
    return report_;
  }

 private:
  static constexpr const char* outside = "nothing is written outside";
  static constexpr Scalar nan = std::numeric_limits<Scalar>::quiet_NaN();
  static constexpr Scalar canary = Scalar(-8765.4375);

  // What one forward and backward produce.
  struct Result {
    Tensor<Scalar> y;
    Tensor<Scalar> dx;
    ParamBuffer<Scalar> grad;
  };
  struct Batch {
    Tensor<Scalar> x;
    Tensor<Scalar> dy;
  };

  void require(bool condition, const std::string& clause, const std::string& text) {
    if (!condition) report_.violations.push_back({clause, text});
  }
  void require_close(std::span<const Scalar> got, std::span<const Scalar> expected,
                     const std::string& clause, const std::string& what) {
    const double error = distance(got, expected);
    require(error <= options_.tolerance, clause,
            text(what, " differs by ", error, ", tolerance ", options_.tolerance));
  }
  static bool same_bits(std::span<const Scalar> a, std::span<const Scalar> b) {
    return a.size() == b.size() &&
           (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
  }
  static bool has_nan(std::span<const Scalar> numbers) {
    return std::any_of(numbers.begin(), numbers.end(), [](Scalar v) { return std::isnan(v); });
  }
  static std::span<const Scalar> numbers(const ParamBuffer<Scalar>& buffer) {
    return buffer.flat();
  }

  Batch draw(Index batch) {
    return {normal_tensor<Scalar>(batch, layer_.in_shape(), random_),
            normal_tensor<Scalar>(batch, layer_.out_shape(), random_)};
  }
  Result empty_result(Index batch) const {
    const Shape in = layer_.in_shape();
    const Shape out = layer_.out_shape();
    return {Tensor<Scalar>(batch, out.slots, out.dim), Tensor<Scalar>(batch, in.slots, in.dim),
            ParamBuffer<Scalar>(theta_.shared_table())};
  }
  // With the options that are asked for, if any are.
  void run_forward(const L& layer, ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y,
                   Workspace* workspace, Scratch& scratch, Index first_row = 0) const {
    if (!asked_.draws) return layer.forward(theta, x, y, workspace, scratch);
    ForwardOptions options = asked_;
    options.first_row = first_row;
    forward(layer, theta, x, y, workspace, scratch, options);
  }
  void run_into(const L& layer, View3<const Scalar> x, View3<const Scalar> dy, Result& result,
                Workspace& workspace, Scratch& scratch) const {
    run_forward(layer, theta_, x, result.y, &workspace, scratch);
    layer.backward(theta_, x, result.y.view(), dy, result.dx, workspace, result.grad, scratch);
  }
  Result run_once(const L& layer, View3<const Scalar> x, View3<const Scalar> dy) const {
    Result result = empty_result(x.batch());
    Workspace workspace;
    Scratch scratch;
    run_into(layer, x, dy, result, workspace, scratch);
    return result;
  }
  void require_same(Result& got, Result& expected, const std::string& clause,
                    const std::string& when) {
    require(same_bits(flat(got.y), flat(expected.y)), clause, "y changes " + when);
    require(same_bits(flat(got.dx), flat(expected.dx)), clause, "dx changes " + when);
    require(same_bits(got.grad.flat(), expected.grad.flat()), clause, "grad changes " + when);
  }

  bool shapes() {
    const Shape in = layer_.in_shape();
    const Shape out = layer_.out_shape();
    require(in.slots >= 1 && in.dim >= 1, "shapes", text("in_shape ", in.slots, " x ", in.dim));
    require(out.slots >= 1 && out.dim >= 1, "shapes",
            text("out_shape ", out.slots, " x ", out.dim));
    return report_.passed();
  }

  // The clauses on single calls, on views with gaps.
  void calls(Index batch) {
    const std::string at = text(" at batch ", batch);
    Gapped<Scalar> x(batch, layer_.in_shape(), nan);
    Gapped<Scalar> dy(batch, layer_.out_shape(), nan);
    Gapped<Scalar> y(batch, layer_.out_shape(), canary);
    Gapped<Scalar> dx(batch, layer_.in_shape(), canary);
    fill_normal(x.view(), random_);
    fill_normal(dy.view(), random_);
    const auto x_before = x.contents();
    const auto dy_before = dy.contents();
    const ParamBuffer<Scalar> theta = theta_;
    const ParamView<Scalar> values = theta.view();
    Workspace workspace;
    Scratch scratch;

    y.fill(nan);
    layer_.forward(values, x.view(), y.view(), nullptr, scratch);
    const auto alone = y.contents();
    require(!has_nan(alone), "y is overwritten", "NaN in y" + at);
    y.fill(nan);
    layer_.forward(values, x.view(), y.view(), &workspace, scratch);
    const auto recorded = y.contents();
    require(same_bits(alone, recorded), "a workspace does not change y", "y differs" + at);

    const auto backward = [&](ParamBuffer<Scalar>& grad, View3<Scalar> input_gradient) {
      layer_.backward(values, x.view(), y.view(), dy.view(), input_gradient, workspace, grad,
                      scratch);
    };
    ParamBuffer<Scalar> first(theta.shared_table());
    dx.fill(nan);
    backward(first, dx.view());
    const auto dx_first = dx.contents();
    require(!has_nan(dx_first), "dx is overwritten", "NaN in dx" + at);
    require(!has_nan(numbers(first)), "no NaN", "NaN in grad" + at);
    require(padding_is_zero(first), "padding stays zero", "written between tensors of grad" + at);
    if (batch == 0)
      require(same_bits(first.flat(), ParamBuffer<Scalar>(theta.shared_table()).flat()),
              "batch 0 has no gradient", "grad is not zero");

    ParamBuffer<Scalar> second(theta.shared_table());
    dx.fill(nan);
    backward(second, dx.view());
    require(same_bits(dx.contents(), dx_first), "backward runs twice", "dx changes" + at);
    require(same_bits(second.flat(), first.flat()), "backward runs twice", "grad changes" + at);

    ParamBuffer<Scalar> without_dx(theta.shared_table());
    backward(without_dx, {});
    require(same_bits(without_dx.flat(), first.flat()), "dx may be empty", "grad changes" + at);

    ParamBuffer<Scalar> accumulated(theta.shared_table());
    ParamBuffer<Scalar> expected(theta.shared_table());
    for (const auto& entry : theta.table().entries())
      for (std::size_t i = 0; i < accumulated.of(entry.id).size(); ++i) {
        accumulated.of(entry.id)[i] = static_cast<Scalar>(random_.normal());
        expected.of(entry.id)[i] = accumulated.of(entry.id)[i] + first.of(entry.id)[i];
      }
    backward(accumulated, dx.view());
    require_close(accumulated.flat(), expected.flat(), "grad is accumulated", "grad" + at);

    ParamBuffer<Scalar> stale(theta.shared_table());
    for (const auto& entry : theta.table().entries()) std::ranges::fill(stale.of(entry.id), nan);
    std::vector<std::uint8_t> unclaimed(theta.table().entries().size(), 1);
    const auto claimed = GradView<Scalar>::from_anything(stale.flat().data(), unclaimed.data());
    layer_.backward(values, x.view(), y.view(), dy.view(), dx.view(), workspace, claimed, scratch);
    claimed.zero_unclaimed(theta.table());
    require(same_bits(stale.flat(), first.flat()), "grad may start unclaimed", "grad changes" + at);

    // Another pass in between that keeps nothing.
    const Tensor<Scalar> other = normal_tensor<Scalar>(batch, layer_.in_shape(), random_);
    Tensor<Scalar> other_y(batch, layer_.out_shape().slots, layer_.out_shape().dim);
    layer_.forward(values, other, other_y, nullptr, scratch);
    ParamBuffer<Scalar> later(theta.shared_table());
    backward(later, dx.view());
    require(same_bits(later.flat(), first.flat()), "null keeps nothing",
            "grad changes by a pass without a workspace" + at);

    require(same_bits(x.contents(), x_before) && x.gaps_intact(), "arguments are not changed",
            "x is" + at);
    require(same_bits(dy.contents(), dy_before) && dy.gaps_intact(), "arguments are not changed",
            "dy is" + at);
    require(same_bits(y.contents(), recorded), "arguments are not changed",
            "y is, by backward" + at);
    require(same_bits(theta.flat(), theta_.flat()), "arguments are not changed", "theta is" + at);
    require(y.gaps_intact(), outside, "between the rows of y" + at);
    require(dx.gaps_intact(), outside, "between the rows of dx" + at);
  }

  bool padding_is_zero(const ParamBuffer<Scalar>& buffer) const {
    ParamBuffer<Scalar> rest = buffer;
    for (const auto& entry : buffer.table().entries())
      for (Scalar& number : rest.of(entry.id)) number = 0;
    const auto all = numbers(rest);
    return std::all_of(all.begin(), all.end(), [](Scalar v) { return v == 0; });
  }

  // Row tiles of a batch give the rows of y and dx, and sum to grad.
  void tiles() {
    const Index batch = options_.batch;
    Batch data = draw(batch);
    Result whole = run_once(layer_, data.x, data.dy);
    Result tiled = empty_result(batch);
    Workspace workspace;
    Scratch scratch;
    for (Index first = 0; first < batch; first += 3) {
      const Index count = (std::min)(Index{3}, batch - first);
      const View3<const Scalar> x = data.x.view().rows(first, count);
      const View3<const Scalar> dy = data.dy.view().rows(first, count);
      const View3<Scalar> y = tiled.y.view().rows(first, count);
      run_forward(layer_, theta_, x, y, &workspace, scratch, first);
      layer_.backward(theta_, x, y, dy, tiled.dx.view().rows(first, count), workspace, tiled.grad,
                      scratch);
    }
    const std::string clause = "tiles of a batch give the whole";
    require_close(flat(tiled.y), flat(whole.y), clause, "y");
    require_close(flat(tiled.dx), flat(whole.dx), clause, "dx");
    require_close(tiled.grad.flat(), whole.grad.flat(), clause, "grad");
  }

  // One workspace and scratch through a large, a small and a large batch.
  void reuse() {
    Workspace workspace;
    Scratch scratch;
    for (const Index batch : {options_.batch, Index{1}, options_.batch, Index{0}, Index{3}}) {
      Batch data = draw(batch);
      Result fresh = run_once(layer_, data.x, data.dy);
      Result reused = empty_result(batch);
      run_into(layer_, data.x, data.dy, reused, workspace, scratch);
      require_same(reused, fresh, "workspace serves any batch",
                   text("in a used workspace at batch ", batch));
    }
  }

  // A copy works alone and after the original is gone.
  void copies() {
    Batch data = draw(3);
    Result expected = run_once(layer_, data.x, data.dy);
    std::optional<L> original(layer_);
    const L copy(*original);
    original.reset();
    Result got = run_once(copy, data.x, data.dy);
    require_same(got, expected, "copies are equal", "in a copy");
  }

  // Weights packed before give the bits of plain ones.
  void packed() {
    PackedWeights<Scalar> mirror(theta_.table());
    mirror.pack(theta_);
    const ParamView<Scalar> theta = mirror.view(theta_);
    const std::string clause = "packed weights give the same bits";
    for (const Index batch : {Index{1}, options_.batch}) {
      Batch data = draw(batch);
      Result expected = run_once(layer_, data.x, data.dy);
      Result got = empty_result(batch);
      Workspace workspace;
      Scratch scratch;
      run_forward(layer_, theta, data.x, got.y, nullptr, scratch);
      require(same_bits(flat(got.y), flat(expected.y)), clause,
              text("y without a workspace at batch ", batch));
      run_forward(layer_, theta, data.x, got.y, &workspace, scratch);
      layer_.backward(theta, data.x, got.y.view(), data.dy, got.dx, workspace, got.grad, scratch);
      require_same(got, expected, clause, text("at batch ", batch));
    }
  }

  // Options that ask for nothing.
  void forward_options() {
    const Batch data = draw(options_.batch);
    Result expected = run_once(layer_, data.x, data.dy);
    Result got = empty_result(options_.batch);
    Workspace workspace;
    Scratch scratch;
    const std::string clause = "default options change nothing";
    layer_.forward(theta_, data.x, got.y, nullptr, scratch, ForwardOptions());
    require(same_bits(flat(got.y), flat(expected.y)), clause, "y changes without a workspace");
    layer_.forward(theta_, data.x, got.y, &workspace, scratch, ForwardOptions());
    layer_.backward(theta_, data.x, got.y.view(), data.dy, got.dx, workspace, got.grad, scratch);
    require_same(got, expected, clause, "with them");
  }

  // What core/options.hpp asks of a layer that takes them.
  void backward_options() {
    if (layer_.in_shape().slots != 1) return;
    const Batch data = draw(options_.batch);
    Result expected = run_once(layer_, data.x, data.dy);
    Result got = empty_result(options_.batch);
    Workspace workspace;
    Scratch scratch;
    const auto backward = [&](View3<const Scalar> dy, BackwardOptions options) {
      got.grad.set_zero();
      run_forward(layer_, theta_, data.x, got.y, &workspace, scratch);
      layer_.backward(theta_, data.x, got.y.view(), dy, got.dx, workspace, got.grad, scratch,
                      options);
    };
    Tensor<Scalar> sum = normal_tensor<Scalar>(options_.batch, layer_.in_shape(), random_);
    kernels::copy(sum.view(), got.dx.view());
    kernels::add(expected.dx.view(), sum.view());
    backward(data.dy, {.adds_to_dx = true});
    require_close(flat(got.dx), flat(sum), "adds to dx on request", "dx");
    require_close(got.grad.flat(), expected.grad.flat(), "adds to dx on request", "grad");

    if (!ends_in_relu(layer_)) return;
    Tensor<Scalar> masked = data.dy;
    for (Index s = 0; s < masked.view().slots(); ++s)
      for (Index b = 0; b < options_.batch; ++b)
        for (Index d = 0; d < masked.view().dim(); ++d)
          if (!(expected.y.view()(b, s, d) > 0)) masked.view()(b, s, d) = 0;
    backward(masked, {.passed_last_relu = true});
    require_close(flat(got.dx), flat(expected.dx), "ends in a ReLU", "dx");
    require_close(got.grad.flat(), expected.grad.flat(), "ends in a ReLU", "grad");
  }

  // What core/reach.hpp asks of a layer that tells: every output alone, and all of them.
  void live_outputs() {
    const Index outputs = num_outputs(layer_);
    const bool slots = outputs == layer_.out_shape().slots;
    Scratch scratch;
    const Scratch::Frame frame(scratch);
    const std::span<bool> live = take_flags(scratch, outputs);
    for (Index o = 0; slots && o < outputs; ++o) {
      std::ranges::fill(live, false);
      live[static_cast<std::size_t>(o)] = true;
      backward_of_live(live, text("of output ", o));
    }
    std::ranges::fill(live, true);
    backward_of_live(live, "of all outputs");
  }
  void backward_of_live(Flags live, const std::string& what) {
    Batch data = draw(options_.batch);
    const auto fill_others = [&](Scalar value) {
      for (Index s = 0; std::ssize(live) == data.dy.slots() && s < data.dy.slots(); ++s)
        if (!live[static_cast<std::size_t>(s)]) data.dy.view().of_slot(s).setConstant(value);
    };
    fill_others(0);
    Result expected = empty_result(options_.batch);
    Result got = empty_result(options_.batch);
    Workspace workspace;
    Scratch scratch;
    run_into(layer_, data.x, data.dy, expected, workspace, scratch);

    const Scratch::Frame frame(scratch);
    const std::span<bool> live_in = take_flags(scratch, layer_.in_shape().slots);
    ParamBuffer<Scalar> beyond = expected.grad;
    const auto mark = [&](const ParamRange& range) {
      std::fill_n(beyond.flat().begin() + range.offset, range.size, Scalar(0));
    };
    const bool tells = layer_.reach(live, live_in, mark, scratch);
    const std::string clause = "reach is all that there is";
    if (tells)
      require(std::ranges::all_of(beyond.flat(), [](Scalar v) { return v == 0; }), clause,
              "parameters beyond it have a gradient " + what);
    for (Index s = 0; s < expected.dx.slots(); ++s)
      require(live_in[static_cast<std::size_t>(s)] || expected.dx.view().of_slot(s).isZero(0),
              clause, text("slot ", s, " beyond it has a gradient ", what));

    fill_others(nan);
    const auto backward = [&](View3<Scalar> dx) {
      got.grad.set_zero();
      layer_.backward(theta_, data.x, expected.y.view(), data.dy, dx, workspace, got.grad, scratch,
                      live);
      require_close(got.grad.flat(), expected.grad.flat(), "backward of live outputs alone",
                    text("grad ", what, dx ? "" : " without dx"));
    };
    backward({});
    std::ranges::fill(flat(got.dx), nan);  // to be overwritten where it is reached
    backward(got.dx);
    for (Index s = 0; s < got.dx.slots(); ++s)
      if (!live_in[static_cast<std::size_t>(s)])
        kernels::copy<Scalar>(expected.dx.view().slot(s), got.dx.view().slot(s));
    require_close(flat(got.dx), flat(expected.dx), "backward of live outputs alone", "dx " + what);
  }

  // Whatever is drawn, y does not depend on the workspace, and nothing is allocated for it.
  void drawn() {
    Workspace workspace;
    Scratch scratch;
    const Batch data = draw(options_.batch);
    Result with = empty_result(options_.batch), without = empty_result(options_.batch);
    const auto pass = [&](Index step) {
      const ForwardOptions options{.draws = {.seed = options_.seed, .step = step}};
      forward(layer_, theta_.view(), data.x.view(), without.y.view(), nullptr, scratch, options);
      forward(layer_, theta_.view(), data.x.view(), with.y.view(), &workspace, scratch, options);
      layer_.backward(theta_, data.x, with.y.view(), data.dy, with.dx, workspace, with.grad,
                      scratch);
    };
    for (Index step = -1; step < 16; ++step) {
      const std::size_t before = options_.count_allocations ? options_.count_allocations() : 0;
      pass(step);
      const std::size_t after = options_.count_allocations ? options_.count_allocations() : 0;
      require(same_bits(flat(with.y), flat(without.y)), "the same without a workspace",
              text("y of step ", step, " differs"));
      require(step < 0 || after == before, "no allocation once warm",
              text(after - before, " in step ", step));
    }
  }

  void allocations() {
    allocations_alone();
    Workspace workspace;
    Scratch scratch;
    bool warm = false;
    for (const Index batch : {options_.batch, options_.batch, Index{3}, Index{1}, Index{0}}) {
      Batch data = draw(batch);
      Result result = empty_result(batch);
      const std::size_t before = options_.count_allocations();
      layer_.forward(theta_, data.x, result.y, nullptr, scratch);
      run_into(layer_, data.x, data.dy, result, workspace, scratch);
      const std::size_t count = options_.count_allocations() - before;
      require(!warm || count == 0, "no allocation once warm",
              text(count, " at batch ", batch, " after a call at batch ", options_.batch));
      warm = true;
    }
  }
  // A pass without a workspace works on scratch, which is all that is warm here.
  void allocations_alone() {
    Scratch scratch;
    bool warm = false;
    for (const Index batch : {options_.batch, options_.batch, Index{1}}) {
      Batch data = draw(batch);
      Result result = empty_result(batch);
      const std::size_t before = options_.count_allocations();
      layer_.forward(theta_, data.x, result.y, nullptr, scratch);
      const std::size_t count = options_.count_allocations() - before;
      require(!warm || count == 0, "no allocation once warm",
              text(count, " without a workspace at batch ", batch));
      warm = true;
    }
  }

  // A stride of 0 between slots: one input for all of them.
  void broadcast() {
    const Shape in = layer_.in_shape();
    const Tensor<Scalar> one = normal_tensor<Scalar>(options_.batch, {1, in.dim}, random_);
    const View3<const Scalar> shown = one.view().broadcast(in.slots);
    Tensor<Scalar> copied(options_.batch, in.slots, in.dim);
    kernels::copy(shown, copied.view());
    const Batch data = draw(options_.batch);
    Result expected = run_once(layer_, copied, data.dy);
    Result got = run_once(layer_, shown, data.dy);
    require_close(flat(got.y), flat(expected.y), "an input may be a broadcast", "y");
    require_close(flat(got.dx), flat(expected.dx), "an input may be a broadcast", "dx");
    require_close(got.grad.flat(), expected.grad.flat(), "an input may be a broadcast", "grad");
  }

  void concurrency() {
    constexpr Index lanes = 4;
    Batch data = draw(options_.batch);
    Result expected = run_once(layer_, data.x, data.dy);
    std::vector<Result> results(lanes, empty_result(options_.batch));
    auto task = [&](Index lane) {
      Workspace workspace;
      Scratch scratch;
      Result& result = results[static_cast<std::size_t>(lane)];
      for (int round = 0; round < 8; ++round) {
        result.grad.set_zero();
        layer_.forward(theta_, data.x, result.y, nullptr, scratch);
        run_into(layer_, data.x, data.dy, result, workspace, scratch);
      }
    };
    options_.executor->run(lanes, task);
    for (auto& result : results)
      require_same(result, expected, "concurrent calls are safe", "beside other threads");
  }

  const L& layer_;
  const ParamBuffer<Scalar>& theta_;
  SuiteOptions options_;
  ForwardOptions asked_{};  // of a layer that draws, to see it do so
  Random random_;
  SuiteReport report_;
};

// Checks every clause. theta is over the table that the layer was built on.
template <Layer L>
SuiteReport check_layer(const L& layer, const ParamBuffer<typename L::Scalar>& theta,
                        const SuiteOptions& options = {}) {
  return LayerSuite<L>(layer, theta, options).run();
}

}  // namespace plait::testing
