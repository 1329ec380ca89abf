// Network: a layer of any type behind one type, a value.
//
//   Network<float> expert = MLP<float>(table, "expert", 256, {128});
//
// Everything above the layers (levels, models, training, scoring, files) is written against it and
// so compiled once, whatever the architecture and whoever wrote its parts. A pass costs one virtual
// call, 2 ns beside the microseconds of the smallest tile; no layer of that size was ever inlined
// into its caller. What is asked often, shapes and properties, is kept beside the pointer.
//
// Copies share the layer, which is constant. A Network is a Layer with all that is optional for
// one; where the layer inside lacks a part, it does what core/layer.hpp and core/reach.hpp do.
#pragma once
#include <concepts>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "plait/core/drawn_routes.hpp"
#include "plait/core/layer.hpp"
#include "plait/core/reach.hpp"
#include "plait/core/view_argument.hpp"
#include "plait/core/watch.hpp"

namespace plait {

template <class Scalar_>
class Network {
  // Some layer's workspace.
  struct Recorded {
    virtual ~Recorded() = default;
  };

 public:
  using Scalar = Scalar_;
  using Values = ParamView<Scalar>;
  using In = ViewArgument<const Scalar>;
  using Out = ViewArgument<Scalar>;

  // The workspace of the layer inside, allocated by its first forward. A copy starts empty.
  class Workspace {
   public:
    Workspace() = default;
    Workspace(const Workspace&) {}
    Workspace& operator=(const Workspace&) { return *this; }
    Workspace(Workspace&&) = default;
    Workspace& operator=(Workspace&&) = default;

   private:
    friend class Network;
    std::unique_ptr<Recorded> recorded_;
    const void* of_ = nullptr;  // the layer whose forward was the last
  };

  template <class L>
  requires(!std::same_as<L, Network> && Layer<L> && std::same_as<typename L::Scalar, Scalar>)
      Network(L layer)
      : in_(layer.in_shape()),
        out_(layer.out_shape()),
        num_outputs_(plait::num_outputs(layer)),
        is_identity_(plait::is_identity(layer)),
        ends_in_relu_(plait::ends_in_relu(layer)),
        drops_experts_(plait::drops_experts(layer)),
        draws_(plait::draws(layer)) {
    held_ = std::make_shared<const Holder<L>>(std::move(layer));
  }

  Shape in_shape() const { return in_; }
  Shape out_shape() const { return out_; }
  Index num_outputs() const { return num_outputs_; }
  bool is_identity() const { return is_identity_; }
  bool ends_in_relu() const { return ends_in_relu_; }
  bool drops_experts() const { return drops_experts_; }
  bool draws() const { return draws_; }

  // The layer inside if it is an L, else null.
  template <Layer L>
  const L* target() const {
    const auto* holder = dynamic_cast<const Holder<L>*>(held_.get());
    return holder == nullptr ? nullptr : &holder->layer;
  }

  void forward(Values theta, In x, Out y, Workspace* workspace, Scratch& scratch,
               const ForwardOptions& options = {}) const {
    if (workspace == nullptr) return held_->forward(theta, x, y, nullptr, scratch, options);
    if (workspace->of_ != held_.get()) {
      held_->prepare(workspace->recorded_);
      workspace->of_ = held_.get();
    }
    held_->forward(theta, x, y, workspace->recorded_.get(), scratch, options);
  }
  void backward(Values theta, In x, In y, In dy, Out dx, const Workspace& workspace,
                GradView<Scalar> grad, Scratch& scratch, BackwardOptions options = {}) const {
    held_->backward(theta, x, y, dy, dx, recorded(workspace), grad, scratch, options);
  }
  void backward(Values theta, In x, In y, In dy, Out dx, const Workspace& workspace,
                GradView<Scalar> grad, Scratch& scratch, Flags live) const {
    held_->backward(theta, x, y, dy, dx, recorded(workspace), grad, scratch, live);
  }

  bool reach(Flags live, std::span<bool> live_in, MarkRange mark, Scratch& scratch) const {
    return held_->reach(live, live_in, mark, scratch);
  }
  bool visit_input_linears(VisitLinear visit) const { return held_->visit_input_linears(visit); }
  // Nothing for a layer that cannot be watched.
  std::vector<WatchedLevel> watched() const { return held_->watched(); }
  void watch(Values theta, const Workspace& workspace, Scratch& scratch,
             ShowLevel<Scalar> show) const {
    held_->watch(theta, recorded(workspace), scratch, show);
  }
  // Empty for a layer that draws no routes, or does not tell.
  DrawnRoutes drawn_routes(Values theta) const { return held_->drawn_routes(theta); }

 private:
  struct Interface {
    virtual ~Interface() = default;
    virtual void prepare(std::unique_ptr<Recorded>&) const = 0;
    virtual void forward(Values, In x, Out y, Recorded*, Scratch&, const ForwardOptions&) const = 0;
    virtual void backward(Values, In x, In y, In dy, Out dx, const Recorded&, GradView<Scalar>,
                          Scratch&, BackwardOptions) const = 0;
    virtual void backward(Values, In x, In y, In dy, Out dx, const Recorded&, GradView<Scalar>,
                          Scratch&, Flags) const = 0;
    virtual bool reach(Flags, std::span<bool>, MarkRange, Scratch&) const = 0;
    virtual bool visit_input_linears(VisitLinear) const = 0;
    virtual std::vector<WatchedLevel> watched() const = 0;
    virtual void watch(Values, const Recorded&, Scratch&, ShowLevel<Scalar>) const = 0;
    virtual DrawnRoutes drawn_routes(Values) const = 0;
  };

  template <class L>
  struct RecordedBy final : Recorded {
    typename L::Workspace workspace;
  };

  template <class L>
  struct Holder final : Interface {
    explicit Holder(L wrapped) : layer(std::move(wrapped)) {}

    static const typename L::Workspace& of(const Recorded& recorded) {
      return static_cast<const RecordedBy<L>&>(recorded).workspace;
    }
    // One that has served a layer of the same type serves this one.
    void prepare(std::unique_ptr<Recorded>& recorded) const override {
      if (dynamic_cast<RecordedBy<L>*>(recorded.get()) == nullptr)
        recorded = std::make_unique<RecordedBy<L>>();
    }
    void forward(Values theta, In x, Out y, Recorded* recorded, Scratch& scratch,
                 const ForwardOptions& options) const override {
      auto* workspace =
          recorded == nullptr ? nullptr : &static_cast<RecordedBy<L>*>(recorded)->workspace;
      plait::forward(layer, theta, x, y, workspace, scratch, options);
    }
    void backward(Values theta, In x, In y, In dy, Out dx, const Recorded& recorded,
                  GradView<Scalar> grad, Scratch& scratch, BackwardOptions options) const override {
      plait::backward(layer, theta, x, y, dy, dx, of(recorded), grad, scratch, options);
    }
    void backward(Values theta, In x, In y, In dy, Out dx, const Recorded& recorded,
                  GradView<Scalar> grad, Scratch& scratch, Flags live) const override {
      plait::backward(layer, theta, x, y, dy, dx, of(recorded), grad, scratch, live);
    }
    bool reach(Flags live, std::span<bool> live_in, MarkRange mark,
               Scratch& scratch) const override {
      return plait::reach(layer, live, live_in, mark, scratch);
    }
    bool visit_input_linears(VisitLinear visit) const override {
      return plait::visit_input_linears(layer, visit);
    }
    std::vector<WatchedLevel> watched() const override {
      if constexpr (Watchable<L>) {
        return layer.watched();
      } else {
        return {};
      }
    }
    void watch([[maybe_unused]] Values theta, [[maybe_unused]] const Recorded& recorded,
               [[maybe_unused]] Scratch& scratch,
               [[maybe_unused]] ShowLevel<Scalar> show) const override {
      if constexpr (Watchable<L>) layer.watch(theta, of(recorded), scratch, show);
    }
    DrawnRoutes drawn_routes([[maybe_unused]] Values theta) const override {
      if constexpr (TellsDrawnRoutes<L>) {
        return layer.drawn_routes(theta);
      } else {
        return {};
      }
    }

    L layer;
  };

  const Recorded& recorded(const Workspace& workspace) const {
    PLAIT_ASSERT(workspace.of_ == held_.get());
    return *workspace.recorded_;
  }

  Shape in_;
  Shape out_;
  Index num_outputs_;
  bool is_identity_;
  bool ends_in_relu_;
  bool drops_experts_;
  bool draws_;
  std::shared_ptr<const Interface> held_;
};

static_assert(TellsReach<Network<float>> && TakesBackwardOptions<Network<float>> &&
              TakesForwardOptions<Network<float>> && Watchable<Network<float>> &&
              TellsDrawnRoutes<Network<float>>);

}  // namespace plait
