// A layer of any type behind one type, so that checks written against the Layer concept compile
// once for all layers.
#pragma once
#include <concepts>
#include <functional>
#include <memory>
#include <span>
#include <utility>

#include "plait/core/layer.hpp"
#include "plait/core/reach.hpp"

namespace support {

template <class Scalar_>
class AnyLayer {
 public:
  using Scalar = Scalar_;
  using In = plait::View3<const Scalar>;
  using Out = plait::View3<Scalar>;
  using Values = plait::ParamView<const Scalar>;
  using Gradients = plait::ParamView<Scalar>;
  using Mark = std::function<void(const plait::ParamRange&)>;

 private:
  struct Recorded {
    virtual ~Recorded() = default;
  };

 public:
  // The wrapped layer's workspace, made by its first forward.
  struct Workspace {
    std::unique_ptr<Recorded> held;
  };

  template <class L>
  requires(!std::same_as<L, AnyLayer>) && plait::Layer<L> AnyLayer(L layer)
      : held_(std::make_unique<Holder<L>>(std::move(layer))) {}
  AnyLayer(const AnyLayer& other) : held_(other.held_->clone()) {}
  AnyLayer& operator=(const AnyLayer& other) {
    held_ = other.held_->clone();
    return *this;
  }
  AnyLayer(AnyLayer&&) = default;
  AnyLayer& operator=(AnyLayer&&) = default;

  plait::Shape in_shape() const { return held_->in_shape(); }
  plait::Shape out_shape() const { return held_->out_shape(); }
  void infer(Values theta, In x, Out y, plait::Scratch& scratch) const {
    held_->infer(theta, x, y, scratch);
  }
  void forward(Values theta, In x, Out y, Workspace& workspace, plait::Scratch& scratch) const {
    held_->forward(theta, x, y, workspace, scratch);
  }
  void backward(Values theta, In x, In y, In dy, Out dx, const Workspace& workspace, Gradients grad,
                plait::Scratch& scratch, plait::Flags live = {}) const {
    held_->backward(theta, x, y, dy, dx, *workspace.held, grad, scratch, live);
  }
  // plait::reach of the wrapped layer, which need not tell.
  bool reach(plait::Flags live, std::span<bool> live_in, const Mark& mark,
             plait::Scratch& scratch) const {
    return held_->reach(live, live_in, mark, scratch);
  }
  plait::Index num_outputs() const { return held_->num_outputs(); }

 private:
  struct Interface {
    virtual ~Interface() = default;
    virtual std::unique_ptr<Interface> clone() const = 0;
    virtual plait::Shape in_shape() const = 0;
    virtual plait::Shape out_shape() const = 0;
    virtual void infer(Values, In, Out, plait::Scratch&) const = 0;
    virtual void forward(Values, In, Out, Workspace&, plait::Scratch&) const = 0;
    virtual void backward(Values, In, In, In, Out, const Recorded&, Gradients, plait::Scratch&,
                          plait::Flags) const = 0;
    virtual bool reach(plait::Flags, std::span<bool>, const Mark&, plait::Scratch&) const = 0;
    virtual plait::Index num_outputs() const = 0;
  };

  template <class L>
  struct RecordedBy : Recorded {
    typename L::Workspace workspace;
  };

  template <class L>
  struct Holder final : Interface {
    explicit Holder(L wrapped) : layer(std::move(wrapped)) {}
    std::unique_ptr<Interface> clone() const override { return std::make_unique<Holder>(layer); }
    plait::Shape in_shape() const override { return layer.in_shape(); }
    plait::Shape out_shape() const override { return layer.out_shape(); }
    void infer(Values theta, In x, Out y, plait::Scratch& scratch) const override {
      layer.infer(theta, x, y, scratch);
    }
    void forward(Values theta, In x, Out y, Workspace& workspace,
                 plait::Scratch& scratch) const override {
      if (!workspace.held) workspace.held = std::make_unique<RecordedBy<L>>();
      layer.forward(theta, x, y, static_cast<RecordedBy<L>&>(*workspace.held).workspace, scratch);
    }
    void backward(Values theta, In x, In y, In dy, Out dx, const Recorded& workspace,
                  Gradients grad, plait::Scratch& scratch, plait::Flags live) const override {
      plait::backward(layer, theta, x, y, dy, dx,
                      static_cast<const RecordedBy<L>&>(workspace).workspace, grad, scratch, live);
    }
    bool reach(plait::Flags live, std::span<bool> live_in, const Mark& mark,
               plait::Scratch& scratch) const override {
      return plait::reach(layer, live, live_in, mark, scratch);
    }
    plait::Index num_outputs() const override { return plait::num_outputs(layer); }
    L layer;
  };

  std::unique_ptr<Interface> held_;
};

static_assert(plait::TellsReach<AnyLayer<double>>);

}  // namespace support
