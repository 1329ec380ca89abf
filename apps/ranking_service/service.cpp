#include "service.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <nlohmann/json.hpp>
#include <span>

#include "errors.hpp"
#include "plait/core/error.hpp"
#include "plait/core/instruction_set.hpp"
#include "rank_score.hpp"

namespace service {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::vector<double> weights_by_column(const Interface& interface,
                                      const std::vector<std::pair<std::string, double>>& named) {
  std::vector<double> weights(interface.columns.size(), named.empty() ? 1.0 : 0.0);
  for (const auto& [name, weight] : named) {
    const auto at = std::ranges::find(interface.columns, name);
    if (at == interface.columns.end())
      throw UsageError("--weight: the model has no score '" + name + "'");
    weights[static_cast<std::size_t>(at - interface.columns.begin())] = weight;
  }
  if (!valid_weights(weights)) throw UsageError("--weight: expected " + valid_weights_text());
  return weights;
}

nlohmann::ordered_json features_of(std::span<const plait::Feature> features) {
  const auto name_of = [](auto value) {
    return plait::EnumNames<decltype(value)>::names[static_cast<std::size_t>(value)];
  };
  auto list = nlohmann::ordered_json::array();
  for (const plait::Feature& feature : features)
    list.push_back({{"name", feature.name},
                    {"kind", name_of(feature.kind)},
                    {"side", name_of(feature.side)},
                    {"columns", plait::columns_of(feature)},
                    {"list", feature.bag.has_value()}});
  return list;
}

}  // namespace

Service::Service(ServiceOptions options)
    : options_(std::move(options)),
      slot_(options_.model, {.user_columns = options_.user_columns,
                             .tables = options_.tables,
                             .contexts = options_.threads}),
      weights_(weights_by_column(slot_.interface(), options_.weights)),
      desks_([this] {
        std::vector<Desk> desks;
        for (std::size_t i = 0; i < options_.threads; ++i) desks.emplace_back(slot_.reader());
        return desks;
      }()),
      loading_(1, 1),
      scoring_(options_.threads, options_.queue) {}

void Service::score(std::string_view body, Done done) {
  const auto start = std::chrono::steady_clock::now();
  const bool taken = scoring_.take(
      [this, body, start](std::size_t worker) {
        Answered answered;
        Reply reply = std::chrono::steady_clock::now() - start > options_.max_wait
                          ? error_reply(503, "overloaded: waited too long")
                          : try_score(worker, body, answered);
        answered.status = reply.status;
        answered.seconds = seconds_since(start);
        metrics_.count_request(answered);
        return reply;
      },
      done);
  if (taken) return;
  metrics_.count_request({.status = 503, .seconds = seconds_since(start)});
  done(error_reply(503, plait::text("overloaded: ", options_.queue, " requests wait already")));
}

Reply Service::try_score(std::size_t desk, std::string_view body, Answered& answered) {
  try {
    return score_at(desk, body, answered);
  } catch (const RequestError& error) {
    return error_reply(error.status, error.what());
  } catch (const std::exception& error) {
    return error_reply(500, error.what());
  }
}

Reply Service::score_at(std::size_t at, std::string_view body, Answered& answered) {
  const Interface& interface = slot_.interface();
  Desk& desk = desks_[at];
  Request& request = desk.request;
  parse_request(body, interface, options_.max_rows, request);
  desk.scores.resize(request.rows, 1, std::ssize(interface.columns));
  desk.rank.resize(static_cast<std::size_t>(request.rows));

  const auto start = std::chrono::steady_clock::now();
  std::uint64_t number = 0;
  {
    const auto version = desk.reader.read();
    number = version->number;
    version->ranker->score(at, request, desk.scores);
  }
  answered.scoring_seconds = seconds_since(start);
  answered.rows = static_cast<std::uint64_t>(request.rows);
  for (Index b = 0; b < request.rows; ++b) {
    const std::span row(desk.scores.view().row(b), interface.columns.size());
    if (!std::ranges::all_of(row, [](float score) { return std::isfinite(score); }))
      throw RequestError(422, plait::text("candidates[", b,
                                          "]: got features with a score of NaN or "
                                          "infinity, expected smaller ones"));
  }
  rank_scores(desk.scores, request.weights.empty() ? weights_ : request.weights, desk.rank);
  return scores_reply(number, interface, desk.scores, desk.rank);
}

Reply Service::reload() {
  Reply reply;
  try {
    reply.body = nlohmann::json{{"version", slot_.reload()}}.dump() + '\n';
  } catch (const RequestError& error) {
    return error_reply(error.status, error.what());
  } catch (const std::exception& error) {
    reply = error_reply(422, error.what());
  }
  metrics_.count_reload(reply.status == 200);
  return reply;
}

void Service::reload(Done done) {
  if (!loading_.take([this](std::size_t) { return reload(); }, done))
    done(error_reply(503, "overloaded: a reload waits already"));
}

Reply Service::describe() {
  auto reader = slot_.reader();
  const auto version = reader.read();
  const plait::Model<float>& model = version->ranker->model();
  const Interface& interface = slot_.interface();
  nlohmann::ordered_json weights;
  for (std::size_t c = 0; c < weights_.size(); ++c) weights[interface.columns[c]] = weights_[c];
  nlohmann::ordered_json description = {{"file", slot_.path()},
                                        {"version", version->number},
                                        {"architecture", model.trunk_config().name()},
                                        {"parameters", model.table().num_parameters()},
                                        {"instruction_set", plait::name(plait::instruction_set())}};
  if (interface.takes_raw()) {
    description["features"] = features_of(version->ranker->features());
  } else {
    description["user_features"] = interface.user_features;
    description["candidate_features"] = interface.candidate_features;
  }
  description["scores"] = interface.columns;
  description["weights"] = weights;
  description["max_rows"] = options_.max_rows;
  return {200, description.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + '\n'};
}

std::string Service::metrics(const ConnectionGauges& connections) const {
  return metrics_.text({.model_version = slot_.version(),
                        .waiting = scoring_.waiting(),
                        .connections = connections});
}

}  // namespace service
