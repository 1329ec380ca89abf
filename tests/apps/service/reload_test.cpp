// A model that is exchanged while requests run.
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <limits>

#include "plait/architectures/mmoe.hpp"
#include "served.hpp"
#include "support/catch.hpp"
#include "watch.hpp"

using namespace served;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("no request fails during 200 reloads and every answer is one model's, to the last bit") {
  Server server({.threads = 2});
  const Candidates candidates(20);
  const plait::Matrix<float> expected[] = {candidates.scores(model(1)),
                                           candidates.scores(model(2))};
  const std::string request = load::http_request("POST", "/score", candidates.body());
  std::atomic<bool> reloading{true};
  std::atomic<int> seen[2] = {};
  std::atomic<int> failed{0};
  std::atomic<int> wrong{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      load::Connection connection("127.0.0.1", server.port());
      std::uint64_t last = 0;
      while (reloading) {
        const load::Answer* answer = connection.send(request) ? connection.receive() : nullptr;
        if (answer == nullptr || answer->status != 200) {
          ++failed;
          return;
        }
        const json reply = json::parse(answer->body);
        const std::uint64_t version = reply.at("version");
        const std::size_t of = (version - 1) % 2;
        if (version < last || (scores_of(reply).array() != expected[of].array()).any()) ++wrong;
        last = version;
        ++seen[of];
      }
    });
  load::Connection control("127.0.0.1", server.port());
  for (std::uint64_t i = 0; i < 200; ++i) {
    save(model(i % 2 == 0 ? 2 : 1), server.path());
    control.send(load::http_request("POST", "/reload", ""));
    const load::Answer* answer = control.receive();
    REQUIRE(answer != nullptr);
    CHECK(answer->body == "{\"version\":" + std::to_string(i + 2) + "}\n");
  }
  reloading = false;
  threads.clear();
  CHECK(failed == 0);
  CHECK(wrong == 0);
  CHECK(seen[0] > 0);
  CHECK(seen[1] > 0);
}

TEST_CASE("a file that cannot be served changes nothing and is reported") {
  Server server;
  const Candidates candidates(3);
  const auto before = server.ask("POST", "/score", candidates.body());
  int refused = 0;
  const auto check = [&](const std::string& text) {
    const auto answer = server.ask("POST", "/reload");
    CHECK(answer.status == 422);
    CHECK_THAT(json::parse(answer.body).at("error").get<std::string>(), ContainsSubstring(text));
    CHECK(server.ask("POST", "/score", candidates.body()).body == before.body);
    CHECK_THAT(server.ask("GET", "/metrics").body,
               ContainsSubstring("ranking_reloads_total{result=\"refused\"} " +
                                 std::to_string(++refused)));
  };
  const std::string path = server.path();

  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  check(path);
  std::ofstream(path) << "nonsense";
  check(path);
  std::filesystem::remove(path);
  check("got none that can be opened");

  plait::save(model(2), path, {});
  check("got no heads");

  auto broken = model(2);
  for (const plait::ParamEntry& entry : broken.table().entries())
    std::ranges::fill(broken.values_of(entry.id), std::numeric_limits<float>::quiet_NaN());
  plait::save(broken, path, {.heads = heads()});
  check("scores of a row of zeros: got NaN or infinity");

  plait::save(Model(plait::AdaTT{.input_dim = inputs + 1, .num_tasks = 3, .levels = {{4}}},
                    {.hidden = {{6}}, .outputs = {1, 1, 3}}, 1),
              path, {.heads = heads()});
  check(
      "got 3 + 6 features and scores click, dwell, stars.0, stars.1, stars.2, expected 3 + 5 "
      "features");
  auto others = heads();
  others[1].name = "watch";
  plait::save(model(2), path, {.heads = others});
  check("scores click, watch");

  save(model(2), path);
  CHECK(server.ask("POST", "/reload").body == "{\"version\":2}\n");
  CHECK((scores_of(json::parse(server.ask("POST", "/score", candidates.body()).body)).array() ==
         candidates.scores(model(2)).array())
            .all());
}

TEST_CASE("another architecture with the same interface is taken") {
  Server server;
  const Model other(
      plait::MMoE{.input_dim = inputs, .num_tasks = 3, .num_experts = 2, .expert = {4}},
      {.hidden = {{6}}, .outputs = {1, 1, 3}}, 1);
  plait::save(other, server.path(), {.heads = heads()});
  CHECK(server.ask("POST", "/reload").status == 200);
  CHECK(json::parse(server.ask("GET", "/model").body).at("architecture") == "MMoE");
  CHECK(server.ask("POST", "/score", Candidates(3).body()).status == 200);
}

TEST_CASE("a watched file that could not be read is tried again, and reported once") {
  Server server;
  std::atomic<int> loaded{0};
  std::atomic<int> refused{0};
  service::Watch watch(
      server.service(), std::chrono::milliseconds(1),
      [&](const service::Reply& reply) { ++(reply.status == 200 ? loaded : refused); });
  save(model(2), server.path() + ".new");
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 3;  // those that are open stay
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  std::filesystem::rename(server.path() + ".new", server.path());
  for (int i = 0; i < 5000 && refused == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(refused == 1);
  CHECK(loaded == 0);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  for (int i = 0; i < 5000 && loaded == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(loaded == 1);
  CHECK(refused == 1);
}

TEST_CASE("a pipe in the file's place is refused at once") {
  Server server;
  std::filesystem::remove(server.path());
  REQUIRE(mkfifo(server.path().c_str(), 0600) == 0);
  const auto start = std::chrono::steady_clock::now();
  const auto answer = server.ask("POST", "/reload");
  CHECK(answer.status == 422);
  CHECK_THAT(answer.body, ContainsSubstring("pipe"));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));
  CHECK_THROWS_WITH(service::Service({.model = server.path()}), ContainsSubstring("pipe"));
}

TEST_CASE("a watched file is loaded when it changes, and a bad one is tried once") {
  Server server;
  std::atomic<int> loaded{0};
  std::atomic<int> refused{0};
  const auto wait_for = [](const std::atomic<int>& count) {
    for (int i = 0; i < 5000 && count == 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  };
  service::Watch watch(
      server.service(), std::chrono::milliseconds(1),
      [&](const service::Reply& reply) { ++(reply.status == 200 ? loaded : refused); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(loaded + refused == 0);
  save(model(2), server.path());
  wait_for(loaded);
  CHECK(loaded == 1);
  std::ofstream(server.path() + ".new") << "nonsense";
  std::filesystem::rename(server.path() + ".new", server.path());
  wait_for(refused);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(refused == 1);
  CHECK(json::parse(server.ask("GET", "/model").body).at("version") == 2);
}
