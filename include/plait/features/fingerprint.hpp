// Hashes of descriptions: equal for equal fields, on every computer.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "plait/core/config.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/hash.hpp"

namespace plait {

// Texts, numbers and fields, one after the other, each hashed with what went before as its seed.
class Fingerprint final : public FieldVisitor {
 public:
  std::uint64_t value() const { return value_; }

  void add(std::string_view bytes) { value_ = xxh64(bytes, value_); }
  void add(std::uint64_t number) { value_ = mix64(value_ + number) + 1; }

  template <class T>
  void add_fields(T description) {
    visit(description);
  }

  bool reads() const override { return false; }

 protected:
  void scalar(bool& value) override { add(std::uint64_t{value}); }
  void scalar(Index& value) override { add(static_cast<std::uint64_t>(std::int64_t{value})); }
  void scalar(double& value) override { add(std::bit_cast<std::uint64_t>(value)); }
  void scalar(std::string& value) override { add(std::string_view(value)); }
  void enumerator(std::size_t& index, std::span<const std::string_view> names) override {
    add(names[index]);
  }
  void begin_object() override {}
  void end_object() override { add("}"); }
  void begin_field(const char* name) override { add(std::string_view(name)); }
  void end_field() override {}
  bool has_field(const char*, bool is_default) override { return !is_default; }
  void needless_field(const char*) override {}
  std::size_t begin_list(std::size_t size) override {
    add(std::uint64_t{size});
    return size;
  }
  void end_list() override {}
  void begin_element(std::size_t) override {}
  void end_element() override {}

 private:
  std::uint64_t value_ = 0;
};

}  // namespace plait
