// The layer suite passes a right layer and names the clause that a wrong one breaks.
#include "plait/testing/layer_suite.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "plait/core/counter_random.hpp"
#include "plait/layers/linear.hpp"
#include "plait/testing/build.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

namespace {

using plait::GradView;
using plait::Index;
using plait::ParamBuffer;
using plait::ParamTable;
using plait::ParamView;
using plait::Scratch;
using plait::Shape;
using plait::View3;

enum class Defect {
  none,
  no_slots,
  adds_to_y,
  workspace_changes_y,
  adds_to_dx,
  overwrites_grad,
  skips_grad_without_dx,
  changes_x,
  changes_dy,
  changes_y,
  writes_after_rows,
  writes_before_dx,
  destroys_workspace,
  keeps_first_batch,
  reduces_over_batch,
  scales_by_batch,
  fails_at_batch_one,
  writes_padding,
  gradient_at_batch_zero,
  refers_to_itself,
  wants_a_slot_stride,
  allocates,
  allocates_in_eigen,
  goes_around_grad,
  never_adds_to_dx,
  claims_a_relu,
  drops_by_default,
  keeps_what_is_null,
  allocates_without_workspace,
  draws_by_place_in_tile,
};

// y = x Wᵀ + b from 3 to 2 numbers with one defect.
class Defective {
 public:
  using Scalar = double;
  struct Workspace {
    mutable double scale = 1;  // what the backward of the honest layer would not touch
    Index batch = -1;
  };

  Defective(ParamTable& table, Defect defect)
      : linear_(table, "linear", 3, 2), bias_(table.at("linear.bias").id), defect_(defect) {}
  Defective(const Defective& other)
      : linear_(other.linear_),
        bias_(other.bias_),
        defect_(other.defect_),
        // The original's own member is gone when the copy is used: 0 there would be as wrong.
        factor_(other.defect_ == Defect::refers_to_itself ? 0 : other.factor_) {}
  Defective& operator=(const Defective&) = default;

  Shape in_shape() const { return {is(Defect::no_slots) ? 0 : 1, 3}; }
  Shape out_shape() const { return {1, 2}; }
  bool ends_in_relu() const { return is(Defect::claims_a_relu); }

  bool draws() const { return is(Defect::draws_by_place_in_tile); }

  void forward(ParamView<double> theta, View3<const double> x, View3<double> y,
               Workspace* workspace, Scratch& scratch, const plait::ForwardOptions& options) const {
    forward(theta, x, y, workspace, scratch);
    for (Index b = 0; draws() && options.draws && b < y.batch(); ++b)
      y(b, 0, 0) += stream_of(options.draws).at(static_cast<std::uint64_t>(b)).uniform();
    if (is(Defect::drops_by_default) && y.batch() > 0) y(0, 0, 0) = 0;
  }
  void forward(ParamView<double> theta, View3<const double> x, View3<double> y,
               Workspace* workspace, Scratch& scratch) const {
    const double before = y.batch() > 0 ? y(0, 0, 0) : 0;
    linear_.forward(theta, x, y, nullptr, scratch);
    for (Index b = 0; b < y.batch(); ++b) y.of_slot(0).row(b) *= factor_;
    if (workspace != nullptr) {
      if (is(Defect::destroys_workspace)) workspace->scale = 1;
      if (workspace->batch < 0 || !is(Defect::keeps_first_batch)) workspace->batch = x.batch();
    }
    if (is(Defect::keeps_what_is_null)) last_ = workspace;
    if (y.batch() == 0) return;
    if (is(Defect::workspace_changes_y) && workspace != nullptr) y(0, 0, 0) *= 1 + 1e-15;
    if (is(Defect::adds_to_y)) y(0, 0, 0) += before;
    if (is(Defect::writes_after_rows)) y.row(0)[2] = 1;
    if (is(Defect::reduces_over_batch)) y(0, 0, 0) -= y.of_slot(0).sum();
    if (is(Defect::changes_x)) const_cast<double&>(x(0, 0, 0)) += 1;
    if (is(Defect::fails_at_batch_one) && y.batch() == 1) y(0, 0, 0) = std::nan("");
    if (is(Defect::wants_a_slot_stride) && x.slot_stride() == 0) y(0, 0, 0) += 1;
    if (is(Defect::allocates)) ::operator delete(::operator new(8));
    if (is(Defect::allocates_without_workspace) && workspace == nullptr)
      ::operator delete(::operator new(8));
    if (is(Defect::allocates_in_eigen)) {
      const plait::Matrix<double> copy = 2 * x.of_slot(0);
      y(0, 0, 0) += copy(0, 0) - 2 * x(0, 0, 0);
    }
  }

  void backward(ParamView<double> theta, View3<const double> x, View3<const double> y,
                View3<const double> dy, View3<double> dx, const Workspace& workspace,
                GradView<double> grad, Scratch& scratch,
                plait::BackwardOptions options = {}) const {
    const double before = dx && dx.batch() > 0 ? dx(0, 0, 0) : 0;
    double* const dbias = grad.add_to(bias_).data;
    if (is(Defect::overwrites_grad)) std::fill_n(dbias, 2, 0.0);
    if (is(Defect::skips_grad_without_dx) && !dx) return;
    if (is(Defect::goes_around_grad) && x.batch() > 0)
      dbias[linear_.weight().offset - bias_.offset] += 1;
    options.adds_to_dx = options.adds_to_dx && !is(Defect::never_adds_to_dx);
    linear_.backward(theta, x, y, dy, dx, {}, grad, scratch, {.adds_to_dx = options.adds_to_dx});
    if (is(Defect::writes_padding)) dbias[bias_.size()] += 1;
    if (is(Defect::gradient_at_batch_zero)) dbias[0] += 1;
    if (is(Defect::keeps_what_is_null) && last_ == nullptr) dbias[0] += 1;
    if (x.batch() == 0) return;
    if (is(Defect::adds_to_dx) && dx) dx(0, 0, 0) += before;
    if (is(Defect::changes_dy)) const_cast<double&>(dy(0, 0, 0)) += 1;
    if (is(Defect::changes_y)) const_cast<double&>(y(0, 0, 0)) += 1;
    if (is(Defect::writes_before_dx) && dx) dx.row(0)[-1] = 1;
    if (is(Defect::destroys_workspace)) {
      dbias[0] += workspace.scale;
      workspace.scale = 0;
    }
    if (is(Defect::keeps_first_batch)) dbias[0] += static_cast<double>(workspace.batch - x.batch());
    if (is(Defect::scales_by_batch)) dbias[0] += 1 / static_cast<double>(x.batch());
  }

 private:
  bool is(Defect defect) const { return defect_ == defect; }

  plait::Linear<double> linear_;
  plait::ParamId bias_;
  Defect defect_;
  double factor_ = 1;
  mutable const Workspace* last_ = nullptr;
};
static_assert(plait::Layer<Defective>);

plait::testing::SuiteReport check(Defect defect) {
  auto table = std::make_shared<ParamTable>();
  const Defective layer(*table, defect);  // in its place: one defect is in the copies
  ParamBuffer<double> theta(table);
  plait::Random random(11);
  initialise(theta, random);
  plait::testing::SuiteOptions options;
  options.count_allocations = allocations::count;
  return plait::testing::check_layer(layer, theta, options);
}

}  // namespace

TEST_CASE("suite: a right layer passes") {
  const auto report = check(Defect::none);
  CHECK(report.passed());
  CHECK(report.text() == "passed");
}

TEST_CASE("suite: each defect breaks its clause") {
  const std::pair<Defect, std::string> expected[]{
      {Defect::no_slots, "shapes"},
      {Defect::adds_to_y, "y is overwritten"},
      {Defect::workspace_changes_y, "a workspace does not change y"},
      {Defect::adds_to_dx, "dx is overwritten"},
      {Defect::overwrites_grad, "grad is accumulated"},
      {Defect::skips_grad_without_dx, "dx may be empty"},
      {Defect::changes_x, "arguments are not changed"},
      {Defect::changes_dy, "arguments are not changed"},
      {Defect::changes_y, "arguments are not changed"},
      {Defect::writes_after_rows, "nothing is written outside"},
      {Defect::writes_before_dx, "nothing is written outside"},
      {Defect::destroys_workspace, "backward runs twice"},
      {Defect::keeps_first_batch, "workspace serves any batch"},
      {Defect::reduces_over_batch, "tiles of a batch give the whole"},
      {Defect::scales_by_batch, "tiles of a batch give the whole"},
      {Defect::fails_at_batch_one, "y is overwritten"},
      {Defect::writes_padding, "padding stays zero"},
      {Defect::gradient_at_batch_zero, "batch 0 has no gradient"},
      {Defect::refers_to_itself, "copies are equal"},
      {Defect::wants_a_slot_stride, "an input may be a broadcast"},
      {Defect::allocates, "no allocation once warm"},
      {Defect::allocates_without_workspace, "no allocation once warm"},
#ifndef PLAIT_TEST_SANITIZED  // sanitizers bring their own malloc, which is not counted
      {Defect::allocates_in_eigen, "no allocation once warm"},
#endif
      {Defect::goes_around_grad, "grad may start unclaimed"},
      {Defect::keeps_what_is_null, "null keeps nothing"},
      {Defect::never_adds_to_dx, "adds to dx on request"},
      {Defect::claims_a_relu, "ends in a ReLU"},
      {Defect::drops_by_default, "default options change nothing"},
      {Defect::draws_by_place_in_tile, "tiles of a batch give the whole"},
  };
  for (const auto& [defect, clause] : expected) {
    const auto report = check(defect);
    INFO("defect " << static_cast<int>(defect) << ", " << report.text());
    CHECK(!report.passed());
    CHECK(report.breaks(clause));
  }
}

namespace {

enum class Untold { nothing, parameters, inputs, liveness };

// y_t = x A_tᵀ for two tasks, which tells what a live one reaches, but for `untold`.
class Telling {
 public:
  using Scalar = double;
  struct Workspace {};

  Telling(ParamTable& table, Untold untold)
      : first_(table, "0", 3, 2, false), second_(table, "1", 3, 2, false), untold_(untold) {}

  Shape in_shape() const { return {2, 3}; }
  Shape out_shape() const { return {2, 2}; }
  bool reach(plait::Flags live, std::span<bool> live_in, plait::MarkRange mark, Scratch&) const {
    for (const Index t : {0, 1}) {
      if (!live[static_cast<std::size_t>(t)]) continue;
      const plait::ParamId id = of(t).weight();
      if (untold_ != Untold::parameters) mark({id.offset, id.size()});
      if (untold_ != Untold::inputs) live_in[static_cast<std::size_t>(t)] = true;
    }
    return true;
  }
  void forward(ParamView<double> theta, View3<const double> x, View3<double> y, Workspace*,
               Scratch& scratch) const {
    for (const Index t : {0, 1}) of(t).forward(theta, x.slot(t), y.slot(t), nullptr, scratch);
  }
  void backward(ParamView<double> theta, View3<const double> x, View3<const double> y,
                View3<const double> dy, View3<double> dx, const Workspace&, GradView<double> grad,
                Scratch& scratch, plait::Flags live = {}) const {
    for (const Index t : {0, 1}) {
      const bool skips = !live.empty() && !live[static_cast<std::size_t>(t)];
      if (skips && untold_ != Untold::liveness) continue;
      of(t).backward(theta, x.slot(t), y.slot(t), dy.slot(t), dx ? dx.slot(t) : dx, {}, grad,
                     scratch);
    }
  }

 private:
  const plait::Linear<double>& of(Index t) const { return t == 0 ? first_ : second_; }

  plait::Linear<double> first_;
  plait::Linear<double> second_;
  Untold untold_;
};
static_assert(plait::TellsReach<Telling>);

}  // namespace

TEST_CASE("suite: what a layer says of its reach must be true") {
  const std::pair<Untold, std::string> expected[]{
      {Untold::nothing, ""},
      {Untold::parameters, "reach is all that there is"},
      {Untold::inputs, "reach is all that there is"},
      {Untold::liveness, "backward of live outputs alone"},
  };
  for (const auto& [untold, clause] : expected) {
    const auto built = plait::testing::build<double>(
        11, [untold = untold](ParamTable& table) { return Telling(table, untold); });
    const auto report = plait::testing::check_layer(built.layer, built.theta);
    INFO("untold " << static_cast<int>(untold) << ", " << report.text());
    CHECK(report.passed() == (untold == Untold::nothing));
    if (untold != Untold::nothing) CHECK(report.breaks(clause));
  }
}

TEST_CASE("suite: two threads in one member are found") {
  // Calls add up in a shared member; an executor that overlaps them by turns makes that certain.
  struct Counting : plait::Linear<double> {
    using Linear = plait::Linear<double>;
    explicit Counting(ParamTable& table) : Linear(table, "linear", 3, 2) {}
    void forward(ParamView<double> theta, View3<const double> x, View3<double> y, Workspace*,
                 Scratch& scratch) const {
      Linear::forward(theta, x, y, nullptr, scratch);
      if (overlapped && y.batch() > 0) y(0, 0, 0) += 1;
    }
    mutable bool overlapped = false;
  };
  struct Overlapping : plait::Executor {
    explicit Overlapping(const Counting& counting) : layer(counting) {}
    void run(Index count, plait::IndexTask task) override {
      for (Index i = 0; i < count; ++i) {
        layer.overlapped = i > 0;
        task(i);
      }
      layer.overlapped = false;
    }
    const Counting& layer;
  };
  auto table = std::make_shared<ParamTable>();
  const Counting layer(*table);
  ParamBuffer<double> theta(table);
  plait::Random random(12);
  initialise(theta, random);
  Overlapping executor(layer);
  const auto report = plait::testing::check_layer(layer, theta, {.executor = &executor});
  CHECK(report.breaks("concurrent calls are safe"));
}

TEST_CASE("suite: the report's text") {
  const plait::testing::SuiteReport report{{{"a clause", "how it broke"}, {"another", "so"}}};
  CHECK(!report.passed());
  CHECK(report.breaks("another"));
  CHECK(!report.breaks("third"));
  CHECK(report.text() == "failed:\n  a clause: how it broke\n  another: so");
}
