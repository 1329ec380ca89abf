// Settings are double, and arithmetic may be float: a setting must still be what it is there.
#pragma once
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"

namespace plait {

// Throws ConfigError, in the name of `where`, for a number that Scalar would make infinite, zero or
// less exact than any other: one that is not 0 and outside of Scalar's normal numbers. NaN and
// infinity pass; whoever knows what the number is for refuses them.
template <class Scalar>
PLAIT_COLD void require_representable(std::string_view where, std::string_view argument,
                                      double value) {
  using Limits = std::numeric_limits<Scalar>;
  const double size = std::abs(value);
  if (size == 0 || !std::isfinite(value)) return;
  const auto smallest = static_cast<double>((Limits::min)());
  const auto largest = static_cast<double>((Limits::max)());
  require_config(size >= smallest && size <= largest, where, argument, text(value),
                 text("0 or a size from ", smallest, " to ", largest, ", which ",
                      sizeof(Scalar) == sizeof(float) ? "float" : "double", " can hold"));
}

namespace detail {

// require_representable for every number among a description's fields, by its name.
template <class Scalar>
class RepresentableFields final : public FieldVisitor {
 public:
  explicit RepresentableFields(std::string_view where) : where_(where) {}

  bool reads() const override { return false; }
  // What is visited next, as " of task1"; ends the names of its fields.
  void of(std::string what) { of_ = std::move(what); }

 protected:
  void scalar(bool&) override {}
  void scalar(Index&) override {}
  void scalar(double& value) override {
    require_representable<Scalar>(where_, field_ + of_, value);
  }
  void scalar(std::string&) override {}
  void enumerator(std::size_t&, std::span<const std::string_view>) override {}
  void begin_object() override {}
  void end_object() override {}
  void begin_field(const char* name) override { field_ = name; }
  void end_field() override {}
  bool has_field(const char*, bool is_default) override { return !is_default; }
  void needless_field(const char*) override {}
  std::size_t begin_list(std::size_t size) override { return size; }
  void end_list() override {}
  void begin_element(std::size_t) override {}
  void end_element() override {}

 private:
  std::string_view where_;
  std::string field_;
  std::string of_;
};

}  // namespace detail

}  // namespace plait
