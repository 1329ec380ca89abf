// The settings that a run depends on, and how those of a checkpoint are held against those of the
// run that is to go on from it: by name, and told by name with both values.
//
//   model.*                       the descriptions of trunk and towers, as far as they have fields
//   optimizer.*                   the rule and its hyper-parameters, schedule, clipping
//   learning_rate, weight_decay, frozen
//                                 of the first parameter, and "... of 'name'" where others differ
//   trainer.*                     heads, tiles, lanes, dropout: what Trainer::settings visits
//   {name of a part}.*            what the part's settings() visits, where it has one
#pragma once
#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/core/csv.hpp"
#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/io/checkpoint_part.hpp"
#include "plait/io/error.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/optimizer.hpp"
#include "plait/optim/param_groups.hpp"

namespace plait::detail {

// As printable ASCII, different for different texts: other bytes and the backslash are escaped.
PLAIT_COLD inline std::string one_line(std::string_view words) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string result;
  for (const char c : words) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || c == '\\') {
      result += {'\\', 'x', digits[byte >> 4], digits[byte & 15u]};
    } else {
      result += c;
    }
  }
  return result;
}

struct Setting {
  std::string name;
  std::string value;
  bool is_default = false;  // of a field that need not be in a file
};
using Settings = std::vector<Setting>;

// Lists the fields of what it visits, defaults included; numbers by their shortest exact text.
class SettingsVisitor final : public FieldVisitor {
 public:
  SettingsVisitor(Settings& settings, std::string prefix)
      : settings_(settings), path_(one_line(prefix)) {}

  bool reads() const override { return false; }
  bool visits_empty() const override { return false; }

 protected:
  void scalar(bool& value) override { put(value ? "true" : "false"); }
  void scalar(Index& value) override { put(text(value)); }
  void scalar(double& value) override { put(csv_number(value)); }
  void scalar(std::string& value) override { put("'" + one_line(value) + "'"); }
  void enumerator(std::size_t& index, std::span<const std::string_view> names) override {
    put(index < names.size() ? std::string(names[index]) : text(index));
  }
  void begin_object() override {}
  void end_object() override {}
  void begin_field(const char* name) override {
    places_.push_back({path_.size(), settings_.size()});
    path_ += path_.empty() ? "" : ".";
    path_ += one_line(name);
  }
  void end_field() override {
    last_field_ = places_.back().settings;
    if (settings_.size() == last_field_) put("none");
    path_.resize(places_.back().path);
    places_.pop_back();
  }
  bool has_field(const char*, bool) override { return true; }
  void needless_field(const char*) override {
    for (std::size_t i = last_field_; i < settings_.size(); ++i) settings_[i].is_default = true;
  }
  std::size_t begin_list(std::size_t size) override { return size; }
  void end_list() override {}
  void begin_element(std::size_t i) override {
    places_.push_back({path_.size(), settings_.size()});
    path_ += text("[", i, "]");
  }
  void end_element() override { end_field(); }

 private:
  struct Place {
    std::size_t path;      // length without the field
    std::size_t settings;  // that were listed before it
  };
  void put(std::string value) { settings_.push_back({path_, std::move(value)}); }

  Settings& settings_;
  std::string path_;
  std::vector<Place> places_;
  std::size_t last_field_ = 0;  // the first setting of the field that ended last
};

// Of a description that may have no fields, or parts without: what can be listed is.
template <class T>
PLAIT_COLD void add_description(Settings& settings, const std::string& prefix, T description) {
  SettingsVisitor visit(settings, prefix);
  try {
    visit.visit(description);
  } catch (const ConfigError&) {  // it could not be saved either; a run may use it all the same
  }
}

// One number of every parameter's settings: the first's, and those that differ from it.
template <class ValueOf>
void add_per_parameter(Settings& settings, const ParamTable& table,
                       std::span<const ParamSettings> parameters, const std::string& name,
                       const ValueOf& value_of) {
  if (parameters.empty()) return;
  const std::string first = value_of(parameters.front());
  settings.push_back({name, first});
  for (std::size_t i = 1; i < parameters.size(); ++i)
    if (std::string value = value_of(parameters[i]); value != first)
      settings.push_back(
          {name + " of '" + one_line(table.entries()[i].name) + "'", std::move(value)});
}

template <class Scalar>
PLAIT_COLD Settings run_settings(const Model<Scalar>& model, const Optimizer<Scalar>& optimizer) {
  Settings settings;
  settings.push_back({"model.trunk", one_line(model.trunk_config().name())});
  add_description(settings, "model", model.trunk_config());
  add_description(settings, "model.towers", model.towers_config());

  settings.push_back({"optimizer.rule", one_line(optimizer.rule().name())});
  SettingsVisitor of_rule(settings, "optimizer");
  optimizer.rule().settings(of_rule);
  const std::optional<double> clip = optimizer.options().clip_norm;
  settings.push_back({"optimizer.schedule", optimizer.options().schedule.description()});
  settings.push_back({"optimizer.clip_norm", clip ? csv_number(*clip) : "none"});

  const auto per_parameter = [&](const char* name, const auto& value_of) {
    add_per_parameter(settings, model.table(), optimizer.settings(), name, value_of);
  };
  per_parameter("learning_rate", [](const auto& of) { return csv_number(of.learning_rate); });
  per_parameter("weight_decay", [](const auto& of) { return csv_number(of.weight_decay); });
  per_parameter("frozen", [](const auto& of) { return of.frozen ? "true" : "false"; });
  return settings;
}

inline constexpr std::string_view of_trainer = "trainer.";

// Of a trainer of one's own as well, if it has settings(FieldVisitor&).
template <class Trainer>
void add_trainer(Settings& settings, const Trainer& trainer) {
  if constexpr (requires(FieldVisitor & visit) { trainer.settings(visit); }) {
    SettingsVisitor visit(settings, std::string(of_trainer.substr(0, of_trainer.size() - 1)));
    trainer.settings(visit);
  }
}

template <class Scalar>
Settings settings_of(const CheckpointParts<Scalar>& parts) {
  Settings settings;
  for (const auto& part : parts) {
    SettingsVisitor visit(settings, part.name());
    part.settings(visit);
  }
  return settings;
}

inline std::string write_settings(const Settings& settings) {
  std::string result;
  for (const Setting& setting : settings) result += setting.name + '\t' + setting.value + '\n';
  return result;
}
// Takes any text; what cannot have been written makes settings that no run has.
PLAIT_COLD inline Settings read_settings(std::string_view lines) {
  Settings settings;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    const std::string_view name = line.substr(0, line.find('\t'));
    settings.push_back(
        {std::string(name), std::string(line.substr((std::min)(line.size(), name.size() + 1)))});
    lines.remove_prefix((std::min)(lines.size(), line.size() + 1));
  }
  return settings;
}

// Throws FormatError naming what differs between the settings of a file and those of this run, with
// both values; what matches one of the patterns may.
PLAIT_COLD inline void require_settings(const std::string& file, const Settings& stored,
                                        const Settings& ours,
                                        std::span<const std::string> may_differ) {
  using Values = std::map<std::string_view, std::string_view>;
  const auto values_of = [](const Settings& settings) {
    Values values;
    for (const Setting& setting : settings) values.emplace(setting.name, setting.value);
    return values;
  };
  const Values in_file = values_of(stored), in_run = values_of(ours);
  const auto value_in = [](const auto& settings, std::string_view name) {
    auto found = settings.find(name);
    if (found == settings.end()) found = settings.find(name.substr(0, name.find(" of '")));
    return found == settings.end() ? std::string_view("none") : found->second;
  };
  const auto has_trainer = [](const auto& settings) {
    const auto next = settings.lower_bound(of_trainer);
    return next != settings.end() && next->first.starts_with(of_trainer);
  };
  // A model and an optimizer may be saved, or go on, without what trains them.
  const bool compares_trainers = has_trainer(in_file) && has_trainer(in_run);

  std::vector<std::string_view> names;
  // A file that was written before a field was there does not have it.
  for (const Setting& setting : ours)
    if (!setting.is_default || in_file.contains(setting.name)) names.push_back(setting.name);
  for (const Setting& setting : stored)
    if (!in_run.contains(setting.name)) names.push_back(setting.name);

  constexpr int most = 4;  // are told
  int differ = 0;
  std::string differing, got, expected;
  for (const std::string_view name : names) {
    if (name.starts_with(of_trainer) && !compares_trainers) continue;
    if (value_in(in_file, name) == value_in(in_run, name)) continue;
    if (std::ranges::any_of(may_differ, [&](const auto& p) { return glob_match(p, name); }))
      continue;
    if (++differ > most) continue;
    const char* const comma = differ > 1 ? ", " : "";
    differing += comma + shown(name, 200);
    got += comma + shown(value_in(in_file, name), 200);
    expected += comma + shown(value_in(in_run, name), 200);
  }
  if (differ > most) differing += text(" and ", differ - most, " more");
  if (differ > 0) throw FormatError(file, differing, got, expected + " as in this run");
}

// Throws ConfigError for a pattern that matches no setting in any of the lists.
PLAIT_COLD inline void require_patterns(std::initializer_list<const Settings*> lists,
                                        std::span<const std::string> patterns) {
  for (const std::string& pattern : patterns) {
    const bool known = std::ranges::any_of(lists, [&](const Settings* settings) {
      return std::ranges::any_of(
          *settings, [&](const auto& setting) { return glob_match(pattern, setting.name); });
    });
    require_config(known, "Checkpoints", "may_differ", in_quotes(pattern),
                   "a pattern that a setting's name matches");
  }
}

}  // namespace plait::detail
