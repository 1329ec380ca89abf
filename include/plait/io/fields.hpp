// Descriptions as JSON: the two FieldVisitors (core/fields.hpp) of files, a writer and a reader.
//
// Reading trusts nothing. It takes every field once, no others, and, unless people write the text,
// only the very text that writing gives; no size may exceed a limit, and nesting ends somewhere.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/io/error.hpp"
#include "plait/io/json.hpp"
#include "plait/layers/body.hpp"

namespace plait::detail {

// Values within values. Bodies within bodies may be nested at will, and every level of them takes
// some of the stack.
inline constexpr std::size_t most_nested = 200;

class JsonWriter final : public FieldVisitor {
 public:
  // Throws ConfigError for a size that is negative or exceeds `limit`: it could not be read.
  explicit JsonWriter(Index limit) : limit_(limit) {}

  // The JSON of what was visited.
  const Json& json() const { return json_; }

  bool reads() const override { return false; }

 protected:
  void scalar(bool& value) override { here() = value; }
  void scalar(Index& value) override {
    require_config(0 <= value && value <= limit_, "save", "a setting", text(value),
                   text("a whole number from 0 to ", limit_));
    here() = value;
  }
  void scalar(double& value) override {
    require_config(std::isfinite(value), "save", "a setting", text(value), "a finite number");
    here() = value;
  }
  void scalar(std::string& value) override { here() = value; }
  void enumerator(std::size_t& index, std::span<const std::string_view> names) override {
    require_config(index < names.size(), "save", "an enumerator", text(index), "a named one");
    here() = names[index];
  }

  void begin_object() override { here() = Json::object(); }
  void end_object() override {}
  void begin_field(const char* name) override {
    require_config(!here().contains(name), "save", "a field", text("a second ", name),
                   "fields of different names");
    enter(here()[name]);
  }
  void end_field() override { places_.pop_back(); }
  bool has_field(const char*, bool is_default) override { return !is_default; }
  void needless_field(const char*) override {}
  std::size_t begin_list(std::size_t size) override {
    here() = Json::array();
    return size;
  }
  void end_list() override {}
  void begin_element(std::size_t) override { enter(here().emplace_back()); }
  void end_element() override { places_.pop_back(); }

 private:
  Json& here() { return *places_.back(); }
  void enter(Json& value) {
    require_config(places_.size() < most_nested, "save", "a setting", "nested more deeply",
                   text("at most ", most_nested, " values within each other"));
    places_.push_back(&value);
  }

  Index limit_;
  Json json_;
  std::vector<Json*> places_{&json_};  // the value that is written last, in those that hold it
};

// Throws ConfigError for a description that cannot be saved. `indent` is dump()'s: -1 for one line.
template <class T>
PLAIT_COLD std::string write_fields(T description, Index limit, int indent = -1) {
  JsonWriter visit(limit);
  visit.visit(description);
  try {
    return visit.json().dump(indent);
  } catch (const nlohmann::json::exception& error) {
    throw ConfigError("save", "a setting", error.what(), "UTF-8");
  }
}

// What a description is read from.
struct FieldsSource {
  std::string file;                // both for errors: the file,
  std::string where;               // and the part of it
  Index limit = 0;                 // of every size
  const Bodies* bodies = nullptr;  // that it may name
  bool by_hand = false;            // in any order, with any spaces, with defaults
};

// Throws FormatError, naming the file and the place in it, for anything but the fields.
class JsonReader final : public FieldVisitor {
 public:
  JsonReader(const Json& json, const FieldsSource& source)
      : source_(source), where_(source.where), places_{{&json, 0, 0}} {}

  // The place that is read, such as plait.config.levels[0].
  const std::string& where() const { return where_; }

  bool reads() const override { return true; }
  const Bodies* bodies() const override { return source_.bodies; }

 protected:
  void scalar(bool& value) override {
    if (!here().is_boolean()) fail("true or false");
    value = here().get<bool>();
  }
  void scalar(Index& value) override {
    if (!here().is_number_unsigned() ||
        here().get<std::uint64_t>() > static_cast<std::uint64_t>(source_.limit))
      fail(text("a whole number from 0 to ", source_.limit));
    value = here().get<Index>();
  }
  void scalar(double& value) override {
    if (!here().is_number()) fail("a number");
    value = here().get<double>();
  }
  void scalar(std::string& value) override {
    if (!here().is_string()) fail("a string");
    value = here().get<std::string>();
  }
  void enumerator(std::size_t& index, std::span<const std::string_view> names) override {
    const auto found = std::ranges::find_if(names, [&](std::string_view n) { return here() == n; });
    if (found == names.end()) fail("a known name");
    index = static_cast<std::size_t>(found - names.begin());
  }

  void begin_object() override {
    if (!here().is_object()) fail("an object");
  }
  void end_object() override {
    if (places_.back().seen != here().size())
      throw FormatError(source_.file, where_, text(here().size(), " fields"),
                        text(places_.back().seen));
  }
  void begin_field(const char* name) override {
    const auto found = here().find(name);
    if (found == here().end()) throw FormatError(source_.file, where_, text("no ", name), "it");
    ++places_.back().seen;
    enter(*found, text(".", name));
  }
  void end_field() override { leave(); }
  bool has_field(const char* name, bool) override { return here().contains(name); }
  void needless_field(const char* name) override {
    if (source_.by_hand) return;
    throw FormatError(source_.file, text(where_, ".", name), "its default", "it left out");
  }
  std::size_t begin_list(std::size_t) override {
    if (!here().is_array()) fail("a list");
    return here().size();
  }
  void end_list() override {}
  void begin_element(std::size_t i) override { enter(here()[i], text("[", i, "]")); }
  void end_element() override { leave(); }

 private:
  struct Place {
    const Json* value;
    std::size_t seen;        // fields of it
    std::size_t where_size;  // of where_ without it
  };

  const Json& here() const { return *places_.back().value; }
  void enter(const Json& value, const std::string& step) {
    places_.push_back({&value, 0, where_.size()});
    where_ += step;
  }
  void leave() {
    where_.resize(places_.back().where_size);
    places_.pop_back();
  }

  [[noreturn]] void fail(const std::string& expected) const {
    throw FormatError(source_.file, where_, shown(here().dump(), 60), expected);
  }

  const FieldsSource& source_;
  std::string where_;
  std::vector<Place> places_;  // the value that is read last, in those that hold it
};

// The most lists and objects within each other. Before a text is parsed: what is nested is
// destroyed level by level, and with a callback that looks at the depth, nlohmann-json goes through
// a list again for every object in it.
inline std::size_t nesting(std::string_view json) {
  std::size_t depth = 0, most = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == '"') quoted = !quoted;
    if (quoted && c == '\\') ++i;
    if (quoted) continue;
    if (c == '[' || c == '{') most = (std::max)(most, ++depth);
    if ((c == ']' || c == '}') && depth > 0) --depth;
  }
  return most;
}

// A description from its JSON; what it is before is a prototype. Throws FormatError.
template <class T>
PLAIT_COLD void read_fields(const std::string& json, const FieldsSource& source, T& description) {
  const FormatError other_text(source.file, source.where, "another text",
                               "JSON as plait writes it");
  if (nesting(json) > most_nested)
    throw FormatError(source.file, source.where, "values nested more deeply",
                      text("at most ", most_nested, " within each other"));
  const Json parsed = Json::parse(json, nullptr, false);
  if (parsed.is_discarded()) throw other_text;
  JsonReader visit(parsed, source);
  try {
    visit.visit(description);
  } catch (const ConfigError& error) {
    throw FormatError(source.file, visit.where(), error.what(), "what can be read");
  }
  // Refuses what JSON leaves open: repeated keys, orders, spaces, other ways to write a number.
  if (!source.by_hand && write_fields(description, source.limit) != json) throw other_text;
}

}  // namespace plait::detail
