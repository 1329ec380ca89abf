// Body: the description of a network from one vector to one vector, whatever its type: what may
// serve as an expert, a gate's hidden layers, a tower or a bottom. A value.
//
//   Body mlp = {256, 128};                                an MLP, which is what most are
//   Body own = Glu{.width = 64};                          one's own
//
// One's own is a struct of settings that names the layer it describes,
//
//   struct Glu {
//     Index width = 0;
//     template <class S> using Layer = GluExpert<S>;      a Layer of one slot, for float and double
//     static constexpr std::string_view name = "glu";     in files; with
//     void fields(FieldVisitor& visit) { visit("width", width); }
//   };
//
// of which the name and the fields are for saving alone. The layer is built by GluExpert<S>(table,
// name, input_dim, Glu). How to write one: docs/writing_a_layer.md.
#pragma once
#include <concepts>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/network.hpp"
#include "plait/layers/mlp.hpp"

namespace plait {

// What a Body can hold, for layers of numbers of type S.
template <class D, class S>
concept DescribesBody = std::copyable<D> && Layer<typename D::template Layer<S>> &&
    std::constructible_from<typename D::template Layer<S>, ParamTable&, const std::string&, Index,
                            const D&>;

// The name under which files know a description; empty for one that has none.
template <class D>
constexpr std::string_view name_of() {
  if constexpr (requires { std::string_view(D::name); }) {
    return D::name;
  } else {
    return {};
  }
}

class Body {
 public:
  // As an MLPConfig. Without layers: the identity.
  Body() : Body(MLPConfig()) {}
  Body(std::initializer_list<Index> dims, Activation f = Activation::relu, bool bias = true,
       double dropout = 0)
      : Body(MLPConfig(dims, f, bias, dropout)) {}
  explicit Body(std::vector<Index> dims, Activation f = Activation::relu, bool bias = true,
                double dropout = 0)
      : Body(MLPConfig(std::move(dims), f, bias, dropout)) {}
  Body(MLPConfig mlp) : mlp_(std::make_shared<const MLPConfig>(std::move(mlp))) {}

  template <class D>
  requires(!std::same_as<D, Body> && DescribesBody<D, float>) Body(D description)
      : own_(std::make_shared<const Holder<D>>(std::move(description))) {}

  // Throws ConfigError for sizes that cannot be built.
  template <class S>
  Network<S> build(ParamTable& table, const std::string& name, Index input_dim) const;

  // The MLP that it is; null for one's own.
  const MLPConfig* mlp() const { return own_ == nullptr ? mlp_.get() : nullptr; }
  // The description inside if it is a D, else null.
  template <class D>
  const D* target() const {
    const auto* holder = dynamic_cast<const Holder<D>*>(own_.get());
    return holder == nullptr ? nullptr : &holder->description;
  }

  // The name of one's own, empty for an MLP and for one without a name.
  std::string_view name() const { return own_ == nullptr ? std::string_view() : own_->name(); }
  // Those of the MLP; of one's own its name as `body`, and its own. Throws ConfigError for one
  // without name or fields, and for a name that the visitor does not know.
  void fields(FieldVisitor& visit);

 private:
  struct Interface {
    virtual ~Interface() = default;
    virtual Network<float> build(ParamTable&, const std::string&, Index, float) const = 0;
    virtual Network<double> build(ParamTable&, const std::string&, Index, double) const = 0;
    virtual std::string_view name() const = 0;
    virtual bool has_fields() const = 0;
    virtual std::shared_ptr<const Interface> with_fields(FieldVisitor& visit) const = 0;
  };
  template <class D>
  struct Holder final : Interface {
    explicit Holder(D held) : description(std::move(held)) {}
    Network<float> build(ParamTable& table, const std::string& name, Index input_dim,
                         float) const override {
      return typename D::template Layer<float>(table, name, input_dim, description);
    }
    Network<double> build(ParamTable& table, const std::string& name, Index input_dim,
                          double) const override {
      return typename D::template Layer<double>(table, name, input_dim, description);
    }
    std::string_view name() const override { return name_of<D>(); }
    bool has_fields() const override { return HasFields<D>; }
    std::shared_ptr<const Interface> with_fields(FieldVisitor& visit) const override {
      D copy = description;
      if constexpr (HasFields<D>) copy.fields(visit);
      return std::make_shared<const Holder>(std::move(copy));
    }
    D description;
  };

  // One of them; copies share it, so that giving every level the same one costs nothing.
  std::shared_ptr<const MLPConfig> mlp_;
  std::shared_ptr<const Interface> own_;
};

template <class S>
Network<S> Body::build(ParamTable& table, const std::string& name, Index input_dim) const {
  if (own_ == nullptr) return MLP<S>(table, name, input_dim, *mlp_);
  Network<S> result = own_->build(table, name, input_dim, S());
  if (result.in_shape() != Shape{1, input_dim} || result.out_shape().slots != 1)
    throw ConfigError("Body", name, "other slots or another input", text("1 slot of ", input_dim));
  return result;
}

#ifdef PLAIT_COMPILED
extern template Network<float> Body::build(ParamTable&, const std::string&, Index) const;
extern template Network<double> Body::build(ParamTable&, const std::string&, Index) const;
#endif

// Bodies of one's own by their names, for reading files.
class Bodies {
 public:
  // Throws ConfigError for a description without a name, or a name that is taken.
  void add(Body prototype) {
    const std::string name(prototype.name());
    require_config(!name.empty() && !by_name_.contains(name), "Bodies", "name", in_quotes(name),
                   "one that is not taken");
    by_name_.emplace(name, std::move(prototype));
  }
  // Null for a name that is not known.
  const Body* find(const std::string& name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::string, Body> by_name_;
};

PLAIT_COLD inline void Body::fields(FieldVisitor& visit) {
  std::string body(name());
  require_config(own_ == nullptr || (!body.empty() && own_->has_fields()), "Body", "description",
                 "one without name or fields", "both, to be saved");
  visit.unless_default("body", body, std::string());
  if (visit.reads()) {
    const Body* known = visit.bodies() == nullptr ? nullptr : visit.bodies()->find(body);
    require_config(body.empty() || known != nullptr, "Body", "name", in_quotes(body),
                   "one that is registered");
    *this = body.empty() ? Body() : *known;
  }
  if (own_ != nullptr) {
    own_ = own_->with_fields(visit);
    return;
  }
  MLPConfig mlp = *mlp_;
  mlp.fields(visit);
  mlp_ = std::make_shared<const MLPConfig>(std::move(mlp));
}

}  // namespace plait
