// The Layer concept: what it accepts and refuses, and the helpers beside it.
#include "plait/core/layer.hpp"

#include "support/catch.hpp"

namespace {

// y = 2 x.
struct Doubling {
  using Scalar = float;
  struct Workspace {};
  plait::Shape shape{1, 2};

  plait::Shape in_shape() const { return shape; }
  plait::Shape out_shape() const { return shape; }
  void forward(plait::ParamView<float>, plait::View3<const float> x, plait::View3<float> y,
               Workspace*, plait::Scratch&) const {
    y.of_slot(0) = 2.0f * x.of_slot(0);
  }
  void backward(plait::ParamView<float>, plait::View3<const float>, plait::View3<const float>,
                plait::View3<const float> dy, plait::View3<float> dx, const Workspace&,
                plait::GradView<float>, plait::Scratch&) const {
    if (dx) dx.of_slot(0) = 2.0f * dy.of_slot(0);
  }
};

// With what is optional for a layer.
struct Telling : Doubling {
  using Doubling::backward;
  using Doubling::forward;
  void forward(plait::ParamView<float>, plait::View3<const float> x, plait::View3<float> y,
               Workspace*, plait::Scratch&, const plait::ForwardOptions& options) const {
    y.of_slot(0) = static_cast<float>(2 + options.expert_dropout.rate) * x.of_slot(0);
  }
  void backward(plait::ParamView<float>, plait::View3<const float>, plait::View3<const float>,
                plait::View3<const float> dy, plait::View3<float> dx, const Workspace&,
                plait::GradView<float>, plait::Scratch&, plait::BackwardOptions options) const {
    if (!dx) return;
    if (!options.adds_to_dx) dx.of_slot(0).setZero();
    dx.of_slot(0) += 2.0f * dy.of_slot(0);
  }
  bool is_identity() const { return true; }
  bool ends_in_relu() const { return true; }
  bool drops_experts() const { return true; }
  bool visit_input_linears(plait::VisitLinear visit) const {
    visit({});
    return true;
  }
};

// Claims without the calls that would make them true.
struct Claiming : Doubling {
  bool ends_in_relu() const { return true; }
  bool drops_experts() const { return true; }
};

// A backward that changes its workspace could not run twice.
struct ConsumesWorkspace : Doubling {
  void backward(plait::ParamView<float>, plait::View3<const float>, plait::View3<const float>,
                plait::View3<const float>, plait::View3<float>, Workspace&, plait::GradView<float>,
                plait::Scratch&) const {}
};

// A forward that changes the layer could not be shared between threads.
struct Stateful : Doubling {
  void forward(plait::ParamView<float>, plait::View3<const float>, plait::View3<float>, Workspace*,
               plait::Scratch&) {}
};

struct NotCopyable : Doubling {
  NotCopyable(const NotCopyable&) = delete;
};

static_assert(plait::Layer<Doubling> && plait::Layer<Telling>);
static_assert(plait::RunsForward<ConsumesWorkspace> && !plait::Layer<ConsumesWorkspace>);
static_assert(plait::RunsBackward<Stateful> && !plait::Layer<Stateful>);
static_assert(!plait::Layer<NotCopyable>);
static_assert(!plait::TakesForwardOptions<Doubling> && plait::TakesForwardOptions<Telling>);
static_assert(!plait::TakesBackwardOptions<Doubling> && plait::TakesBackwardOptions<Telling>);

struct Pass {
  plait::ParamBuffer<float> theta{}, grad{};
  plait::Tensor<float> x{1, 1, 2}, y{1, 1, 2}, dx{1, 1, 2};
  plait::Scratch scratch{};
  Pass() {
    x.view()(0, 0, 1) = 3.0f;
    dx.view()(0, 0, 1) = 1.0f;
  }
  template <class L>
  float forward(const L& layer, const plait::ForwardOptions& options) {
    plait::forward(layer, theta, x, y, nullptr, scratch, options);
    return y.view()(0, 0, 1);
  }
  template <class L>
  float backward(const L& layer, plait::BackwardOptions options) {
    plait::backward(layer, theta, x, y, x, dx, {}, grad, scratch, options);
    return dx.view()(0, 0, 1);
  }
};

}  // namespace

TEST_CASE("a layer is what it says it is, and says nothing unless it can", "[layer]") {
  CHECK_FALSE(plait::is_identity(Doubling()));
  CHECK(plait::is_identity(Telling()));
  CHECK(plait::ends_in_relu(Telling()));
  CHECK_FALSE(plait::ends_in_relu(Claiming()));
  CHECK(plait::drops_experts(Telling()));
  CHECK_FALSE(plait::drops_experts(Claiming()));
  int visits = 0;
  const auto visit = [&](const plait::LinearIds&) { ++visits; };
  CHECK_FALSE(plait::visit_input_linears(Doubling(), visit));
  CHECK(plait::visit_input_linears(Telling(), visit));
  CHECK(visits == 1);
}

TEST_CASE("options of a forward reach a layer that takes them", "[layer]") {
  const plait::ForwardOptions half{.expert_dropout = {.rate = 0.5}};
  CHECK(Pass().forward(Doubling(), half) == 6.0f);
  CHECK(Pass().forward(Telling(), half) == 7.5f);
  CHECK(Pass().forward(Telling(), {}) == 6.0f);
}

TEST_CASE("dx is added to on request, by the layer or for it", "[layer]") {
  CHECK(Pass().backward(Doubling(), {}) == 6.0f);
  CHECK(Pass().backward(Telling(), {}) == 6.0f);
  CHECK(Pass().backward(Doubling(), {.adds_to_dx = true}) == 7.0f);
  CHECK(Pass().backward(Telling(), {.adds_to_dx = true}) == 7.0f);
}
