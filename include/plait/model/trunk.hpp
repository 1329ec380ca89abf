// Trunk: the description of a model's shared part, whatever its type: an architecture of the
// library's, or one's own. A value.
//
//   Trunk<float> trunk = AdaTT{.input_dim = 256, .num_tasks = 3, .levels = {{256}, {128}}};
//
// One's own is a struct of settings, with one of
//
//   Plan plan(ParamTable& table, const std::string& prefix) const;   routes: fusion/route.hpp
//   template <class S> using Layer = MyTrunk<S>;                     a Layer, built by
//                                                                    (table, prefix, settings)
//
// that maps [B, S, D] to [B, T, H], a slot per task; and, to be saved,
// `static constexpr std::string_view name` and `void fields(FieldVisitor&)`. How to write one:
// docs/adding_an_architecture.md.
#pragma once
#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/network.hpp"
#include "plait/fusion/route.hpp"
#include "plait/fusion/stack.hpp"
#include "plait/layers/body.hpp"

namespace plait {

template <class D>
concept HasPlan = std::copyable<D> &&
    requires(const D& description, ParamTable& table, const std::string& prefix) {
  { description.plan(table, prefix) } -> std::same_as<Plan>;
};
template <class D, class S>
concept HasTrunkLayer = std::copyable<D> && Layer<typename D::template Layer<S>> &&
    std::constructible_from<typename D::template Layer<S>, ParamTable&, const std::string&,
                            const D&>;
template <class D, class S>
concept DescribesTrunk = HasPlan<D> || HasTrunkLayer<D, S>;

// The layer that a description describes, over a table of the caller's; `prefix` is that of its
// parameters' names. Throws ConfigError for sizes that cannot be built.
template <class S, DescribesTrunk<S> D>
Network<S> build(ParamTable& table, const std::string& prefix, const D& description) {
  if constexpr (HasPlan<D>) {
    return build_plan<S>(table, description.plan(table, prefix));
  } else {
    return typename D::template Layer<S>(table, prefix, description);
  }
}

template <class Scalar>
class Trunk {
 public:
  template <class D>
  requires(!std::same_as<D, Trunk> && DescribesTrunk<D, Scalar>) Trunk(D description)
      : held_(std::make_shared<const Holder<D>>(std::move(description))) {}

  // As plait::build.
  Network<Scalar> build(ParamTable& table, const std::string& prefix) const {
    return held_->build(table, prefix);
  }

  // The name under which files know it; empty for one that has none.
  std::string_view name() const { return held_->name(); }
  // The description inside if it is a D, else null.
  template <class D>
  const D* target() const {
    const auto* holder = dynamic_cast<const Holder<D>*>(held_.get());
    return holder == nullptr ? nullptr : &holder->description;
  }

  // Those of the description. Throws ConfigError for one without fields.
  void fields(FieldVisitor& visit) { held_ = held_->with_fields(visit); }

 private:
  struct Interface {
    virtual ~Interface() = default;
    virtual Network<Scalar> build(ParamTable&, const std::string&) const = 0;
    virtual std::string_view name() const = 0;
    virtual std::shared_ptr<const Interface> with_fields(FieldVisitor&) const = 0;
  };
  template <class D>
  struct Holder final : Interface {
    explicit Holder(D held) : description(std::move(held)) {}
    Network<Scalar> build(ParamTable& table, const std::string& prefix) const override {
      return plait::build<Scalar>(table, prefix, description);
    }
    std::string_view name() const override { return name_of<D>(); }
    PLAIT_COLD std::shared_ptr<const Interface> with_fields(FieldVisitor& visit) const override {
      if constexpr (HasFields<D>) {
        D copy = description;
        copy.fields(visit);
        return std::make_shared<const Holder>(std::move(copy));
      } else {
        throw ConfigError("Trunk", "description", "one without fields", "fields, to be saved");
      }
    }
    D description;
  };

  std::shared_ptr<const Interface> held_;
};

}  // namespace plait
