// Fields: the one list of a description's settings, which files, command lines and reports share.
//
//   struct Funnel {
//     Index input_dim = 0;
//     std::vector<Body> levels{};
//     void fields(FieldVisitor& visit) {
//       visit("input_dim", input_dim);
//       visit("levels", levels);
//     }
//   };
//
// A field is a bool, a number (Index, double), a text, an enumerator with EnumNames, another
// description, a list of these, or an optional. Settings that few use are left out at their
// defaults (unless_default), so that adding one leaves older files readable.
#pragma once
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "plait/core/config.hpp"

namespace plait {

class FieldVisitor;
class Bodies;  // layers/body.hpp

// Enumerators by name, in the order of their values, which count from 0: specialise it with
// `static constexpr std::array<std::string_view, n> names` for an enum of your own.
template <class Enum>
struct EnumNames;

template <class T>
concept HasFields = requires(T& description, FieldVisitor& visit) {
  description.fields(visit);
};

// Walks through the fields of a description, in order, and reads or replaces their values: a writer
// leaves them as they are. What a kind of visitor does is in the virtual members alone.
class FieldVisitor {
 public:
  FieldVisitor() = default;
  FieldVisitor(const FieldVisitor&) = delete;
  FieldVisitor& operator=(const FieldVisitor&) = delete;
  virtual ~FieldVisitor() = default;

  template <class T>
  void operator()(const char* name, T& value) {
    begin_field(name);
    visit(value);
    end_field();
  }
  template <class T>
  void unless_default(const char* name, T& value, const T& otherwise) {
    if (!has_field(name, value == otherwise)) {
      value = otherwise;
      return;
    }
    (*this)(name, value);
    if (value == otherwise) needless_field(name);
  }

  // A value that need not be a field.
  template <class T>
  void visit(T& value) {
    if constexpr (std::is_enum_v<T>) {
      auto index = static_cast<std::size_t>(value);
      enumerator(index, EnumNames<T>::names);
      value = static_cast<T>(index);
    } else if constexpr (HasFields<T>) {
      begin_object();
      value.fields(*this);
      end_object();
    } else {
      scalar(value);
    }
  }
  template <class T>
  void visit(std::optional<T>& value) {
    if (value || visits_empty()) visit(value ? *value : value.emplace());
  }
  template <class T>
  void visit(std::vector<T>& values) {
    const std::size_t size = begin_list(values.size());
    if (size != values.size()) values.resize(size);
    for (std::size_t i = 0; i < size; ++i) {
      begin_element(i);
      visit(values[i]);
      end_element();
    }
    end_list();
  }

  // True for a visitor that replaces values.
  virtual bool reads() const = 0;
  // False for one who leaves out what an optional without a value would hold.
  virtual bool visits_empty() const { return true; }
  // For one who reads: the bodies of one's own by name; null for none.
  virtual const Bodies* bodies() const { return nullptr; }

 protected:
  virtual void scalar(bool& value) = 0;
  virtual void scalar(Index& value) = 0;
  virtual void scalar(double& value) = 0;
  virtual void scalar(std::string& value) = 0;
  virtual void enumerator(std::size_t& index, std::span<const std::string_view> names) = 0;

  virtual void begin_object() = 0;
  virtual void end_object() = 0;
  virtual void begin_field(const char* name) = 0;
  virtual void end_field() = 0;
  // Of a field that may be left out: whether it is there (or should be).
  virtual bool has_field(const char* name, bool is_default) = 0;
  // It is there and has its default value.
  virtual void needless_field(const char* name) = 0;
  // Returns the size of the list that is visited.
  virtual std::size_t begin_list(std::size_t size) = 0;
  virtual void end_list() = 0;
  virtual void begin_element(std::size_t i) = 0;
  virtual void end_element() = 0;
};

}  // namespace plait
