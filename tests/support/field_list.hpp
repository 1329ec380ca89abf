// The fields of a description as a list of paths and texts, for tests that write and read them
// without files.
#pragma once
#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/layers/body.hpp"

namespace support {

using plait::Index;
using FieldList = std::map<std::string, std::string>;

class ListVisitor : public plait::FieldVisitor {
 public:
  // Writes to the list, or with `reads` takes from it.
  ListVisitor(FieldList& list, bool reads, const plait::Bodies* bodies = nullptr)
      : list_(list), reads_(reads), bodies_(bodies) {}

  bool reads() const override { return reads_; }
  const plait::Bodies* bodies() const override { return bodies_; }

 protected:
  void scalar(bool& value) override {
    std::string number = plait::text(value);
    scalar(number);
    value = number == "1";
  }
  void scalar(Index& value) override {
    std::string number = plait::text(value);
    scalar(number);
    value = std::stol(number);
  }
  void scalar(double& value) override {
    std::string number = plait::text(value);
    scalar(number);
    value = std::stod(number);
  }
  void scalar(std::string& value) override {
    if (!reads_) {
      list_[path()] = value;
      return;
    }
    const auto found = list_.find(path());
    if (found == list_.end()) throw std::runtime_error("no field " + path());
    value = found->second;
  }
  void enumerator(std::size_t& index, std::span<const std::string_view> names) override {
    std::string name(names[index]);
    scalar(name);
    index = static_cast<std::size_t>(std::ranges::find(names, name) - names.begin());
  }
  void begin_object() override {}
  void end_object() override {}
  void begin_field(const char* name) override { path_.push_back(name); }
  void end_field() override { path_.pop_back(); }
  bool has_field(const char* name, bool is_default) override {
    if (!reads_) return !is_default;
    begin_field(name);
    const auto first = list_.lower_bound(path());
    const bool has = first != list_.end() && first->first.starts_with(path());
    end_field();
    return has;
  }
  void needless_field(const char* name) override {
    if (reads_) throw std::runtime_error(std::string("needless ") + name);
  }
  std::size_t begin_list(std::size_t size) override {
    begin_field("size");
    auto count = static_cast<Index>(size);
    scalar(count);
    end_field();
    return static_cast<std::size_t>(count);
  }
  void end_list() override {}
  void begin_element(std::size_t i) override { path_.push_back(std::to_string(i)); }
  void end_element() override { path_.pop_back(); }

 private:
  std::string path() const {
    std::string result;
    for (const auto& part : path_) result += (result.empty() ? "" : ".") + part;
    return result;
  }

  FieldList& list_;
  bool reads_;
  const plait::Bodies* bodies_;
  std::vector<std::string> path_;
};

// The fields of anything that has them.
template <class T>
FieldList written(T description) {
  FieldList result;
  ListVisitor visit(result, /*reads=*/false);
  description.fields(visit);
  return result;
}
template <class T>
T read(FieldList list, T prototype, const plait::Bodies* bodies = nullptr) {
  ListVisitor visit(list, /*reads=*/true, bodies);
  prototype.fields(visit);
  return prototype;
}

}  // namespace support
