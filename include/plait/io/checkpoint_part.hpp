// CheckpointPart: an object that runs beside model and optimizer and goes on with them, by a name.
//
//   const CheckpointParts<float> parts{{"balancer", balancer}, {"stopping", stopping}};
//   checkpoints.resume(trainer, progress, parts);
//   checkpoints.save(trainer, progress, parts);
//
// Parts may be a GradientBalancer, LossWeighting, EarlyStopping, WeightAverage, GradientMean or
// Random, a std::array<double, N>, a std::vector<double> of any length, and any object of one's own
// that is a value (copied, and moved without throwing) with
//
//   state()               what it carries from step to step: converts to a MethodState
//   restore(state)        goes on from it; throws for the state of another
//
// or, where buffers over the parameters belong to it (averages, momenta),
//
//   buffers()             converts to std::span<const ParamBuffer<S>>
//   restore(state, std::vector<ParamBuffer<S>>)
//
// All of it is stored and comes back exactly: the step count, the state of the generator, numbers
// (NaN and infinity as well) and buffers. Hyper-parameters are not part of a state; those of an
// object with
//
//   settings(visit) const visits, by name, what should be the same when it goes on
//   (core/fields.hpp)
//
// are compared. A file may be anybody's: restore() checks what it is given.
#pragma once
#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/core/random.hpp"
#include "plait/methods/method_state.hpp"
#include "plait/train/early_stopping.hpp"
#include "plait/train/gradient_mean.hpp"
#include "plait/train/weight_average.hpp"

namespace plait {

namespace detail {

template <class T>
concept HasState = std::copyable<T> && requires(T& object, const T& constant, MethodState state) {
  { constant.state() } -> std::convertible_to<MethodState>;
  object.restore(std::move(state));
};
template <class T, class S>
concept HasBuffers = std::copyable<T> &&
    requires(T& object, const T& constant, MethodState state, std::vector<ParamBuffer<S>> buffers) {
  { constant.state() } -> std::convertible_to<MethodState>;
  { constant.buffers() } -> std::convertible_to<std::span<const ParamBuffer<S>>>;
  object.restore(std::move(state), std::move(buffers));
};

// How a part's state is taken and given back. restore may throw, and has then changed nothing that
// counts: it is called on a copy.
template <class T, class S>
struct PartAccess;

template <class T, class S>
requires(HasState<T> && !HasBuffers<T, S>) struct PartAccess<T, S> {
  static MethodState state(const T& object) { return object.state(); }
  static std::span<const ParamBuffer<S>> buffers(const T&) { return {}; }
  static void restore(T& object, MethodState state, std::vector<ParamBuffer<S>>) {
    object.restore(std::move(state));
  }
};
template <class T, class S>
requires HasBuffers<T, S>
struct PartAccess<T, S> {
  static MethodState state(const T& object) { return object.state(); }
  static std::span<const ParamBuffer<S>> buffers(const T& object) { return object.buffers(); }
  static void restore(T& object, MethodState state, std::vector<ParamBuffer<S>> buffers) {
    object.restore(std::move(state), std::move(buffers));
  }
};

inline void require_numbers(const MethodState& state, std::size_t count) {
  require_config(state.numbers.size() == count, "CheckpointPart", "numbers",
                 text(state.numbers.size()), text(count));
}

template <class S>
struct PartAccess<EarlyStopping, S> {
  static MethodState state(const EarlyStopping& object) { return {.numbers = object.state()}; }
  static std::span<const ParamBuffer<S>> buffers(const EarlyStopping&) { return {}; }
  static void restore(EarlyStopping& object, MethodState state, std::vector<ParamBuffer<S>>) {
    object.restore(state.numbers);
  }
};
template <class S>
struct PartAccess<WeightAverage<S>, S> {
  static MethodState state(const WeightAverage<S>& object) { return {.steps = object.updates()}; }
  static std::span<const ParamBuffer<S>> buffers(const WeightAverage<S>& object) {
    return object.buffers();
  }
  static void restore(WeightAverage<S>& object, MethodState state,
                      std::vector<ParamBuffer<S>> buffers) {
    require_numbers(state, 0);
    object.restore(state.steps, buffers);
  }
};
template <class S>
struct PartAccess<GradientMean<S>, S> {
  static MethodState state(const GradientMean<S>& object) { return {.numbers = {object.weight()}}; }
  static std::span<const ParamBuffer<S>> buffers(const GradientMean<S>& object) {
    return object.buffers();
  }
  static void restore(GradientMean<S>& object, MethodState state,
                      std::vector<ParamBuffer<S>> buffers) {
    require_numbers(state, 1);
    object.restore(state.numbers.front(), buffers);
  }
};
template <class S>
struct PartAccess<Random, S> {
  static MethodState state(const Random& object) { return {.random = object}; }
  static std::span<const ParamBuffer<S>> buffers(const Random&) { return {}; }
  static void restore(Random& object, MethodState state, std::vector<ParamBuffer<S>>) {
    require_numbers(state, 0);
    object = state.random;
  }
};
template <std::size_t N, class S>
struct PartAccess<std::array<double, N>, S> {
  static MethodState state(const std::array<double, N>& object) {
    return {.numbers = {object.begin(), object.end()}};
  }
  static std::span<const ParamBuffer<S>> buffers(const std::array<double, N>&) { return {}; }
  static void restore(std::array<double, N>& object, MethodState state,
                      std::vector<ParamBuffer<S>>) {
    require_numbers(state, N);
    std::ranges::copy(state.numbers, object.begin());
  }
};
// Of any length.
template <class S>
struct PartAccess<std::vector<double>, S> {
  static MethodState state(const std::vector<double>& object) { return {.numbers = object}; }
  static std::span<const ParamBuffer<S>> buffers(const std::vector<double>&) { return {}; }
  static void restore(std::vector<double>& object, MethodState state, std::vector<ParamBuffer<S>>) {
    object = std::move(state.numbers);
  }
};

}  // namespace detail

// What can be a part of a checkpoint.
template <class T, class S>
concept Checkpointed = std::copyable<T> && std::is_nothrow_move_assignable_v<T> &&
    requires(T& object, MethodState state, std::vector<ParamBuffer<S>> buffers) {
  { detail::PartAccess<T, S>::state(object) } -> std::same_as<MethodState>;
  detail::PartAccess<T, S>::restore(object, std::move(state), std::move(buffers));
};

// Borrows the object, which must outlive it and stay where it is.
template <class S>
class CheckpointPart {
 public:
  template <class T>
  requires Checkpointed<T, S> CheckpointPart(std::string name, T& object)
      : name_(std::move(name)), held_(std::make_shared<const Holder<T>>(object)) {}

  const std::string& name() const { return name_; }
  MethodState state() const { return held_->state(); }
  std::span<const ParamBuffer<S>> buffers() const { return held_->buffers(); }
  // What should be the same when the object goes on; nothing for one without settings(visit).
  void settings(FieldVisitor& visit) const { held_->settings(visit); }

  // Makes a copy of the object that goes on from the state, and returns what puts it in the
  // object's place, which does not throw. Throws ConfigError for another number of buffers than
  // the object has, and what its restore() throws; the object does not change here.
  std::function<void()> prepare(MethodState state, std::vector<ParamBuffer<S>> buffers) const {
    require_config(buffers.size() == this->buffers().size(), "CheckpointPart", "buffers",
                   text(buffers.size()), text(this->buffers().size()));
    return held_->prepare(std::move(state), std::move(buffers));
  }

 private:
  struct Interface {
    virtual ~Interface() = default;
    virtual MethodState state() const = 0;
    virtual std::span<const ParamBuffer<S>> buffers() const = 0;
    virtual void settings(FieldVisitor& visit) const = 0;
    virtual std::function<void()> prepare(MethodState, std::vector<ParamBuffer<S>>) const = 0;
  };
  template <class T>
  struct Holder final : Interface {
    using Access = detail::PartAccess<T, S>;
    explicit Holder(T& borrowed) : object(borrowed) {}
    MethodState state() const override { return Access::state(object); }
    std::span<const ParamBuffer<S>> buffers() const override { return Access::buffers(object); }
    void settings([[maybe_unused]] FieldVisitor& visit) const override {
      if constexpr (requires(const T& constant) { constant.settings(visit); })
        std::as_const(object).settings(visit);
    }
    std::function<void()> prepare(MethodState state,
                                  std::vector<ParamBuffer<S>> buffers) const override {
      const auto next = std::make_shared<T>(object);
      Access::restore(*next, std::move(state), std::move(buffers));
      return [next, &to = object] { to = std::move(*next); };
    }
    T& object;
  };

  std::string name_;
  std::shared_ptr<const Interface> held_;
};

template <class S>
using CheckpointParts = std::vector<CheckpointPart<S>>;

}  // namespace plait
