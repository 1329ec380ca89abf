// Reports as JSON text: objects with the members' names, matrices as lists of rows, NaN as null.
#pragma once
#include <cmath>
#include <string>

#include "plait/core/config.hpp"
#include "plait/inspect/expert_report.hpp"
#include "plait/io/json.hpp"
#include "plait/methods/gradient_cosines.hpp"

namespace plait {

namespace detail {

template <class Numbers>
Json json_list(const Numbers& numbers) {
  auto list = Json::array();
  for (Index i = 0; i < numbers.size(); ++i)
    list.push_back(std::isnan(numbers[i]) ? Json() : Json(numbers[i]));
  return list;
}

template <class Numbers>
Json json_rows(const Numbers& numbers) {
  auto list = Json::array();
  for (Index i = 0; i < numbers.rows(); ++i) list.push_back(json_list(numbers.row(i)));
  return list;
}

}  // namespace detail

inline std::string to_json(const ExpertReport& report) {
  detail::Json json{{"rows", report.rows}, {"levels", detail::Json::array()}};
  for (const LevelReport& level : report.levels)
    json["levels"].push_back({{"gate_weights", detail::json_rows(level.gate_weights)},
                              {"static_weights", detail::json_rows(level.static_weights)},
                              {"top_share", detail::json_rows(level.top_share)},
                              {"entropy", detail::json_list(level.entropy)},
                              {"relative_entropy", detail::json_list(level.relative_entropy)},
                              {"importance", detail::json_list(level.importance)},
                              {"load", detail::json_list(level.load)},
                              {"output_rms", detail::json_list(level.output_rms)},
                              {"similarity", detail::json_rows(level.similarity)}});
  return json.dump(2) + '\n';
}

inline std::string to_json(const CosineReport& report) {
  const detail::Json json{{"steps", report.steps},
                          {"cosines", detail::json_rows(report.cosines)},
                          {"conflicts", detail::json_rows(report.conflicts)}};
  return json.dump(2) + '\n';
}

}  // namespace plait
