// A small model in a file and its service in this process, for tests.
#pragma once
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "http.hpp"
#include "load/connection.hpp"
#include "plait/architectures/adatt.hpp"
#include "plait/io/model_file.hpp"
#include "plait/losses/predict.hpp"
#include "plait/model/model.hpp"
#include "plait/serve/scorer.hpp"
#include "service.hpp"
#include "support/data.hpp"
#include "support/files.hpp"

namespace served {

using plait::Index;
using Model = plait::Model<float>;
using nlohmann::json;

inline constexpr Index inputs = 8;  // of which a request's user has columns 0, 1 and 5
inline const std::vector<Index> user_columns = {0, 1, 5};
inline constexpr Index user_features = 3;
inline constexpr Index candidate_features = inputs - user_features;

inline std::vector<plait::Head> heads() {
  return {{.name = "click"},
          {.kind = plait::HeadKind::regression, .name = "dwell"},
          {.kind = plait::HeadKind::multiclass, .classes = 3, .name = "stars"}};
}
inline const std::vector<std::string> columns = {"click", "dwell", "stars.0", "stars.1", "stars.2"};

inline Model model(std::uint64_t seed) {
  return Model(
      plait::AdaTT{.input_dim = inputs, .num_tasks = 3, .levels = {{12}, {8}}, .task_experts = {2}},
      {.hidden = {{6}}, .outputs = {1, 1, 3}}, seed);
}

// With self-test rows.
inline void save(const Model& model, const std::string& path) {
  const auto rows = data::normal<float>(3, model.in_shape().dim, 5);
  plait::save(model, path, {.heads = heads()}, rows);
}

// A request of random numbers, and what a model says to it: by the plain scorer on whole rows, and
// in the service's way.
struct Candidates {
  explicit Candidates(Index rows, std::uint64_t seed = 9)
      : user(data::normal<float>(1, user_features, seed)),
        features(data::normal<float>(rows, candidate_features, seed + 1)) {}

  std::string body() const {
    json request = {{"user", std::vector<float>(user.data(), user.data() + user.size())}};
    request["candidates"] = json::array();
    for (Index b = 0; b < features.rows(); ++b)
      request["candidates"].push_back(
          std::vector<float>(features.data() + b * candidate_features,
                             features.data() + (b + 1) * candidate_features));
    return request.dump();
  }

  plait::Matrix<float> plain_scores(const Model& model) const {
    plait::Matrix<float> x(features.rows(), inputs);
    Index own = 0;
    Index shared = 0;
    for (Index c = 0; c < inputs; ++c) {
      if (c == 0 || c == 1 || c == 5) {
        x.col(c).setConstant(user(0, shared++));
      } else {
        x.col(c) = features.col(own++);
      }
    }
    plait::Matrix<float> scores(x.rows(), 5);
    plait::Scorer scorer(model);
    scorer.context().score(x, scores);
    plait::predict(heads(), scores, scores);
    return scores;
  }

  plait::Matrix<float> scores(const Model& model) const {
    plait::Matrix<float> scores(features.rows(), 5);
    plait::Scorer scorer(model, {.shared_inputs = user_columns});
    scorer.context().score(user, features, scores);
    plait::predict(heads(), scores, scores);
    return scores;
  }

  plait::Matrix<float> user;      // [1, user features]
  plait::Matrix<float> features;  // [rows, candidate features]
};

inline plait::Matrix<float> scores_of(const json& answer) {
  const auto rows = static_cast<Index>(answer.at("rank").size());
  plait::Matrix<float> scores(rows, 5);
  for (Index c = 0; c < 5; ++c)
    for (Index b = 0; b < rows; ++b)
      scores(b, c) = answer.at("scores")
                         .at(columns[static_cast<std::size_t>(c)])
                         .at(static_cast<std::size_t>(b));
  return scores;
}

// The answer to a body, when it is there.
inline service::Reply score(service::Service& service, const std::string& body) {
  std::promise<service::Reply> reply;
  service.score(body, [&](service::Reply made) { reply.set_value(std::move(made)); });
  return reply.get_future().get();
}

// model(1) served from a file.
class Server {
 public:
  explicit Server(service::ServiceOptions options = {}, service::HttpOptions http = {}) {
    save(model(1), path());
    options.model = path();
    options.user_columns = user_columns;
    service_.emplace(std::move(options));
    http.port = 0;
    http_.emplace(*service_, http);
    thread_ = std::jthread([this] { http_->run(); });
  }
  ~Server() { drain(std::chrono::seconds(10)); }

  void drain(std::chrono::milliseconds at_most, std::chrono::milliseconds at_least = {}) {
    if (!thread_.joinable()) return;
    http_->drain(at_least, at_most);
    thread_.join();
  }

  std::string path() const { return directory_ / "model"; }
  int port() const { return http_->port(); }
  service::Service& service() { return *service_; }

  // On a connection of its own; status 0 when there was no answer, or none in time.
  load::Answer ask(const std::string& method, const std::string& target,
                   const std::string& body = "") const {
    return ask_raw(load::http_request(method, target, body));
  }
  load::Answer ask_raw(const std::string& request,
                       std::chrono::milliseconds at_most = std::chrono::seconds(60)) const {
    load::Connection connection("127.0.0.1", port(), at_most);
    connection.send(request);
    const load::Answer* answer = connection.receive();
    return answer != nullptr ? *answer : load::Answer();
  }

 private:
  files::Directory directory_;
  std::optional<service::Service> service_;
  std::optional<service::HttpServer> http_;
  std::jthread thread_;
};

}  // namespace served
