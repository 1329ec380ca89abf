// Configurations as JSON. Each has one list of its fields, which serves writing and reading:
//
//   template <class Visitor> void fields(Head& head, Visitor& visit) { visit("kind", head.kind); }
//
// Settings that few use are left out at their defaults (unless_default), so that adding one leaves
// older files readable. Reading is strict: every field once, no others, in the very text that
// writing gives.
#pragma once
#include <array>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/io/error.hpp"
#include "plait/kernels/activation.hpp"
#include "plait/layers/asymmetric.hpp"
#include "plait/layers/cross_stitch.hpp"
#include "plait/layers/gate.hpp"
#include "plait/layers/mlp.hpp"
#include "plait/losses/head.hpp"

namespace plait::detail {

using Json = nlohmann::ordered_json;

// Enumerators by name.
template <class Enum>
struct EnumNames;
template <>
struct EnumNames<Activation> {
  static constexpr std::array<std::pair<Activation, std::string_view>, 8> list{
      {{Activation::identity, "identity"},
       {Activation::relu, "relu"},
       {Activation::leaky_relu, "leaky_relu"},
       {Activation::gelu, "gelu"},
       {Activation::gelu_tanh, "gelu_tanh"},
       {Activation::silu, "silu"},
       {Activation::tanh, "tanh"},
       {Activation::sigmoid, "sigmoid"}}};
};
template <>
struct EnumNames<Stitch> {
  static constexpr std::array<std::pair<Stitch, std::string_view>, 3> list{
      {{Stitch::near_identity, "near_identity"},
       {Stitch::uniform, "uniform"},
       {Stitch::ones, "ones"}}};
};
template <>
struct EnumNames<Fusion> {
  static constexpr std::array<std::pair<Fusion, std::string_view>, 3> list{
      {{Fusion::concat, "concat"}, {Fusion::sum, "sum"}, {Fusion::mean, "mean"}}};
};
template <>
struct EnumNames<HeadKind> {
  static constexpr std::array<std::pair<HeadKind, std::string_view>, 11> list{
      {{HeadKind::binary, "binary"},
       {HeadKind::conditional, "conditional"},
       {HeadKind::focal, "focal"},
       {HeadKind::regression, "regression"},
       {HeadKind::huber, "huber"},
       {HeadKind::ziln, "ziln"},
       {HeadKind::multiclass, "multiclass"},
       {HeadKind::ordinal, "ordinal"},
       {HeadKind::pairwise, "pairwise"},
       {HeadKind::listwise, "listwise"},
       {HeadKind::jrc, "jrc"}}};
};

// Config is the named type or its const.
template <class Config, class Wanted>
concept Is = std::is_same_v<std::remove_const_t<Config>, Wanted>;

template <Is<MLPConfig> Config, class Visitor>
void fields(Config& config, Visitor& visit) {
  visit("dims", config.dims);
  visit("activation", config.activation);
  visit("bias", config.bias);
}

template <Is<Head> Config, class Visitor>
void fields(Config& head, Visitor& visit) {
  visit("kind", head.kind);
  visit("classes", head.classes);
  visit("pos_weight", head.pos_weight);
  visit("weight", head.weight);
  visit("name", head.name);
  const Head defaults;
  visit.unless_default("delta", head.delta, defaults.delta);
  visit.unless_default("gamma", head.gamma, defaults.gamma);
  visit.unless_default("alpha", head.alpha, defaults.alpha);
  visit.unless_default("given", head.given, defaults.given);
  visit.unless_default("labels_of", head.labels_of, defaults.labels_of);
  visit.unless_default("in_space", head.in_space, defaults.in_space);
  visit.unless_default("out_of_space", head.out_of_space, defaults.out_of_space);
}

// A gate whose body is an MLP.
template <class Config, class Visitor>
requires requires(Config& gate) { gate.body, gate.bias, gate.temperature; }
void fields(Config& gate, Visitor& visit) {
  visit("body", gate.body);
  visit("bias", gate.bias);
  visit("temperature", gate.temperature);
}

struct WriteFields {
  Json object = Json::object();

  template <class T>
  void operator()(const char* key, const T& value) {
    object[key] = write(value);
  }
  template <class T>
  void unless_default(const char* key, const T& value, const T& otherwise) {
    if (value != otherwise) (*this)(key, value);
  }

  static Json write(bool value) { return value; }
  static Json write(Index value) { return value; }
  static Json write(const std::string& value) { return value; }
  static Json write(double value) {
    require_config(std::isfinite(value), "save", "a setting", text(value), "a finite number");
    return value;
  }
  template <class T>
  static Json write(const std::optional<T>& value) {
    return write(value.value());
  }
  template <class T>
  static Json write(const std::vector<T>& values) {
    Json list = Json::array();
    for (const auto& value : values) list.push_back(write(value));
    return list;
  }
  template <class T>
  static Json write(const T& value) {
    if constexpr (std::is_enum_v<T>) {
      for (const auto& [enumerator, name] : EnumNames<T>::list)
        if (enumerator == value) return name;
      throw ConfigError("save", "an enumerator", text(static_cast<int>(value)), "a named one");
    } else {
      WriteFields visit;
      fields(value, visit);
      return std::move(visit.object);
    }
  }
};

// Throws FormatError in the name of `where`, the part of a file, for anything but the fields.
class ReadFields {
 public:
  // No size may exceed `limit`.
  ReadFields(const Json& object, const std::string& file, const std::string& where, Index limit)
      : object_(object), file_(file), where_(where), limit_(limit) {
    if (!object.is_object()) fail(object, "an object");
  }

  template <class T>
  void operator()(const char* key, T& value) {
    const auto found = object_.find(key);
    if (found == object_.end()) throw FormatError(file_, where_, "no " + text(key), "it");
    read_value(*found, file_, where_ + "." + key, limit_, value);
    ++seen_;
  }
  template <class T>
  void unless_default(const char* key, T& value, const T& otherwise) {
    value = otherwise;
    if (!object_.contains(key)) return;
    (*this)(key, value);
    if (value == otherwise)
      throw FormatError(file_, where_ + "." + key, "its default", "it left out");
  }

  // A value that need not be an object.
  template <class T>
  static void read_value(const Json& json, const std::string& file, const std::string& where,
                         Index limit, T& value) {
    ReadFields(json, file, where, limit, 0).read(value);
  }

  // After all fields.
  void finish() const {
    if (seen_ != object_.size())
      throw FormatError(file_, where_, text(object_.size(), " fields"), text(seen_));
  }

  template <class T>
  void read(T& value) const {
    if constexpr (std::is_enum_v<T>) {
      for (const auto& [enumerator, name] : EnumNames<T>::list)
        if (object_ == name) {
          value = enumerator;
          return;
        }
      fail(object_, "a known name");
    } else {
      ReadFields visit(object_, file_, where_, limit_);
      fields(value, visit);
      visit.finish();
    }
  }
  template <class T>
  void read(std::optional<T>& value) const {
    read(value.emplace());
  }
  template <class T>
  void read(std::vector<T>& values) const {
    if (!object_.is_array()) fail(object_, "a list");
    values.clear();
    values.reserve(object_.size());
    for (const Json& element : object_) {
      const std::string place = text(where_, "[", values.size(), "]");
      read_value(element, file_, place, limit_, values.emplace_back());
    }
  }
  void read(bool& value) const {
    if (!object_.is_boolean()) fail(object_, "true or false");
    value = object_.get<bool>();
  }
  void read(Index& value) const {
    if (!object_.is_number_unsigned() ||
        object_.get<std::uint64_t>() > static_cast<std::uint64_t>(limit_))
      fail(object_, text("a whole number from 0 to ", limit_));
    value = object_.get<Index>();
  }
  void read(double& value) const {
    if (!object_.is_number()) fail(object_, "a number");
    value = object_.get<double>();
  }
  void read(std::string& value) const {
    if (!object_.is_string()) fail(object_, "a string");
    value = object_.get<std::string>();
  }

 private:
  // Of any kind of value.
  ReadFields(const Json& value, const std::string& file, std::string where, Index limit, int)
      : object_(value), file_(file), where_(std::move(where)), limit_(limit) {}

  [[noreturn]] void fail(const Json& got, const std::string& expected) const {
    throw FormatError(file_, where_, got.dump().substr(0, 60), expected);
  }

  const Json& object_;
  const std::string& file_;
  std::string where_;
  Index limit_;
  std::size_t seen_ = 0;
};

// A value read from the metadata text `json`. Throws FormatError.
template <class Read>
void read_json(const std::string& json, const std::string& file, const std::string& where,
               const Read& read) {
  const Json parsed = Json::parse(json, nullptr, false);
  // Compared as text, which refuses repeated keys as well.
  if (parsed.is_discarded() || parsed.dump() != json)
    throw FormatError(file, where, "another text", "JSON as plait writes it");
  read(parsed);
}

}  // namespace plait::detail
