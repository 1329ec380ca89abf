// The Layer concept: what it accepts and refuses, and the helpers beside it.
#include "plait/core/layer.hpp"

#include "support/catch.hpp"

namespace {

// y = 2 x. Records that forward ran, so that `run` can be told apart.
struct Doubling {
  using Scalar = float;
  struct Workspace {
    bool recorded = false;
  };
  plait::Shape shape{1, 2};

  plait::Shape in_shape() const { return shape; }
  plait::Shape out_shape() const { return shape; }
  void infer(plait::ParamView<const float>, plait::View3<const float> x, plait::View3<float> y,
             plait::Scratch&) const {
    y.of_slot(0) = 2.0f * x.of_slot(0);
  }
  void forward(plait::ParamView<const float> theta, plait::View3<const float> x,
               plait::View3<float> y, Workspace& workspace, plait::Scratch& scratch) const {
    infer(theta, x, y, scratch);
    workspace.recorded = true;
  }
  void backward(plait::ParamView<const float>, plait::View3<const float>, plait::View3<const float>,
                plait::View3<const float> dy, plait::View3<float> dx, const Workspace&,
                plait::ParamView<float>, plait::Scratch&) const {
    if (dx) dx.of_slot(0) = 2.0f * dy.of_slot(0);
  }
};

struct Configurable : Doubling {
  struct Config {};
  Configurable(plait::ParamTable&, const std::string&, plait::Index, Config) {}
  bool is_identity() const { return true; }
};

// A backward that changes its workspace could not run twice.
struct ConsumesWorkspace : Doubling {
  void backward(plait::ParamView<const float>, plait::View3<const float>, plait::View3<const float>,
                plait::View3<const float>, plait::View3<float>, Workspace&, plait::ParamView<float>,
                plait::Scratch&) const {}
};

// An infer that changes the layer could not be shared between threads.
struct Stateful : Doubling {
  void infer(plait::ParamView<const float>, plait::View3<const float>, plait::View3<float>,
             plait::Scratch&) {}
};

struct NotCopyable : Doubling {
  NotCopyable(const NotCopyable&) = delete;
};

static_assert(plait::Layer<Doubling>);
static_assert(!plait::Body<Doubling>);
static_assert(plait::Body<Configurable>);
static_assert(plait::Inferable<ConsumesWorkspace> && !plait::Layer<ConsumesWorkspace>);
static_assert(!plait::Layer<Stateful>);
static_assert(!plait::Layer<NotCopyable>);

}  // namespace

TEST_CASE("run records only when told to, with the same result", "[layer]") {
  const Doubling layer;
  const plait::ParamBuffer<float> theta;
  plait::Tensor<float> x(1, 1, 2), inferred(1, 1, 2), recorded(1, 1, 2);
  x.view()(0, 0, 1) = 3.0f;
  plait::Scratch scratch;
  Doubling::Workspace workspace;

  plait::run<false>(layer, theta.view(), x, inferred, nullptr, scratch);
  CHECK_FALSE(workspace.recorded);
  plait::run<true>(layer, theta.view(), x, recorded, &workspace, scratch);
  CHECK(workspace.recorded);
  CHECK(inferred.view()(0, 0, 1) == 6.0f);
  CHECK(recorded.view()(0, 0, 1) == 6.0f);
}

TEST_CASE("a layer is the identity only when it says so", "[layer]") {
  plait::ParamTable table;
  CHECK_FALSE(plait::is_identity(Doubling()));
  CHECK(plait::is_identity(Configurable(table, "", 2, {})));
}
