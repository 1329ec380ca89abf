// Penalty: a term of the loss that depends on parameters alone, not on data.
//
//   total = Σ_t w_t L_t + Σ_k Ω_k(θ)
//
// Its value and its gradient are computed once per step, on flat buffers. A penalty is a
// description: settings, no numbers. One of your own is a struct of those with
//
//   P::name                                a static text, for checkpoints
//   p.parameters                           a pattern of names (core/glob.hpp): what it is a term of
//   p.fields(visit)                        its settings (core/fields.hpp), `parameters` among them
//   p.validate(of)                         throws ConfigError for settings out of range, and for
//                                          parameters that it is not made for
//   p.add(of, theta, gradient, numbers, scratch)
//                                          returns Ω and adds its gradient, for both scalars
//
// and may have
//
//   p.initial_numbers(of)                  the numbers that it remembers, as they start, finite
//                                          then and ever after
//   p.update(of, theta, steps, numbers, scratch)
//                                          learns from the parameters that `steps` steps led to
//
// `of` [n] are the parameters whose names match, in the order of the table. Penalties are const;
// what they remember Penalties (penalties/penalties.hpp) keeps. Memory comes from scratch, so that
// nothing is allocated once that is large enough. Values and what they are summed from are computed
// in double, unless a header says otherwise.
#pragma once
#include <cmath>
#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/core/scratch.hpp"

namespace plait {

using PenaltyParams = std::span<const ParamId>;

template <class P, class S>
concept PenaltyOn = std::copyable<P> && HasFields<P> &&
    requires(const P& penalty, PenaltyParams of, const ParamBuffer<S>& theta,
             ParamBuffer<S>& gradient, std::span<const double> numbers, Scratch& scratch) {
  { P::name } -> std::convertible_to<std::string_view>;
  { penalty.parameters } -> std::convertible_to<std::string_view>;
  penalty.validate(of);
  { penalty.add(of, theta, gradient, numbers, scratch) } -> std::same_as<double>;
};

// Any penalty. A value, as the description that it was made of; it does not change, so copies share
// it.
class Penalty {
 public:
  template <class P>
  requires(!std::same_as<P, Penalty> && PenaltyOn<P, float> && PenaltyOn<P, double>)
      Penalty(P penalty)
      : penalty_(std::make_shared<const Of<P>>(std::move(penalty))) {}

  std::string_view name() const { return penalty_->name(); }
  std::string_view parameters() const { return penalty_->parameters(); }
  // Its settings, to be read.
  void settings(FieldVisitor& visit) const { penalty_->settings(visit); }

  void validate(PenaltyParams of) const { penalty_->validate(of); }
  std::vector<double> initial_numbers(PenaltyParams of) const {
    return penalty_->initial_numbers(of);
  }
  template <class S>
  double add(PenaltyParams of, const ParamBuffer<S>& theta, ParamBuffer<S>& gradient,
             std::span<const double> numbers, Scratch& scratch) const {
    return penalty_->add(of, theta, gradient, numbers, scratch);
  }
  template <class S>
  void update(PenaltyParams of, const ParamBuffer<S>& theta, Index steps, std::span<double> numbers,
              Scratch& scratch) const {
    penalty_->update(of, theta, steps, numbers, scratch);
  }

 private:
  struct Erased {
    virtual ~Erased() = default;
    virtual std::string_view name() const = 0;
    virtual std::string_view parameters() const = 0;
    virtual void settings(FieldVisitor& visit) const = 0;
    virtual void validate(PenaltyParams of) const = 0;
    virtual std::vector<double> initial_numbers(PenaltyParams of) const = 0;
    virtual double add(PenaltyParams, const ParamBuffer<float>&, ParamBuffer<float>&,
                       std::span<const double>, Scratch&) const = 0;
    virtual double add(PenaltyParams, const ParamBuffer<double>&, ParamBuffer<double>&,
                       std::span<const double>, Scratch&) const = 0;
    virtual void update(PenaltyParams, const ParamBuffer<float>&, Index, std::span<double>,
                        Scratch&) const = 0;
    virtual void update(PenaltyParams, const ParamBuffer<double>&, Index, std::span<double>,
                        Scratch&) const = 0;
  };

  template <class P>
  struct Of final : Erased {
    P penalty;

    explicit Of(P given) : penalty(std::move(given)) {}
    std::string_view name() const override { return P::name; }
    std::string_view parameters() const override { return penalty.parameters; }
    PLAIT_COLD void settings(FieldVisitor& visit) const override {
      P copy = penalty;
      copy.fields(visit);
    }
    void validate(PenaltyParams of) const override { penalty.validate(of); }
    std::vector<double> initial_numbers([[maybe_unused]] PenaltyParams of) const override {
      if constexpr (requires { penalty.initial_numbers(of); }) {
        return penalty.initial_numbers(of);
      } else {
        return {};
      }
    }
    double add(PenaltyParams of, const ParamBuffer<float>& theta, ParamBuffer<float>& gradient,
               std::span<const double> numbers, Scratch& scratch) const override {
      return penalty.add(of, theta, gradient, numbers, scratch);
    }
    double add(PenaltyParams of, const ParamBuffer<double>& theta, ParamBuffer<double>& gradient,
               std::span<const double> numbers, Scratch& scratch) const override {
      return penalty.add(of, theta, gradient, numbers, scratch);
    }
    void update(PenaltyParams of, const ParamBuffer<float>& theta, Index steps,
                std::span<double> numbers, Scratch& scratch) const override {
      update_any(of, theta, steps, numbers, scratch);
    }
    void update(PenaltyParams of, const ParamBuffer<double>& theta, Index steps,
                std::span<double> numbers, Scratch& scratch) const override {
      update_any(of, theta, steps, numbers, scratch);
    }
    template <class S>
    void update_any([[maybe_unused]] PenaltyParams of, [[maybe_unused]] const ParamBuffer<S>& theta,
                    [[maybe_unused]] Index steps, [[maybe_unused]] std::span<double> numbers,
                    [[maybe_unused]] Scratch& scratch) const {
      if constexpr (requires { penalty.update(of, theta, steps, numbers, scratch); })
        penalty.update(of, theta, steps, numbers, scratch);
    }
  };

  std::shared_ptr<const Erased> penalty_;
};

namespace detail {

inline void require_penalty_weight(const char* penalty, const char* argument, double value) {
  require_config(std::isfinite(value) && value >= 0, penalty, argument, text(value),
                 "a finite number of at least 0");
}

// Of penalties Ω = λ Σ_i ω(θ_i): number(θ_i) gives ω and its slope.
template <class S, class Number>
double add_by_number(double weight, PenaltyParams of, const ParamBuffer<S>& theta,
                     ParamBuffer<S>& gradient, const Number& number) {
  double sum = 0;
  for (const ParamId id : of) {
    const auto from = theta.of(id);
    const auto to = gradient.of(id);
    for (std::size_t i = 0; i < from.size(); ++i) {
      const auto [value, slope] = number(static_cast<double>(from[i]));
      sum += value;
      to[i] += static_cast<S>(weight * slope);
    }
  }
  return weight * sum;
}

}  // namespace detail

}  // namespace plait
